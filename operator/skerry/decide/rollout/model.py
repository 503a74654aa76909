"""What the rollout machine sees and what it decides, for one target (EdgeModel x hardware class).

The operator gathers a `TargetView` from its snapshot and writes a `TargetDecision` in this order, each
write possibly the last (the operator may be killed between any two): 1. the ModelRoute, 2. the
EdgeModel's status, 3. DaemonSets applied, 4. DaemonSets deleted. The next pass sees only what was
written, and the machine is right from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from skerry.api.rollout import Standby

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from skerry.api.actions import Mark
    from skerry.api.attempt import Attempt
    from skerry.api.edgemodel import (
        CatchingUp,
        GuardRule,
        HistoryEntry,
        NodeCounts,
        Phase,
        Rejection,
        RolloutStatus,
        WaveStatus,
    )
    from skerry.api.edgenode import NodeModel
    from skerry.api.modelroute import ModelRouteSpec
    from skerry.api.reasons import Cause


Selector = tuple[tuple[str, str], ...]
"""Node labels, all of which a node carries: sorted pairs of key and value."""


@dataclass(frozen=True)
class WaveStep:
    """One step of a rollout: a share of the class (`percent`), or a ring (`selector`)."""

    percent: int | None = None
    selector: Selector = ()

    def __str__(self) -> str:
        """For people: `25 %`, or `ring site=north`."""
        if self.percent is not None:
            return f"{self.percent} %"
        return "ring " + ",".join(f"{key}={value}" for key, value in self.selector)


@dataclass(frozen=True)
class Actions:
    """What a person asked for by annotations; see `skerry.api.actions`."""

    promote: tuple[Mark, ...] = ()
    abort: frozenset[Attempt] = frozenset()
    undo: frozenset[Attempt] = frozenset()


@dataclass(frozen=True)
class RolloutPolicy:
    """`spec.rollout`, `spec.guard` and `spec.suspend`, durations in seconds; see `policy_from_spec`."""

    waves: tuple[WaveStep, ...]
    traffic: tuple[int, ...]
    soak_seconds: int
    rollback_window_seconds: int
    min_samples: int
    rules: tuple[GuardRule, ...]
    max_degraded_nodes: str
    lost_after_seconds: int
    progress_seconds: int
    max_concurrent_pulls: str | None = None
    manual: bool = False
    suspended: bool = False
    standby: Standby = Standby.WARM


@dataclass(frozen=True)
class NodeView:
    """One node of the class.

    Attributes:
        name: of the Node and of its EdgeNode.
        shard: value of the shard label, 0 to 63; None while the node has no such label.
        reachable: the node is Ready and its agent's heartbeat is fresh.
        unreachable_since: when it fell silent; None while reachable, and when nobody saw it alive.
        model: what the node's agent last reported for this EdgeModel; None when it never did.
            An agent reports every generation of the route that it acts on (`observed_route`).
        ready_revisions: revisions of this EdgeModel that have a Ready pod there, as last seen.
        placed_revisions: revisions of this EdgeModel that have a pod there, Ready or not.
        labels: of the Node; rings are told by them.
        agent_awaited: no agent has beaten yet, and the node is not left out for it so far.
        left_out: why waves pass the node over, in words: a taint, or no agent; empty for all others.
        silent_seconds: for how long it has been silent, as of the last list that succeeded; None:
            since `unreachable_since`, until now.
        heard: its agent was seen alive lately, so that its presence says something about losses elsewhere.
    """

    name: str
    shard: int | None
    reachable: bool
    unreachable_since: datetime | None = None
    model: NodeModel | None = None
    ready_revisions: frozenset[str] = frozenset()
    placed_revisions: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    left_out: str = ""
    silent_seconds: float | None = None
    heard: bool = True
    agent_awaited: bool = False


class PlacementKind(Enum):
    """The form of a DaemonSet's node affinity; the class label is always required beside it."""

    ALL = "All"
    IN = "In"
    NOT_IN = "NotIn"


@dataclass(frozen=True)
class Ring:
    """Nodes with these labels, within some shards: so a ring opens and is let go shard by shard too."""

    selector: Selector
    shards: frozenset[int]

    def covers(self, shard: int | None, labels: Mapping[str, str]) -> bool:
        """Whether a node with this shard label and these labels is in it."""
        return shard in self.shards and matches(self.selector, labels)


