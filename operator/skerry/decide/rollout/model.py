"""What the rollout machine sees and what it decides, for one target (EdgeModel x hardware class).

The operator gathers a `TargetView` from its snapshot and writes a `TargetDecision` in this order, each
write possibly the last (the operator may be killed between any two): 1. the ModelRoute, 2. the
EdgeModel's status, 3. DaemonSets applied, 4. DaemonSets deleted. The next pass sees only what was
written, and the machine is right from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from skerry.api.edgemodel import (
        GuardRule,
        HistoryEntry,
        NodeCounts,
        Phase,
        Rejection,
        TargetStatus,
        WaveStatus,
    )
    from skerry.api.edgenode import NodeModel
    from skerry.api.modelroute import ModelRouteSpec


@dataclass(frozen=True)
class RolloutPolicy:
    """`spec.rollout` and `spec.guard` with durations in seconds; see `policy_from_spec`."""

    wave_percents: tuple[int, ...]
    traffic: tuple[int, ...]
    soak_seconds: float
    rollback_window_seconds: float
    min_samples: int
    rules: tuple[GuardRule, ...]
    max_degraded_nodes: str
    lost_after_seconds: float


@dataclass(frozen=True)
class NodeView:
    """One node of the class.

    Attributes:
        name: of the Node and of its EdgeNode.
        shard: value of the shard label, 0 to 63; None while the node has no such label.
        reachable: the node is Ready and its agent's heartbeat is fresh.
        unreachable_since: when it fell silent (its last heartbeat); None while reachable.
        model: what the node's agent last reported for this EdgeModel; None when it never did.
            An agent reports every generation of the route that it acts on (`observed_route`).
        ready_revisions: revisions of this EdgeModel that have a Ready pod there, as last seen.
    """

    name: str
    shard: int | None
    reachable: bool
    unreachable_since: datetime | None = None
    model: NodeModel | None = None
    ready_revisions: frozenset[str] = frozenset()


class PlacementKind(Enum):
    """The form of a DaemonSet's node affinity; the class label is always required beside it."""

    ALL = "All"
    IN = "In"
    NOT_IN = "NotIn"


@dataclass(frozen=True)
class Placement:
    """Where the pods of one revision are meant to run, within the class.

    `shards` is empty for ALL. As in Kubernetes, a node without the shard label is covered by ALL and
    NOT_IN and never by IN.
    """

    kind: PlacementKind = PlacementKind.ALL
    shards: frozenset[int] = frozenset()

    def covers(self, shard: int | None) -> bool:
        """Whether a node with this shard label (None: without one) gets a pod."""
        if self.kind is PlacementKind.IN:
            return shard in self.shards
        return shard not in self.shards


@dataclass(frozen=True)
class TargetView:
    """Everything that a decision about one target depends on, beside the time.

    Attributes:
        edge_model: name of the EdgeModel.
        hardware_class: name of the class.
        desired: revision that the spec asks for; None while it is being built or fails its gates.
        attempt: raised by a retry (see `next_attempt`); a rejection holds for its attempt and those
            before it.
        rejections: `status.rejected` (entries of other classes are ignored).
        status: this target's entry of `status.targets` as last written, None when there is none.
        route: `spec` of the ModelRoute as observed, None when there is none.
        route_generation: `metadata.generation` of that ModelRoute, 0 when there is none.
        daemonsets: observed placement by revision, of all DaemonSets of this target.
        nodes: all nodes that carry the class.
        policy: how to roll out.
    """

    edge_model: str
    hardware_class: str
    desired: str | None
    attempt: int
    rejections: tuple[Rejection, ...]
    status: TargetStatus | None
    route: ModelRouteSpec | None
    route_generation: int
    daemonsets: Mapping[str, Placement]
    nodes: tuple[NodeView, ...]
    policy: RolloutPolicy


@dataclass(frozen=True)
class TargetDecision:
    """What shall be written for one target, in the order of the module's docstring.

    Attributes:
        route: wanted spec of the ModelRoute; None: there is none and none is needed yet. A route that
            exists is never taken away.
        stable, candidate, previous, wave, desired, attempt, counts, offenders, phase, reason, message:
            fields of TargetStatus. `phase` and what explains it know nothing of builds: while
            `desired` is None the operator's own reason (Optimizing, GatesNotMet) goes first.
        rejections: to append to `status.rejected`.
        history: to append to `status.history`.
        placements: DaemonSets to apply, by revision (unchanged ones included).
        delete: revisions whose DaemonSets go.
        requeue_after: seconds until the passing of time alone can change the decision, None for never.
    """

    route: ModelRouteSpec | None
    placements: Mapping[str, Placement]
    delete: frozenset[str]
    phase: Phase
    reason: str
    message: str
    counts: NodeCounts
    desired: str | None = None
    attempt: int = 0
    stable: str | None = None
    candidate: str | None = None
    previous: str | None = None
    wave: WaveStatus | None = None
    offenders: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    history: tuple[HistoryEntry, ...] = field(default=())
    requeue_after: float | None = None
