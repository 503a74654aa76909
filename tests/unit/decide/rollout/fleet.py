"""A simulated class of devices around the rollout machine: what is written, and what acts on it.

Nothing of the machine is replaced. `Fleet` holds what etcd would (route, status, DaemonSets, reports),
applies a pass's writes one at a time, and lets DaemonSet controller, kubelets and agents act on what
was written. It checks the promises that can be seen at the moment when something is done.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from skerry.api.actions import Mark
from skerry.api.attempt import Attempt
from skerry.api.edgemodel import DEFAULT_RULES, HistoryEntry, Rejection, RolloutStatus, TargetStatus
from skerry.api.edgenode import CandidateState, NodeCandidate, NodeModel, Veto
from skerry.api.placement import Placement, PlacementKind
from skerry.decide.rollout import (
    NodeView,
    RolloutPolicy,
    TargetDecision,
    TargetView,
    decide_target,
)
from skerry.decide.rollout.model import Actions, WaveStep
from skerry.decide.rollout.rejected import next_attempt
from skerry.decide.rollout.retire import OFFLINE_GRACE
from skerry.decide.rollout.waves import needed_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from skerry.api.labels import Selector
    from skerry.api.modelroute import ModelRouteSpec
    from skerry.api.reasons import Cause

MAKEABLE = ("aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc")
START = datetime(2026, 11, 1, tzinfo=UTC)
STEPS = (
    CandidateState.WAITING,
    CandidateState.SMOKE_CHECK,
    CandidateState.SHIFTING,
    CandidateState.SOAKING,
    CandidateState.PASSED,
)


Waves = tuple[int | dict[str, str], ...]
"""Shares in per cent, and rings by labels."""


def steps(waves: Waves) -> tuple[WaveStep, ...]:
    """Return the waves as the machine knows them."""
    return tuple(
        WaveStep(wave) if isinstance(wave, int) else WaveStep(selector=tuple(sorted(wave.items())))
        for wave in waves
    )


def policy(waves: Waves = (5, 50, 100), max_degraded: str = "1", **more: Any) -> RolloutPolicy:
    """Return a policy with waves, limits and controls as given, and short times."""
    return RolloutPolicy(
        waves=steps(waves),
        traffic=(10, 50, 90),
        soak_seconds=60,
        rollback_window_seconds=600,
        min_samples=20,
        rules=DEFAULT_RULES,
        max_degraded_nodes=max_degraded,
        lost_after_seconds=300,
        progress_seconds=600,
        **more,
    )


@dataclass
class Device:
    """One node: its kubelet's pods, its agent's memory, and its report as it lies in etcd.

    Attributes:
        evicted: revisions that the DaemonSet controller took from it when its labels changed.
        tainted: no new pod comes; those that run stay (NoSchedule).
        agent: whether one has ever come up.
    """

    name: str
    shard: int
    labels: dict[str, str] = field(default_factory=dict)
    offline_since: datetime | None = None
    pods: dict[str, bool] = field(default_factory=dict)  # revision -> Ready
    route: ModelRouteSpec | None = None
    state: CandidateState = CandidateState.WAITING
    trying: tuple[str, int] | None = None
    vetoes: set[tuple[str, int]] = field(default_factory=set)
    serving: str | None = None
    reported: NodeModel | None = None
    unreported_crash: bool = False
    evicted: set[str] = field(default_factory=set)
    tainted: bool = False
    agent: bool = True

    @property
    def silent_since(self) -> datetime | None:
        """Return since when the operator hears nothing of it."""
        return self.offline_since or (None if self.agent else START)

    @property
    def left_out(self) -> str:
        """Return why waves pass it over."""
        return "taint a=b:NoSchedule" if self.tainted or not self.agent else ""

    @property
    def online(self) -> bool:
        """Connected to the API server."""
        return self.offline_since is None

    def is_ready(self, revision: str | None) -> bool:
        """Return whether a pod of the revision is Ready."""
        return revision is not None and self.pods.get(revision, False)

    def act(self, *, fails: bool) -> None:
        """Do one step of the agent: try the candidate a bit further, choose who has the traffic."""
        route = self.route
        if route is None:
            return
        tried = (route.candidate.revision, route.candidate.attempt) if route.candidate else None
        if tried != self.trying:
            self.trying, self.state = tried, CandidateState.WAITING
        if tried and tried in self.vetoes:
            self.state = CandidateState.FAILED
        elif tried and self.is_ready(tried[0]) and self.state is not CandidateState.PASSED:
            self.state = STEPS[STEPS.index(self.state) + 1]
            if fails and self.state is CandidateState.SOAKING:
                self.vetoes.add(tried)
                self.state = CandidateState.FAILED
        self.serving = self._choose(route)

    def _choose(self, route: ModelRouteSpec) -> str | None:
        if route.stable is None:
            proven = self.trying and self.state not in {
                CandidateState.WAITING,
                CandidateState.SMOKE_CHECK,
                CandidateState.FAILED,
            }
            return self.trying[0] if self.trying and proven else None
        previous = route.previous.revision if route.previous else None
        order = [route.stable.revision, previous, self.serving, *sorted(self.pods)]
        if (route.stable.revision, route.stable.attempt) in self.vetoes:
            order = [previous, *order]
        return next((revision for revision in order if self.is_ready(revision)), None)

    def report(self) -> None:
        """Write the agent's status; only an online node's write succeeds."""
        route = self.route
        if route is None or not self.online:
            return
        stable = route.stable.revision if route.stable else None
        candidate = None
        if self.trying:
            candidate = NodeCandidate(
                revision=self.trying[0], attempt=self.trying[1], state=self.state
            )
        vetoes = tuple(
            Veto(revision=r, attempt=a, failure_time=START) for r, a in sorted(self.vetoes)
        )
        self.reported = NodeModel(
            namespace="assist", name="intent", observed_route_generation=route.roles_generation,
            serving=self.serving, stable=stable,
            healthy=stable is not None and self.serving == stable,
            candidate=candidate, vetoes=vetoes[-8:],
        )  # fmt: skip


@dataclass
class Fleet:
    """One class of nodes and everything that is written about one EdgeModel on it."""

    policy: RolloutPolicy = field(default_factory=policy)
    now: datetime = START
    desired: str | None = None
    attempt: int = 0
    route: ModelRouteSpec | None = None
    status: TargetStatus | None = None
    rejections: tuple[Rejection, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    daemonsets: dict[str, Placement] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    bad: dict[str, set[str]] = field(default_factory=dict)  # revision -> nodes where it fails
    rolled_back: set[tuple[str, int]] = field(default_factory=set)
    actions: Actions = field(default_factory=Actions)
    causes: dict[tuple[str, str], Cause] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)  # approvals
    other_rings: frozenset[Selector] = frozenset()
    refuses_routes: bool = False  # the API server, by a quota or an admission policy
    refuses_daemonsets: bool = False
    stands: bool = False  # what the operator remembers of that

    # -- the operator ---------------------------------------------------------------------------

    def view(self) -> TargetView:
        """Return what the operator gathers from what is written."""
        nodes = tuple(
            NodeView(
                name=d.name, shard=d.shard, reachable=d.silent_since is None,
                unreachable_since=d.silent_since, model=d.reported, left_out=d.left_out,
                ready_revisions=frozenset(r for r, ready in d.pods.items() if ready and d.online),
                placed_revisions=frozenset(d.pods),
                labels=dict(d.labels),
            )
            for d in self.devices.values()
        )  # fmt: skip
        return TargetView(
            edge_model="intent", hardware_class="x86", desired=self.desired, attempt=self.attempt,
            rejections=self.rejections, route=self.route,
            status=self.status.rollout if self.status else None,
            daemonsets=dict(self.daemonsets), nodes=nodes,
            policy=self.policy, actions=self.actions, makeable=frozenset(MAKEABLE),
            rings_elsewhere=self.other_rings, causes=self.causes, route_stands=self.stands,
        )  # fmt: skip

    def decide(self) -> TargetDecision:
        """Return the decision on the present view, checked."""
        view = self.view()
        decision = decide_target(view, self.now)
        check_widening(view, decision)
        check_controls(view, decision)
        check_unwanted(view, decision)
        return decision

    def writes(self, decision: TargetDecision | None = None) -> Iterator[Callable[[], None]]:
        """Yield the writes of one reconcile, in the contract's order, without those that change nothing.

        Raises:
            AssertionError: when a write breaks a promise.
        """
        made = decision or self.decide()
        route = made.route
        if route is not None and route != self.route:
            made = yield from self._written_or_refused(made, route)
        if self._next_status(made) != self.status or made.rejections or made.history:
            yield partial(self._write_status, made)
        if self.refuses_daemonsets:
            return
        for revision, placement in made.placements.items():
            if self.daemonsets.get(revision) != placement:
                yield partial(self._apply, revision, placement)
        for revision in sorted(made.delete & self.daemonsets.keys()):
            yield partial(self._delete, revision)

    def _written_or_refused(
        self, made: TargetDecision, route: ModelRouteSpec
    ) -> Generator[Callable[[], None], None, TargetDecision]:
        """Yield the route's write; return what is decided once it is known whether the API server takes it."""
        knew, self.stands = self.stands, self.refuses_routes
        if not self.refuses_routes:
            yield partial(self._write_route, route)
        return made if knew == self.stands else self.decide()

    def full_pass(self) -> int:
        """Do all writes of a reconcile at once; return how many there were."""
        writes = list(self.writes())
        for write in writes:
            write()
        return len(writes)

    def _write_route(self, route: ModelRouteSpec) -> None:
        self._check_approved(route)
        self.route = route
        if route.halted:
            self.rolled_back.add((route.halted.revision, route.halted.attempt))

    def _check_approved(self, route: ModelRouteSpec) -> None:
        """Check that with manual promotion a candidate becomes stable only by an unused approval."""
        before = self.route.candidate if self.route else None
        stable = route.stable
        if not self.policy.manual or before is None or stable is None:
            return
        tried = Attempt.of(before)
        if not tried.matches(stable):
            return
        words = {str(mark) for mark in self.actions.promote if mark.attempt == tried} - self.used
        assert words, f"{tried} is promoted without an approval"
        self.used |= words

    @staticmethod
    def _next_status(made: TargetDecision) -> TargetStatus:
        return TargetStatus(
            hardware_class_name="x86", phase=made.story.phase, reason=made.story.cause.reason,
            message=made.story.cause.message, rollout=Fleet._rollout_of(made),
        )  # fmt: skip

    @staticmethod
    def _rollout_of(made: TargetDecision) -> RolloutStatus:
        return RolloutStatus(
            desired=made.desired, attempt=made.attempt, stable=made.stable,
            candidate=made.candidate, previous=made.previous, nodes=made.counts, wave=made.wave,
            catching_up=made.catching_up, offenders=made.offenders, approved=made.approved,
        )  # fmt: skip

    def _write_status(self, made: TargetDecision) -> None:
        self.status = self._next_status(made)
        self.rejections += made.rejections
        self.history += made.history

    def _apply(self, revision: str, placement: Placement) -> None:
        assert self.route is not None, "placed before the route was written"
        assert self.route.placement_of(revision) == placement, "ahead of the route"
        if self.route.candidate and self.route.candidate.revision == revision:
            assert self.route.wave is not None, "widened before the wave was in the route"
        self._check_acknowledged(revision, placement)
        self.daemonsets[revision] = placement

    def _delete(self, revision: str) -> None:
        assert self.route is None or self.route.placement_of(revision) is None, "ahead of the route"
        self._check_acknowledged(revision, None)
        self.daemonsets.pop(revision, None)

    def _check_acknowledged(self, revision: str, after: Placement | None) -> None:
        """Check that no pod is deleted on a node whose gateway may still send it traffic."""
        before = self.daemonsets.get(revision)
        for device in self.devices.values():
            place = (device.shard, device.labels)
            covered = before is not None and before.covers(*place)
            if not covered or (after is not None and after.covers(*place)):
                continue
            route, silent = device.route, device.offline_since
            overdue = silent is not None and self.now - silent >= OFFLINE_GRACE
            if route is None or overdue or not device.is_ready(revision):
                continue
            used = {role.revision for role in (route.stable, route.candidate) if role}
            assert revision not in used, f"{revision} leaves {device.name} before it knows"

    # -- the cluster ----------------------------------------------------------------------------

    def sync(self, device: Device) -> None:
        """Do a step of the DaemonSet controller and kubelet of a node that is online."""
        if not device.online:
            return
        meant = {
            r
            for r, placement in self.daemonsets.items()
            if placement.covers(device.shard, device.labels)
        }
        for revision in sorted(device.pods.keys() - meant):
            was_ready = device.pods.pop(revision)
            if revision not in device.evicted:
                self._check_server_left(device, revision, was_ready=was_ready)
        for revision in device.evicted:
            device.pods.pop(revision, None)
        device.evicted = set()
        for revision in meant if not device.tainted else ():
            device.pods.setdefault(revision, False)

    def relabel(self, device: Device, labels: dict[str, str]) -> None:
        """Change the node's labels as a person does; the DaemonSet controller deletes pods that no longer match.

        No decision can prevent that: a candidate's affinity names the labels of its rings (ADR 0015).
        """
        for revision, placement in self.daemonsets.items():
            stays = placement.covers(device.shard, labels)
            if placement.covers(device.shard, device.labels) and not stays:
                device.evicted |= device.pods.keys() & {revision}
        device.labels = labels

    def _check_server_left(self, device: Device, revision: str, *, was_ready: bool) -> None:
        first_rollout = self.route is None or self.route.stable is None
        # What a first rollout left on a node that was cut off since, and never had traffic there.
        left_over = device.serving is None and (device.route is None or device.route.stable is None)
        if not was_ready or first_rollout or left_over or device.unreported_crash:
            return
        assert any(device.pods.values()), f"{device.name} lost {revision}, its last healthy server"

    def start_pods(self, device: Device) -> None:
        """Make all pods there Ready; this works while cut off."""
        for revision in device.pods:
            device.pods[revision] = True

    def watch(self, device: Device) -> None:
        """Let the agent see the current route, when it is online."""
        if device.online and device.agent and self.route is not None:
            device.route = self.route

    def act(self, device: Device) -> None:
        """Do one step of the agent, which fails a candidate that is bad there."""
        revision = self.route.candidate.revision if self.route and self.route.candidate else ""
        device.act(fails=device.name in self.bad.get(revision, set()))

    def cut(self, device: Device) -> None:
        """Cut the link."""
        device.offline_since = device.offline_since or self.now

    def mend(self, device: Device) -> None:
        """Restore the link."""
        device.offline_since = None

    def retry(self) -> None:
        """Ask for a retry, as the user."""
        self.attempt = next_attempt(self.attempt, self.rejections, self.route)

    def approve(self, nonce: str) -> None:
        """Promote the current candidate, as the user."""
        tried = self.route.candidate if self.route else None
        if tried is not None:
            mark = Mark(Attempt.of(tried), nonce)
            self.actions = replace(self.actions, promote=(mark,))

    def abort(self) -> None:
        """Abort the current candidate, as the user."""
        tried = self.route.candidate if self.route else None
        if tried is not None:
            self.actions = replace(self.actions, abort=frozenset({Attempt.of(tried)}))

    def undo(self) -> None:
        """Undo the current stable revision, as the user."""
        stable = self.route.stable if self.route else None
        if stable is not None:
            self.actions = replace(self.actions, undo=frozenset({Attempt.of(stable)}))

    def lose_status(self) -> None:
        """Lose the status, as a restored backup does: only the route's memory remains."""
        self.status, self.rejections, self.history, self.attempt = None, (), (), 0
        self.used = set()
        halted = self.route.halted if self.route else None
        self.rolled_back = {(halted.revision, halted.attempt)} if halted else set()

    def lose_route(self) -> None:
        """Delete the ModelRoute; no agent has noticed yet. What it alone remembered is forgotten."""
        self.route = None
        self.rolled_back &= {(one.revision, one.attempt) for one in self.rejections}

    def advance(self, seconds: float) -> None:
        """Advance the time."""
        self.now += timedelta(seconds=seconds)

    # -- all at once ----------------------------------------------------------------------------

    def tick(self, seconds: float = 10) -> int:
        """Reconcile once, then let every node act on it and report; return the number of writes."""
        written = self.full_pass()
        for device in self.devices.values():
            self.sync(device)
            self.start_pods(device)
            self.watch(device)
            self.act(device)
            device.report()
        self.check()
        self.advance(seconds)
        return written

    def settle(self, *, deadlines: bool = False, passes: int = 140) -> None:
        """Run until reconciles write nothing any more, with `deadlines` until no deadline is ahead.

        Time jumps to a deadline only by what the decision itself asks for (`requeue_after`).

        Raises:
            AssertionError: it never gets there.
        """
        quiet = 0
        for _ in range(passes):
            quiet = 0 if self.tick() else quiet + 1
            if quiet < len(STEPS) + 2:
                continue
            ahead = self.decide().requeue_after
            if ahead is None or not deadlines:
                return
            self.advance(ahead)
            quiet = 0
        raise AssertionError(f"no fixed point: {self.status} {self.route} {self.daemonsets}")

    def check(self) -> None:
        """Check what must hold at every moment."""
        for device in self.devices.values():
            meant = [
                r
                for r, place in self.daemonsets.items()
                if place.covers(device.shard, device.labels)
            ]
            assert len(meant) <= 2, f"{meant} are meant for {device.name}"
        route = self.route
        if route is None:
            return
        for role in (route.stable, route.candidate):
            pair = (role.revision, role.attempt) if role else None
            assert pair not in self.rolled_back, f"{pair} was rolled back and is in a role again"
        placed = self.daemonsets.get(route.candidate.revision) if route.candidate else None
        assert placed is None or placed.kind is PlacementKind.IN, "candidate outside of its waves"


