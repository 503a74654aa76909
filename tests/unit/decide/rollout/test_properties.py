"""Any order of events, kills between any two writes, nodes that come and go: what always holds.

The machine writes through `Fleet`, which checks the promises at each step; at the end of each run the
events stop, all nodes return, and everything must converge.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from skerry.api.attempt import Attempt
from skerry.api.rollout import Standby
from skerry.decide.rollout.rejected import is_rejected
from tests.unit.decide.rollout.fleet import Device, Fleet, Waves, policy, steps

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.timeout(2.4 * settings().max_examples)  # 20,000 steps of 50 examples

REVISIONS = ("aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc")
MOST_NODES = 6
RING_A, RING_B = (("ring", "a"),), (("ring", "b"),)
WAVES: tuple[Waves, ...] = (
    (5, 50, 100),
    (50, 100),
    (100,),
    ({"ring": "a"}, 100),
    ({"ring": "a"}, 50, {"ring": "b"}, 100),
    (20, {"ring": "b"}, {"ring": "a"}, 100),
)
picks = st.integers(min_value=0, max_value=MOST_NODES - 1)


class Rollout(RuleBasedStateMachine):
    """Users, operator, network, kubelets and agents, each one step at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet()
        self.pending: list[Callable[[], None]] = []
        self.made = 0

    @initialize(
        nodes=st.lists(st.integers(0, 63), min_size=1, max_size=MOST_NODES),
        waves=st.sampled_from(WAVES),
        max_degraded=st.sampled_from(["1", "2", "50%"]),
        promoted=st.booleans(),
        standby=st.sampled_from(Standby),
        pulls=st.sampled_from([None, None, "1", "3"]),
    )
    def set_up(
        self,
        nodes: list[int],
        waves: Waves,
        max_degraded: str,
        standby: Standby,
        pulls: str | None,
        *,
        promoted: bool,
    ) -> None:
        """Make a class, empty or with a first revision promoted."""
        more = {"standby": standby, "max_concurrent_pulls": pulls}
        self.fleet.policy = policy(waves, max_degraded, **more)
        for shard in nodes:
            self._add(shard)
        if promoted:
            self.fleet.desired = REVISIONS[0]
            self.fleet.settle()

    # -- users ----------------------------------------------------------------------------------

    @rule(revision=st.sampled_from([*REVISIONS, *REVISIONS[1:], None]))
    def change_spec(self, revision: str | None) -> None:
        """Change the desired revision; None while a build is under way."""
        self.fleet.desired = revision

    @rule(revision=st.sampled_from(REVISIONS), nodes=st.sets(picks, min_size=1))
    def break_revision(self, revision: str, nodes: set[int]) -> None:
        """Make a revision fail in the field there."""
        self.fleet.bad[revision] = {self._pick(n).name for n in nodes if self.fleet.devices}

    @rule()
    def retry(self) -> None:
        """Ask for a retry at any time."""
        self.fleet.retry()

    @rule(manual=st.booleans(), suspended=st.sampled_from([False, False, True]))
    def change_controls(self, *, manual: bool, suspended: bool) -> None:
        """Change `promotion` and `suspend` at any time, also while writes of a reconcile are pending."""
        if not self.pending:
            self.fleet.policy = replace(self.fleet.policy, manual=manual, suspended=suspended)

    @precondition(lambda self: not self.pending)
    @rule(standby=st.sampled_from(Standby), waves=st.sampled_from(WAVES))
    def change_rollout(self, standby: Standby, waves: Waves) -> None:
        """Change `standby` and `waves` in flight."""
        self.fleet.policy = replace(self.fleet.policy, standby=standby, waves=steps(waves))

    @precondition(lambda self: not self.pending)
    @rule(what=st.sampled_from(["approve", "abort", "undo"]))
    def act_by_hand(self, what: str) -> None:
        """Promote, abort or undo what is there now; the annotation stays."""
        if what == "approve":
            self.made += 1
            self.fleet.approve(str(self.made))
        else:
            getattr(self.fleet, what)()

    @precondition(lambda self: not self.pending and self.fleet.devices)
    @rule(n=picks, ring=st.sampled_from(["a", "b", None]))
    def relabel(self, n: int, ring: str | None) -> None:
        """Add a node to a ring, or remove it."""
        self.fleet.relabel(self._pick(n), {"ring": ring} if ring else {})

    @rule(known=st.booleans())
    def other_class(self, *, known: bool) -> None:
        """Give another class nodes in the rings, or none."""
        if not self.pending:
            self.fleet.other_rings = frozenset({RING_A, RING_B} if known else ())

    @precondition(lambda self: not self.pending)
    @rule(shard=st.integers(0, 63), n=picks, joins=st.booleans())
    def node_comes_or_goes(self, shard: int, n: int, *, joins: bool) -> None:
        """Add or remove a node, but not within a reconcile: a snapshot can't know a node that comes after it."""
        if joins and len(self.fleet.devices) < MOST_NODES:
            self._add(shard)
        elif self.fleet.devices:
            del self.fleet.devices[self._pick(n).name]

    # -- the operator ---------------------------------------------------------------------------

    @precondition(lambda self: not self.pending)
    @rule()
    def begin_pass(self) -> None:
        """Gather and decide; the writes wait."""
        for device in self.fleet.devices.values():
            message = device.reported is not None and device.reported.serving == device.serving
            # An agent that has not acted since the crash has not seen it either.
            seen = device.serving is None or device.is_ready(device.serving)
            device.unreported_crash = device.unreported_crash and not (message and seen)
        self.pending = list(self.fleet.writes())

    @precondition(lambda self: self.pending)
    @rule()
    def write_one(self) -> None:
        """Do the next write of the reconcile."""
        self.pending.pop(0)()

    @precondition(lambda self: self.pending)
    @rule()
    def kill_operator(self) -> None:
        """Kill the operator between two writes."""
        self.pending = []
        self.fleet.stands = False

    @precondition(lambda self: not self.pending)
    @rule()
    def whole_pass(self) -> None:
        """Do a whole reconcile, undisturbed."""
        self.begin_pass()
        while self.pending:
            self.write_one()

    @precondition(lambda self: not self.pending)
    @rule(refuses=st.sampled_from([False, False, True]))
    def refuse_routes(self, *, refuses: bool) -> None:
        """Let the API server refuse ModelRoutes, or take them again; all else is written."""
        self.fleet.refuses_routes = refuses

    @precondition(lambda self: not self.pending)
    @rule(refuses=st.sampled_from([False, False, True]))
    def refuse_daemonsets(self, *, refuses: bool) -> None:
        """Let the API server refuse DaemonSets, which then lag behind the route, or take them again."""
        self.fleet.refuses_daemonsets = refuses

    @precondition(lambda self: not self.pending)
    @rule()
    def lose_route(self) -> None:
        """Delete the route."""
        self.fleet.lose_route()

    @precondition(lambda self: not self.pending)
    @rule()
    def lose_status(self) -> None:
        """Lose the status, as a restored backup does."""
        self.fleet.lose_status()

    # -- the devices ----------------------------------------------------------------------------

    @precondition(lambda self: self.fleet.devices)
    @rule(nodes=st.sets(picks, min_size=1), up=st.booleans())
    def links(self, nodes: set[int], *, up: bool) -> None:
        """Cut off nodes, or let them return."""
        for n in nodes:
            (self.fleet.mend if up else self.fleet.cut)(self._pick(n))

    @precondition(lambda self: self.fleet.devices)
    @rule(n=picks, tainted=st.booleans())
    def taint(self, n: int, *, tainted: bool) -> None:
        """Add or remove a taint that nothing of Skerry's tolerates."""
        self._pick(n).tainted = tainted

    @precondition(lambda self: self.fleet.devices)
    @rule(n=picks)
    def agent_never_comes(self, n: int) -> None:
        """Leave a node without an agent where none was; once it has one, it falls silent like other nodes."""
        device = self._pick(n)
        device.agent = device.route is not None

    @precondition(lambda self: self.fleet.devices)
    @rule(n=picks, what=st.sampled_from(["sync", "start_pods", "watch", "act", "report"]))
    def device_step(self, n: int, what: str) -> None:
        """Let one part of one node do one step, in any order."""
        device = self._pick(n)
        if what == "report":
            device.report()
        else:
            getattr(self.fleet, what)(device)

    @precondition(lambda self: self.fleet.devices)
    @rule(n=picks, revision=st.sampled_from(REVISIONS))
    def pod_crashes(self, n: int, revision: str) -> None:
        """Crash a pod; until the agent has reported, its absence is due to the crash."""
        device = self._pick(n)
        if device.is_ready(revision):
            device.pods[revision] = False
            device.unreported_crash = True

    @precondition(lambda self: self.fleet.devices)
    @rule(n=picks)
    def stable_fails(self, n: int) -> None:
        """Fail stable after promotion, while the guard is armed."""
        device = self._pick(n)
        if device.route and device.route.stable and device.route.previous:
            stable = device.route.stable
            device.vetoes.add((stable.revision, stable.attempt))

    @rule()
    def all_devices(self) -> None:
        """Let kubelets, pods and agents of all nodes do a step each."""
        for device in self.fleet.devices.values():
            self.fleet.sync(device)
            self.fleet.start_pods(device)
            self.fleet.watch(device)
            self.fleet.act(device)
            device.report()

    @precondition(lambda self: not self.pending)
    @rule(ticks=st.integers(1, 16), seconds=st.sampled_from([10, 30, 100]))
    def time_passes(self, ticks: int, seconds: int) -> None:
        """Let everyone act for a while, so that a run gets to the later waves."""
        for _ in range(ticks):
            self.whole_pass()
            self.all_devices()
            self.fleet.advance(seconds)

    @precondition(lambda self: not self.pending and self.fleet.devices)
    @rule(
        first=st.sampled_from(REVISIONS),
        then=st.sampled_from(REVISIONS),
        ticks=st.integers(1, 6),
        cut=st.sets(picks),
    )
    def change_in_flight(self, first: str, then: str, ticks: int, cut: set[int]) -> None:
        """Change the desired revision while a rollout is under way and links go down."""
        self.fleet.desired = first
        self.time_passes(ticks, 10)
        for n in cut:
            self.fleet.cut(self._pick(n))
        self.fleet.desired = then
        self.time_passes(3, 10)

    @rule(seconds=st.integers(1, 1000))
    def clock(self, seconds: int) -> None:
        """Advance the time alone."""
        self.fleet.advance(seconds)

    # -- what holds -----------------------------------------------------------------------------

    @invariant()
    def promises(self) -> None:
        """Check what must hold at every moment."""
        self.fleet.check()

    def teardown(self) -> None:
        """Check liveness: nothing happens any more, all nodes return, and the fleet converges."""
        fleet = self.fleet
        for device in fleet.devices.values():
            fleet.mend(device)
            device.tainted, device.agent = False, True
        self.all_devices()
        for device in fleet.devices.values():
            device.unreported_crash = False
        fleet.other_rings = frozenset({RING_A, RING_B})
        fleet.refuses_routes = fleet.refuses_daemonsets = False
        fleet.policy = replace(fleet.policy, manual=False, suspended=False)
        fleet.desired = fleet.desired or REVISIONS[0]
        fleet.settle(deadlines=True)
        check_converged(fleet)

    def _add(self, shard: int) -> None:
        self.made += 1
        name = f"node-{self.made}"
        ring = ("a", "b", None)[shard % 3]
        self.fleet.devices[name] = Device(name, shard, {"ring": ring} if ring else {})

    def _pick(self, n: int) -> Device:
        devices = list(self.fleet.devices.values())
        return devices[n % len(devices)]


def check_converged(fleet: Fleet) -> None:
    """Check that desired is stable everywhere, or that it was rolled back and an earlier one is."""
    route, desired = fleet.route, fleet.desired
    if not fleet.devices:
        return
    assert desired is not None
    if route is None:
        assert is_rejected(fleet.view(), Attempt(desired, fleet.attempt)), "nothing needs one"
        assert not fleet.daemonsets
        return
    assert route.candidate is None, f"{route} {fleet.status}"
    stable = route.stable.revision if route.stable else None
    if stable != desired:
        assert is_rejected(fleet.view(), Attempt(desired, fleet.attempt)), f"{route} {fleet.status}"
    assert route.previous is None, f"{route} {fleet.status}"
    assert fleet.daemonsets.keys() == ({stable} if stable else set())
    assert {device.serving for device in fleet.devices.values()} == {stable}
    assert fleet.full_pass() == 0


Rollout.TestCase.settings = settings(
    max_examples=int(1.5 * settings().max_examples),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestRollout = Rollout.TestCase
