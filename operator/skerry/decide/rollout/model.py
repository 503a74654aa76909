"""What the rollout machine sees and what it decides, for one target (EdgeModel x hardware class).

The operator gathers a `TargetView` from its snapshot and writes a `TargetDecision` in this order, each
write possibly the last (the operator may be killed between any two): 1. the ModelRoute, which holds roles,
wave and placements, 2. the EdgeModel's status, 3. DaemonSets applied, 4. DaemonSets deleted. The next reconcile
sees only what was written, and the machine is right from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
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
    from skerry.api.labels import Selector
    from skerry.api.modelroute import ModelRouteSpec, RouteCandidate
    from skerry.api.placement import Placement
    from skerry.api.reasons import Cause


@dataclass(frozen=True)
class WaveStep:
    """One step of a rollout: a share of the class (`percent`), or a ring (`selector`)."""

    percent: int | None = None
    selector: Selector = ()

    def __str__(self) -> str:
        """Return the step for people: `25 %`, or `ring site=north`."""
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
            An agent reports the generation of the roles that it acts on (`observed_route`).
        ready_revisions: revisions of this EdgeModel that have a Ready pod there, as last seen.
        placed_revisions: revisions of this EdgeModel that have a pod there, Ready or not.
        labels: of the Node; rings select by them.
        agent_awaited: no agent has beaten yet, and the node is not left out for it so far.
        left_out: why waves pass the node over, in words: a taint, or no agent; empty for all others.
        silent_seconds: for how long it has been silent, as of the last list that succeeded; None:
            since `unreachable_since`, until now.
        renewed_lately: its agent renewed its Lease lately, so that it counts against losses elsewhere.
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
    renewed_lately: bool = True
    agent_awaited: bool = False


@dataclass(frozen=True)
class Wave:
    """The candidate's present wave.

    Attributes:
        index: from 0.
        opened_at: nodes that were offline before are skipped; those lost since hold it.
        opened: where the candidate's servers are meant to be, as the route says it before this reconcile.
        planned: what the wave shall open, `opened` included.
    """

    candidate: RouteCandidate
    index: int
    opened_at: datetime
    opened: Placement
    planned: Placement


@dataclass(frozen=True)
class TargetView:
    """Everything except the time that a decision about one target depends on.

    Attributes:
        edge_model: name of the EdgeModel.
        hardware_class: name of the class.
        desired: revision that the spec asks for; None while it is being built or fails its gates.
        attempt: raised by a retry (see `next_attempt`); a rejection holds for its attempt and those
            before it.
        rejections: `status.rejected` (entries of other classes are ignored).
        status: this target's rollout in the EdgeModel's status as last written, None when there is none.
        route: `spec` of the ModelRoute as observed, None when there is none.
        daemonsets: what the DaemonSets of this target cover, by revision; they may lag behind the route.
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
    daemonsets: Mapping[str, Placement]
    nodes: tuple[NodeView, ...]
    policy: RolloutPolicy
    actions: Actions = Actions()
    makeable: frozenset[str] = frozenset()
    rings_elsewhere: frozenset[Selector] = frozenset()
    causes: Mapping[tuple[str, str], Cause] = field(default_factory=dict)
    edge_model_uid: str | None = None
    route_stands: bool = False

    @property
    def roles_generation(self) -> int:
        """What an agent acknowledges that acts on the route; 0 when there is none."""
        return self.route.roles_generation if self.route else 0

    @cached_property
    def placed(self) -> Mapping[str, Placement]:
        """Where servers of each revision are meant to be or may still be.

        The route decides for a revision with a role. For any other its DaemonSet counts too: where it lags
        behind, nodes may still need it. Without a route the DaemonSets decide.
        """
        route = self.route
        if route is None:
            return self.daemonsets
        roles = {role.revision for role in (route.stable, route.candidate, route.previous) if role}
        found = dict(self.daemonsets)
        for entry in route.placements:
            covered = found.get(entry.revision)
            if entry.revision in roles:
                found[entry.revision] = entry.placement
            elif covered is not None:
                found[entry.revision] = entry.placement.union(covered)
        return found


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
        placements: DaemonSets to apply, by revision (unchanged ones included), as the route says that
            stands once this reconcile is written.
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