@dataclass(frozen=True)
class Placement:
    """Where the pods of one revision are meant to run, within the class.

    `shards` is empty for ALL. `rings`, sorted by selector, are IN's alone: it covers them beside its
    shards. As in Kubernetes, a node without the shard label is covered by ALL and NOT_IN and never by
    IN.
    """

    kind: PlacementKind = PlacementKind.ALL
    shards: frozenset[int] = frozenset()
    rings: tuple[Ring, ...] = ()

    def covers(self, shard: int | None, labels: Mapping[str, str] = MappingProxyType({})) -> bool:
        """Whether a node with this shard label (None: without one) and these labels gets a pod."""
        if self.kind is PlacementKind.IN:
            return shard in self.shards or any(ring.covers(shard, labels) for ring in self.rings)
        return shard not in self.shards

    def holds(self, node: NodeView) -> bool:
        """Whether the node gets a pod."""
        return self.covers(node.shard, node.labels)

    def reaches(self, shard: int) -> bool:
        """Whether some node of the shard may get a pod."""
        return self.covers(shard) or any(shard in ring.shards for ring in self.rings)


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether the labels hold all pairs of the selector."""
    return all(labels.get(key) == value for key, value in selector)


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
        status: this target's rollout in the EdgeModel's status as last written, None when there is none.
        route: `spec` of the ModelRoute as observed, None when there is none.
        route_generation: `metadata.generation` of that ModelRoute, 0 when there is none.
        daemonsets: observed placement by revision, of all DaemonSets of this target.
        nodes: all nodes that carry the class.
        policy: how to roll out.
        actions: what a person asked for.
        makeable: revisions of which a DaemonSet can be made now.
        rings_elsewhere: rings of the policy in which other classes have nodes.
        causes: why nodes lack a Ready pod that they should have, by node and revision.
        edge_model_uid: `metadata.uid` of the EdgeModel; the route carries it.
        route_stands: the API server refuses to change the route: all else follows the one that stands.
    """

    edge_model: str
    hardware_class: str
    desired: str | None
    attempt: int
    rejections: tuple[Rejection, ...]
    status: RolloutStatus | None
    route: ModelRouteSpec | None
    route_generation: int
    daemonsets: Mapping[str, Placement]
    nodes: tuple[NodeView, ...]
    policy: RolloutPolicy
    actions: Actions = Actions()
    makeable: frozenset[str] = frozenset()
    rings_elsewhere: frozenset[Selector] = frozenset()
    causes: Mapping[tuple[str, str], Cause] = field(default_factory=dict)
    edge_model_uid: str | None = None
    route_stands: bool = False


@dataclass(frozen=True)
class Story:
    """What a target's rollout does now, and why.

    Attributes:
        without_nodes: the class has none, so nothing can be rolled out.
    """

    phase: Phase
    cause: Cause
    without_nodes: bool = False


@dataclass(frozen=True)
class TargetDecision:
    """What shall be written for one target, in the order of the module's docstring.

    Attributes:
        route: wanted spec of the ModelRoute; None: there is none and none is needed yet. A route that
            exists is never taken away.
        unanswered: why reachable nodes have no server that answers, as far as it is known.
        approved: the approval that was last used, to be kept in the status.
        story: for people. It knows nothing of builds: while `desired` is None the build's own goes first.
        stable, candidate, previous, wave, catching_up, desired, attempt, counts, offenders: fields of
            RolloutStatus.
        rejections: to append to `status.rejected`.
        history: to append to `status.history`.
        placements: DaemonSets to apply, by revision (unchanged ones included).
        delete: revisions whose DaemonSets go.
        requeue_after: seconds until the passing of time alone can change the decision, None for never.
    """

    route: ModelRouteSpec | None
    placements: Mapping[str, Placement]
    delete: frozenset[str]
    story: Story
    counts: NodeCounts
    desired: str | None = None
    attempt: int = 0
    stable: str | None = None
    candidate: str | None = None
    previous: str | None = None
    wave: WaveStatus | None = None
    catching_up: CatchingUp | None = None
    offenders: tuple[str, ...] = ()
    unanswered: str = ""
    approved: str | None = None
    rejections: tuple[Rejection, ...] = ()
    history: tuple[HistoryEntry, ...] = field(default=())
    requeue_after: float | None = None