def check_widening(view: TargetView, decision: TargetDecision) -> None:
    """Check that a candidate's placement grows by no more nodes than its wave needs, and never shrinks."""
    revision, wave = decision.candidate, decision.wave
    placed = decision.placements.get(revision) if revision else None
    if revision is None or placed is None:
        return
    assert wave is not None
    assert placed.kind is PlacementKind.IN
    before = view.placed.get(revision, Placement.only())
    covered = [node for node in view.nodes if before.holds(node)]
    assert all(placed.holds(node) for node in covered), "a wave closed again"
    steps = view.policy.waves[: wave.index + 1]
    in_rings = {n.name for n in view.nodes for s in steps if is_in_ring(s, n)}
    fresh = [
        n for n in view.nodes if placed.holds(n) and n not in covered and n.name not in in_rings
    ]
    if fresh:
        sizes = Counter(node.shard for node in fresh)
        percent = max((s.percent for s in steps if s.percent is not None), default=0)
        assert percent, f"{fresh} are in no ring"
        need = needed_nodes(percent, len(view.nodes))
        assert wave.denominator - max(sizes.values()) < need, f"{placed} is more than {wave}"


def check_unwanted(view: TargetView, decision: TargetDecision) -> None:
    """Check that an unwanted candidate, whose route the API server does not change, reaches no more nodes."""
    revision, wanted = decision.candidate, decision.route and decision.route.candidate
    placed = decision.placements.get(revision or "")
    if revision is None or placed is None or (wanted and wanted.revision == revision):
        return
    before = view.placed.get(revision, Placement.only())
    assert all(before.holds(n) for n in view.nodes if placed.holds(n)), "widened though unwanted"


