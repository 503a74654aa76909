"""`ModelRoute`: the one small object that agents watch. One write to it rolls back a whole class.

It describes a whole rollout: the roles, the candidate's wave, and where the servers of each revision are
meant to run. It stays under 2 kB. Agents ignore fields that they don't know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from skerry.api.common import (
    Column,
    DnsLabel,
    KindInfo,
    Model,
    Note,
    Resource,
    RevisionName,
    Time,
    TrafficShare,
    Uid,
)
from skerry.api.guard import GuardRule
from skerry.api.placement import Placement, PlacementKind
from skerry.api.rollout import MOST_WAVES
from skerry.api.rules import ListMap, Rule

if TYPE_CHECKING:
    from skerry.api.placement import Member


class RouteRevision(Model):
    """A revision in the role of stable."""

    revision: RevisionName = Field(description="Name of the revision.")
    attempt: int = Field(
        default=0,
        ge=0,
        description="Attempt that was promoted; vetoes of earlier attempts do not count.",
    )


class RouteCandidate(Model):
    """The revision on trial, and how each node tries it."""

    revision: RevisionName = Field(description="Name of the revision.")
    attempt: int = Field(
        default=0,
        ge=0,
        description="Attempt on trial; each retry increases it. A node's veto applies to one attempt.",
    )
    traffic: Annotated[tuple[TrafficShare, ...], Field(max_length=8)] = Field(
        default=(10, 50, 90), description="Percentage of a node's requests, step by step."
    )
    soak_seconds: int = Field(default=600, ge=0, description="Time at the last step, in seconds.")


class RoutePrevious(Model):
    """The revision before stable. The guard can roll back to it until `expirationTime`."""

    revision: RevisionName = Field(description="Name of the revision.")
    attempt: int = Field(default=0, ge=0, description="Attempt that was promoted.")
    expiration_time: Time = Field(description="End of the rollback window.")


class RouteGuard(Model):
    """The rules that agents judge by."""

    min_samples: int = Field(
        default=20,
        ge=1,
        description="Requests that candidate and stable each need before a statistic is evaluated.",
    )
    rules: Annotated[tuple[GuardRule, ...], Field(max_length=8), ListMap(("metric",))] = Field(
        default=(), description="The statistics that judge."
    )


class Halt(Model):
    """The revision that was rolled back on this class, and why. Kept until the status records it."""

    revision: RevisionName = Field(description="The revision that was rolled back.")
    attempt: int = Field(ge=0, description="The attempt that failed.")
    rule: Annotated[str, Field(max_length=64)] = Field(description="The guard's rule that failed.")
    node_name: Annotated[str, Field(max_length=253)] = Field(
        default="", description="The node that failed first."
    )
    message: Note = Field(default="", description="What was observed.")
    rollback_time: Time = Field(description="When it was rolled back.")


class RouteWave(Model):
    """The candidate's present wave. What it has opened is the candidate's placement."""

    index: int = Field(ge=0, le=MOST_WAVES - 1, description="Index in spec.rollout.waves, from 0.")
    open_time: Time = Field(
        description="When the wave opened. Nodes that were offline before are not waited for."
    )


class RoutePlacement(Placement):
    """Where the servers of one revision are meant to run. Written before the DaemonSet that follows it."""

    invariants: ClassVar[tuple[Rule, ...]] = (
        *Placement.invariants,
        Rule(
            "self.kind != 'In' || size(self.shards) + size(self.rings) > 0",
            "must name a shard or a ring where kind is In",
            lambda entry: entry.kind is not PlacementKind.IN or entry.shards or entry.rings,
        ),
    )

    revision: RevisionName = Field(description="Name of the revision.")

    @classmethod
    def of(cls, revision: str, placement: Placement) -> RoutePlacement:
        """Return the entry of a revision."""
        return cls(
            revision=revision,
            kind=placement.kind,
            shards=placement.shards,
            rings=placement.rings,
        )

    @property
    def placement(self) -> Placement:
        """The entry without its revision."""
        return Placement(kind=self.kind, shards=self.shards, rings=self.rings)


class ModelRouteSpec(Model):
    """The roles of a model's revisions on the nodes of one class."""

    edge_model_name: DnsLabel = Field(description="Name of the EdgeModel, in the same namespace.")
    edge_model_uid: Uid | None = Field(
        default=None,
        description="metadata.uid of the EdgeModel. Agents keep their state by it, so an EdgeModel that"
        " is deleted and created again under the same name starts without vetoes.",
    )
    hardware_class_name: DnsLabel = Field(description="Name of the HardwareClass.")
    stable: RouteRevision | None = Field(
        default=None, description="The revision promoted last; unset before the first promotion."
    )
    candidate: RouteCandidate | None = Field(default=None, description="The revision on trial.")
    previous: RoutePrevious | None = Field(
        default=None, description="The revision before stable, within its rollback window."
    )
    guard: RouteGuard = Field(default=RouteGuard(), description="How agents judge.")
    halted: Halt | None = Field(
        default=None, description="Set when a revision was rolled back on the class."
    )
    roles_generation: int = Field(
        default=0,
        ge=0,
        description="Increases with each change of this route that agents act on; `wave` and"
        " `placements` do not count. Agents acknowledge it.",
    )
    wave: RouteWave | None = Field(default=None, description="The candidate's present wave.")
    placements: Annotated[
        tuple[RoutePlacement, ...], Field(max_length=256), ListMap(("revision",))
    ] = Field(
        default=(),
        description="Where the servers of each revision are meant to run. The DaemonSets follow it.",
    )

    def placement_of(self, revision: str) -> Placement | None:
        """Return where the revision is meant to run; None when it is meant for no node."""
        found = (entry for entry in self.placements if entry.revision == revision)
        return next((entry.placement for entry in found), None)

    def is_meant_for(self, member: Member, revision: str) -> bool:
        """Return whether a node or device of the class is to hold the revision."""
        return any(e.revision == revision and e.holds(member) for e in self.placements)


class ModelRoute(Resource):
    """The roles of a model's revisions on the nodes of one hardware class. Agents act on it."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="modelroutes",
        short="mr",
        scope="Namespaced",
        has_status=False,
        columns=(
            Column("Model", ".spec.edgeModelName"),
            Column("Class", ".spec.hardwareClassName"),
            Column("Stable", ".spec.stable.revision"),
            Column("Candidate", ".spec.candidate.revision"),
            Column("Previous", ".spec.previous.revision"),
            Column("Halted", ".spec.halted.rule"),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    )
    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.spec.edgeModelName == oldSelf.spec.edgeModelName"
            " && self.spec.hardwareClassName == oldSelf.spec.hardwareClassName",
            "spec.edgeModelName and spec.hardwareClassName can't be changed: a route belongs to one model and"
            " one class",
        ),
    )

    kind: str = "ModelRoute"
    spec: ModelRouteSpec
