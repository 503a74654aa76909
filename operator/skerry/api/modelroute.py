"""`ModelRoute`: the one small object that agents watch. Rollback of any fleet is one write to it.

It stays under 2 kB and changes a handful of times per rollout. Agents ignore fields they don't know.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotation at run time
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import Column, DnsLabel, KindInfo, Message, Model, Resource, RevisionName
from skerry.api.edgemodel import GuardRule


class RouteRevision(Model):
    """A revision in the role of stable."""

    revision: RevisionName
    attempt: int = Field(default=0, description="With which it was promoted; vetoes of earlier attempts do not count.")


class RouteCandidate(Model):
    """A revision on trial, and how each node tries it."""

    revision: RevisionName
    attempt: int = Field(default=0, description="A local Fail sticks to (revision, attempt).")
    traffic: Annotated[tuple[int, ...], Field(max_length=8)] = (10, 50, 90)
    soak_seconds: float = Field(default=600, ge=0, description="Time at the last step, in seconds.")


class RoutePrevious(Model):
    """The revision before stable, kept warm: the guard can still go back to it until `until`."""

    revision: RevisionName
    attempt: int = 0
    until: datetime


class RouteGuard(Model):
    """The rules by which agents judge."""

    min_samples: int = 20
    rules: Annotated[tuple[GuardRule, ...], Field(max_length=8)] = ()


class Halt(Model):
    """The revision that was taken back from this class, and why; kept until status remembers it."""

    revision: RevisionName
    attempt: int
    rule: Annotated[str, Field(max_length=64)]
    node: Annotated[str, Field(max_length=253)] = ""
    message: Annotated[str, Field(max_length=256)] = ""
    at: datetime


class ModelRouteSpec(Model):
    """Roles of revisions on the nodes of one class."""

    schema_version: int = 1
    edge_model: DnsLabel
    hardware_class: DnsLabel
    stable: RouteRevision | None = None
    candidate: RouteCandidate | None = None
    previous: RoutePrevious | None = None
    guard: RouteGuard = RouteGuard()
    halted: Halt | None = None


class ModelRoute(Resource):
    """The roles of a model's revisions on the nodes of one hardware class."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="modelroutes", short="mr", scope="Namespaced", has_status=False,
        columns=(
            Column("Model", ".spec.edgeModel"),
            Column("Class", ".spec.hardwareClass"),
            Column("Stable", ".spec.stable.revision"),
            Column("Candidate", ".spec.candidate.revision"),
            Column("Previous", ".spec.previous.revision"),
            Column("Halted", ".spec.halted.rule"),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    )

    kind: str = "ModelRoute"
    spec: ModelRouteSpec


__all__ = [
    "Halt",
    "Message",
    "ModelRoute",
    "ModelRouteSpec",
    "RouteCandidate",
    "RouteGuard",
    "RoutePrevious",
    "RouteRevision",
]