def is_in_ring(step: WaveStep, node: NodeView) -> bool:
    """Return whether the step is a ring with the node in it."""
    return step.percent is None and all(node.labels.get(k) == v for k, v in step.selector)


def check_controls(view: TargetView, decision: TargetDecision) -> None:
    """Check that a person's controls are respected."""
    if view.policy.suspended:
        check_held(view, decision)
    limit = view.policy.max_concurrent_pulls
    placed = decision.placements.get(decision.candidate or "")
    if limit is None or placed is None:
        return
    before = view.placed.get(decision.candidate or "", Placement.only())
    pulling = [
        n for n in view.nodes
        if n.reachable and not n.left_out and placed.holds(n)
        and decision.candidate not in n.ready_revisions
    ]  # fmt: skip
    fresh = {n.shard for n in pulling if not before.holds(n)}
    assert not fresh or len(fresh) == 1 or len(pulling) <= int(limit), (
        f"{len(pulling)} pull at once"
    )


def check_held(view: TargetView, decision: TargetDecision) -> None:
    """Check that while suspended nothing starts, widens or is promoted; what is bad or unwanted still leaves."""
    route, before = decision.route, view.route
    if route is None or before is None:
        assert route is None or route.candidate is None, "a candidate starts while suspended"
        return
    assert route.candidate is None or (
        before.candidate is not None
        and (route.candidate.revision, route.candidate.attempt)
        == (before.candidate.revision, before.candidate.attempt)
    ), "a candidate starts while suspended"
    assert route.stable == before.stable or route.halted != before.halted, (
        "promoted while suspended"
    )
    placed = decision.placements.get(decision.candidate or "")
    if placed is not None:
        was = view.placed.get(decision.candidate or "")
        assert was is not None, "opened while suspended"
        assert all(was.holds(n) for n in view.nodes if placed.holds(n)), "widened while suspended"
