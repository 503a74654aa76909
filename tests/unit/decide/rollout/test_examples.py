"""Each named situation of a rollout, given-when-then, on the simulated fleet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from skerry.api.edgemodel import Outcome, Phase
from skerry.api.modelroute import RoutePlacement
from skerry.api.placement import Placement, PlacementKind, Ring
from skerry.decide.rollout import NodeView, decide_target
from skerry.decide.rollout.guard import chance_threshold
from skerry.decide.rollout.retire import OFFLINE_GRACE
from tests.unit.decide.rollout.fleet import Device, Fleet, Waves, policy

A, B, C = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"


def fleet(nodes: int, waves: tuple[int, ...] = (5, 50, 100), max_degraded: str = "1") -> Fleet:
    made = Fleet(policy=policy(waves, max_degraded))
    made.devices = {f"n{i}": Device(f"n{i}", i) for i in range(nodes)}
    return made


def serving(nodes: int, waves: tuple[int, ...] = (5, 50, 100), max_degraded: str = "1") -> Fleet:
    """Return a fleet with A promoted everywhere."""
    made = fleet(nodes, waves, max_degraded)
    made.desired = A
    made.settle()
    return made


def servers(made: Fleet) -> set[str | None]:
    return {device.serving for device in made.devices.values()}


def test_first_rollout_has_waves_and_no_stable() -> None:
    made = fleet(4)
    made.desired = A
    made.tick()
    assert made.route is not None
    assert made.route.stable is None
    assert made.route.candidate is not None
    assert made.route.candidate.revision == A
    assert len(made.daemonsets[A].shards) == 1
    made.settle()
    assert servers(made) == {A}
    assert made.daemonsets == {A: Placement()}


def test_first_rollout_that_fails_leaves_nothing() -> None:
    made = fleet(2)
    made.desired, made.bad = A, {A: {"n0", "n1"}}
    made.settle()
    assert made.route is not None
    assert made.route.stable is None
    assert made.daemonsets == {}
    assert made.status is not None
    assert made.status.phase is Phase.ROLLED_BACK


def test_each_wave_opens_only_after_the_one_before() -> None:
    made, seen = serving(8), []
    made.desired = B
    for _ in range(30):
        made.tick()
        placed = made.daemonsets.get(B, Placement.only())
        seen.append(len(placed.shards) if placed.kind is PlacementKind.IN else 64)
    assert sorted(set(seen)) == [1, 4, 8, 64]
    assert seen == sorted(seen)


def test_promotion_keeps_the_previous_revision_until_its_window_ends() -> None:
    made = serving(3)
    made.desired = B
    made.settle()
    assert made.daemonsets == {A: Placement(), B: Placement()}
    assert made.status is not None
    assert (made.status.rollout.stable, made.status.rollout.previous) == (B, A)
    made.settle(deadlines=True)
    assert made.daemonsets == {B: Placement()}
    assert [entry.outcome for entry in made.history] == [Outcome.PROMOTED, Outcome.PROMOTED]


def test_rollback_is_one_route_write_then_nodes_acknowledge_then_pods_go() -> None:
    made = serving(4)
    made.desired, made.bad = B, {B: set(made.devices)}
    while made.route is None or made.route.halted is None:
        made.tick()
        assert made.route is not None
    assert made.route.stable is not None
    assert (made.route.stable.revision, made.route.candidate) == (A, None)
    assert B in made.daemonsets, "pods go only after the nodes have seen the route"
    made.settle()
    assert B not in made.daemonsets
    assert [(r.revision, r.attempt) for r in made.rejections] == [(B, 0)]
    assert [entry.outcome for entry in made.history] == [Outcome.PROMOTED, Outcome.ROLLED_BACK]


def test_a_rejected_revision_is_tried_again_only_by_a_retry() -> None:
    made = serving(2)
    made.desired, made.bad = B, {B: set(made.devices)}
    made.settle()
    made.settle(deadlines=True)
    assert servers(made) == {A}
    made.retry()
    made.bad = {}
    made.settle()
    assert servers(made) == {B}
    assert made.route is not None
    assert made.route.stable is not None
    assert made.route.stable.attempt == 1


def test_a_fail_after_promotion_goes_back_to_previous() -> None:
    made = serving(3)
    made.desired = B
    made.settle()
    made.devices["n1"].vetoes.add((B, 0))
    made.settle()
    assert servers(made) == {A}
    assert made.daemonsets == {A: Placement()}
    assert [rejection.revision for rejection in made.rejections] == [B]


def test_silence_after_promotion_never_rolls_back() -> None:
    made = serving(3)
    made.desired = B
    made.settle()
    for device in made.devices.values():
        made.cut(device)
    made.settle(deadlines=True)
    assert made.route is not None
    assert made.route.stable is not None
    assert made.route.stable.revision == B
    assert not made.rejections


def test_a_failed_node_does_not_reach_a_higher_bar() -> None:
    made = serving(4, waves=(100,), max_degraded="2")
    made.desired, made.bad = B, {B: {"n0"}}
    made.settle()
    assert made.route is not None
    assert made.route.stable is not None
    assert made.route.stable.revision == B
    assert made.devices["n0"].serving == A, "its veto holds as long as there is something else"
    made.settle(deadlines=True)
    assert made.daemonsets == {B: Placement()}, "a day after its window previous goes all the same"


def test_a_node_offline_before_is_skipped_and_catches_up() -> None:
    made = serving(4)
    made.cut(made.devices["n2"])
    made.advance(1)
    made.desired = B
    made.settle()
    assert made.status is not None
    assert made.status.rollout.stable == B
    made.advance(650)
    for _ in range(5):
        made.tick()
    assert made.daemonsets[A].covers(2), "its old server waits for it"
    assert not made.daemonsets[A].covers(1)
    made.mend(made.devices["n2"])
    made.settle(deadlines=True)
    assert servers(made) == {B}


def test_an_offline_node_holds_previous_no_longer_than_the_deadline() -> None:
    made = serving(3)
    made.cut(made.devices["n2"])
    made.advance(1)
    made.desired = B
    made.settle()
    assert made.route is not None
    assert made.route.previous is not None
    until = made.route.previous.expiration_time
    made.now = until + OFFLINE_GRACE - timedelta(minutes=10)
    made.settle()
    assert A in made.daemonsets
    made.now = until + OFFLINE_GRACE
    made.settle()
    assert A not in made.daemonsets


@pytest.mark.parametrize("why", ["stable does not answer", "tainted"])
def test_a_reachable_node_keeps_what_serves_it_while_nothing_waits_for_its_room(why: str) -> None:
    made = serving(3)
    device = made.devices["n2"]
    device.tainted = why == "tainted"
    made.desired = B
    made.settle()
    device.pods.pop(B, None)
    made.act(device)
    device.report()
    assert made.route is not None
    assert made.route.previous is not None
    made.now = made.route.previous.expiration_time + OFFLINE_GRACE
    for _ in range(8):
        made.full_pass()
        made.watch(device)
        made.act(device)
        device.report()
    assert device.serving == A
    assert made.daemonsets[A].covers(device.shard)
    device.tainted = False
    made.settle(deadlines=True)
    assert made.daemonsets == {B: Placement()}


def test_a_node_offline_before_never_gets_what_was_rolled_back() -> None:
    made = serving(4)
    made.cut(made.devices["n2"])
    made.advance(1)
    made.desired, made.bad = B, {B: set(made.devices)}
    made.settle()
    made.mend(made.devices["n2"])
    made.settle()
    assert B not in made.devices["n2"].pods
    assert made.devices["n2"].serving == A


def test_a_node_lost_since_holds_the_wave_when_others_are_lost_too() -> None:
    made = serving(4, waves=(50, 100))
    made.desired = B
    made.tick()
    for name in ("n0", "n1", "n2"):
        made.cut(made.devices[name])
    for device in made.devices.values():
        if not made.daemonsets[B].covers(device.shard):
            made.cut(device)
    made.advance(400)
    for _ in range(10):
        made.tick()
    assert made.status is not None
    assert (made.status.rollout.candidate, made.status.reason) == (B, "NodesLost")
    assert not made.rejections


def test_a_candidate_that_alone_loses_nodes_is_rolled_back() -> None:
    made = serving(4, waves=(25, 100))
    made.desired = B
    made.tick()
    lost = next(d for d in made.devices.values() if made.daemonsets[B].covers(d.shard))
    made.advance(1)
    made.cut(lost)
    made.advance(299)
    made.tick(0)
    assert not made.rejections, "not before lostAfter"
    made.advance(1)
    made.settle()
    assert [(r.revision, r.rule) for r in made.rejections] == [(B, "Lost")]


def test_a_wave_without_a_pass_never_promotes() -> None:
    made = serving(2, waves=(100,))
    made.desired = B
    for device in made.devices.values():
        made.cut(device)
    for _ in range(30):
        made.tick()
    assert made.route is not None
    assert made.route.stable is not None
    assert made.route.stable.revision == A


@pytest.mark.parametrize("back_to", [A, C])
def test_a_candidate_is_superseded(back_to: str) -> None:
    made = serving(4)
    made.desired = B
    for _ in range(3):
        made.tick()
    made.desired = back_to
    made.settle(deadlines=True)
    assert servers(made) == {back_to}
    assert Outcome.SUPERSEDED in {e.outcome for e in made.history if e.revision == B}
    assert not made.rejections


def test_going_back_to_previous_swaps_at_once() -> None:
    made = serving(4)
    made.desired = B
    made.settle()
    made.desired = A
    made.tick()
    assert made.route is not None
    assert made.route.stable is not None
    assert made.route.previous is not None
    assert (made.route.stable.revision, made.route.previous.revision) == (A, B)
    made.settle()
    assert servers(made) == {A}


def test_no_fallback_keeps_the_candidate_where_stable_is_down() -> None:
    made = serving(1)
    made.desired = B
    for _ in range(4):
        made.tick()
    device = made.devices["n0"]
    device.pods[A] = False
    made.act(device)
    device.report()
    made.desired = A
    for _ in range(6):
        made.full_pass()
        made.sync(device)
        made.watch(device)
        made.act(device)
        device.report()
    assert device.serving == B
    assert made.status is not None
    assert made.status.reason == "NoFallback"
    assert made.daemonsets[A] == Placement()
    made.settle()
    assert device.serving == A
    assert B not in made.daemonsets


def test_a_class_without_nodes_says_so_and_starts_nothing() -> None:
    made = fleet(0)
    made.desired = A
    made.settle()
    assert made.route is None
    assert made.status is not None
    assert (made.status.phase, made.status.reason) == (Phase.PENDING, "NoNodes")


def test_a_new_node_in_an_unopened_shard_gets_stable() -> None:
    made = serving(4, waves=(20, 100))
    made.desired = B
    made.tick()
    fresh = next(s for s in range(64) if s > 3)
    made.devices["new"] = Device("new", fresh)
    made.full_pass()
    made.sync(made.devices["new"])
    assert set(made.devices["new"].pods) == {A}


def test_a_new_candidate_takes_the_place_of_previous() -> None:
    made = serving(4)
    made.desired = B
    made.settle()
    made.desired = C
    made.settle()
    assert servers(made) == {C}
    assert made.daemonsets == {B: Placement(), C: Placement()}


def test_nothing_is_rolled_out_or_lost_while_the_spec_is_built() -> None:
    made = serving(3)
    made.desired = None
    made.settle()
    assert servers(made) == {A}
    assert made.status is not None
    assert made.status.reason == "AwaitingBuild"


def test_a_halted_revision_stays_away_when_the_status_is_lost() -> None:
    made = serving(3)
    made.desired, made.bad = B, {B: set(made.devices)}
    made.settle()
    made.lose_status()
    made.settle()
    assert servers(made) == {A}
    assert [rejection.revision for rejection in made.rejections] == [B]


def test_a_lost_status_reads_the_wave_off_the_placement() -> None:
    made = serving(8)
    made.desired = B
    while (
        made.status is None
        or made.status.rollout.wave is None
        or made.status.rollout.wave.index < 1
    ):
        made.tick()
    opened = made.daemonsets[B]
    made.lose_status()
    made.full_pass()
    assert made.daemonsets[B] == opened
    assert made.status is not None
    assert made.status.rollout.wave is not None
    assert made.status.rollout.wave.index == 1


def test_a_lost_route_is_restored_around_what_serves() -> None:
    made = serving(3)
    made.lose_route()
    made.settle()
    assert made.route is not None
    assert made.route.stable is not None
    assert made.route.stable.revision == A


def second_wave(made: Fleet) -> Placement:
    """Open B's second wave; return what it covers."""
    made.desired = B
    while made.route is None or made.route.wave is None or made.route.wave.index < 1:
        made.tick()
    return made.daemonsets[B]


@pytest.mark.parametrize("status", ["kept", "lost too"])
def test_a_route_that_is_lost_in_a_wave_continues_with_it(status: str) -> None:
    made = serving(8)
    opened = second_wave(made)
    before = made.route
    assert before is not None
    made.lose_route()
    if status == "lost too":
        made.lose_status()
    made.full_pass()
    assert made.route is not None
    assert made.route.wave is not None
    assert made.route.placement_of(B) == opened
    assert made.route.wave.index == 1
    assert made.route.roles_generation > before.roles_generation, "what agents said was of others"
    made.settle()
    assert servers(made) == {B}


def test_a_wild_report_does_not_end_the_generations_of_a_lost_route() -> None:
    made = serving(2)
    assert made.route is not None
    before = made.route.roles_generation
    reported = made.devices["n0"].reported
    assert reported is not None
    wild = reported.model_copy(update={"observed_route_generation": 2**63 - 1})
    made.devices["n0"].reported = wild
    made.lose_route()
    made.full_pass()
    assert made.route is not None
    assert made.route.roles_generation == before + 1


def test_a_wave_that_opens_asks_no_node_for_another_report() -> None:
    made = serving(8)
    second_wave(made)
    first = made.route
    assert first is not None
    assert first.roles_generation == made.view().roles_generation
    while made.route is not None and made.route.wave == first.wave:
        made.tick()
    assert made.route is not None
    assert made.route.wave is not None
    assert made.route.wave.index == 2
    assert made.route.roles_generation == first.roles_generation


def test_a_daemonset_follows_the_route_after_a_kill_between_them() -> None:
    made = serving(8)
    made.desired = B
    opened = None
    while opened is None:
        route, *_ = made.writes()
        route()
        opened = made.route and made.route.placement_of(B)
    assert B not in made.daemonsets
    made.full_pass()
    assert made.daemonsets[B] == opened


def test_no_third_copy_comes_while_a_daemonset_lags_behind_the_route() -> None:
    """B's nodes release it, and its DaemonSet can't be deleted: C has no room before it is."""
    made = serving(4)
    in_flight(made, B)
    made.refuses_daemonsets = True
    made.desired = C
    for _ in range(8):
        made.tick()
    assert made.route is not None
    assert made.route.placement_of(B) is None
    opened = made.route.placement_of(C)
    assert opened is None or not opened.reaches(next(iter(made.daemonsets[B].shards)))
    made.refuses_daemonsets = False
    made.settle()
    assert servers(made) == {C}


def test_killing_the_operator_after_any_write_ends_the_same() -> None:
    for at in range(30):
        made = serving(4)
        made.desired, killed = B, False
        count = 0
        for _ in range(40):
            for write in list(made.writes()):
                write()
                count += 1
                if count == at and not killed:
                    killed = True
                    break
            for device in made.devices.values():
                made.sync(device)
                made.start_pods(device)
                made.watch(device)
                made.act(device)
                device.report()
            made.check()
            made.advance(10)
        assert servers(made) == {B}
        outcomes = [entry.outcome for entry in made.history]
        assert outcomes == [Outcome.PROMOTED, Outcome.PROMOTED]


@pytest.mark.parametrize(
    ("expected", "bar"), [(0.0, 1), (0.001, 1), (0.01, 1), (0.1, 2), (1.0, 5), (10.0, 19)]
)
def test_the_bar_by_chance(expected: float, bar: int) -> None:
    assert chance_threshold(expected) == bar


def test_the_bar_by_chance_has_no_jump_where_the_formula_changes() -> None:
    assert abs(chance_threshold(499.9) - chance_threshold(500.1)) <= 3


def in_flight(made: Fleet, revision: str) -> Device:
    """Open the revision's first wave; return its node, which has seen it."""
    made.desired = revision
    for _ in range(3):
        made.tick()
    opened = made.daemonsets[revision]
    return next(d for d in made.devices.values() if opened.covers(d.shard))


def node_of(made: Fleet, device: Device) -> NodeView:
    return next(node for node in made.view().nodes if node.name == device.name)


def shard_half_offline() -> tuple[Fleet, Device, Device]:
    """Make C desired while two nodes of one shard have A and B; return the offline node and its neighbor."""
    made = serving(4)
    device = in_flight(made, B)
    neighbor = made.devices["neighbor"] = Device("neighbor", device.shard)
    for _ in range(3):
        made.tick()
    made.cut(device)
    made.advance(1)
    made.desired = C
    return made, device, neighbor


def test_an_offline_node_keeps_a_superseded_candidate_until_it_knows() -> None:
    made = serving(4)
    device = in_flight(made, B)
    made.cut(device)
    made.desired = A
    made.settle()
    assert made.daemonsets[B].shards == {device.shard}, "its gateway may still send B traffic"
    made.mend(device)
    made.settle()
    assert B not in made.daemonsets


def test_promotion_does_not_wait_for_an_offline_node_that_holds_a_third_revision() -> None:
    made = serving(4)
    device = in_flight(made, B)
    made.cut(device)
    made.advance(1)
    made.desired = C
    made.settle()
    assert made.status is not None
    assert (made.status.rollout.stable, made.status.reason) == (C, "Serving")
    assert not made.daemonsets[C].holds(node_of(made, device)), "two revisions are held there"
    assert made.daemonsets[B].shards == {device.shard}, "its gateway may still send B traffic"
    made.mend(device)
    made.settle()
    assert servers(made) == {C}
    assert made.daemonsets[C] == Placement()


def test_a_neighbor_of_an_offline_node_keeps_a_server_until_stable_comes() -> None:
    """Both nodes of a shard have A and B; one goes away, and stable C has no room there until B is gone."""
    made, _, neighbor = shard_half_offline()
    made.settle(deadlines=True)
    assert neighbor.serving == C, "a day later the offline node is waited for no longer"
    assert made.daemonsets == {C: Placement()}


def test_a_rollout_starts_though_an_offline_node_holds_what_was_there_of_it() -> None:
    made = serving(4)
    made.cut(made.devices["n2"])
    made.advance(1)
    made.desired = B
    made.settle()
    made.desired = C
    made.settle()
    made.desired = A
    made.settle()
    assert made.status is not None
    assert made.status.rollout.stable == A


def test_a_rejection_outlives_another_rollout() -> None:
    made = serving(3)
    made.desired, made.bad = B, {B: set(made.devices)}
    made.settle()
    made.desired = C
    made.settle(deadlines=True)
    made.desired, made.bad = B, {}
    made.settle()
    assert servers(made) == {C}
    assert made.status is not None
    assert made.status.phase is Phase.ROLLED_BACK


def test_a_halt_is_remembered_by_the_status_before_anything_else_starts() -> None:
    made = serving(3)
    made.desired, made.bad = B, {B: set(made.devices)}
    while (route := made.decide().route) is None or route.halted is None:
        made.tick()
    for _ in range(2):
        next(iter(made.writes()))()  # killed after the first write, again and again
        made.desired = C
    made.settle()
    assert [rejection.revision for rejection in made.rejections] == [B]
    assert servers(made) == {C}


def with_rings(*rings: str, waves: Waves = ({"ring": "a"}, 100)) -> Fleet:
    """Return a fleet whose nodes of one shard are each in a ring."""
    made = Fleet(policy=policy(waves))
    made.devices = {
        f"n{number}": Device(f"n{number}", 0, {"ring": ring}) for number, ring in enumerate(rings)
    }
    return made


def test_a_node_whose_ring_label_changes_loses_the_candidate_by_that_label() -> None:
    """It went away in a first rollout, where the candidate was all that it had, and is in another ring since.

    The DaemonSet controller deletes the pod whatever is decided: the node has no server until B has come.
    """
    made = with_rings("a", "a")
    made.desired = A
    made.tick()
    gone = made.devices["n0"]
    made.cut(gone)
    made.desired = B
    for _ in range(3):
        made.tick()
    assert gone.serving == A
    made.relabel(gone, {"ring": "b"})
    for _ in range(3):
        made.tick()
    made.mend(gone)
    made.tick()
    assert set(gone.pods) == {B}
    made.settle(deadlines=True)
    assert servers(made) == {B}
    assert made.daemonsets == {B: Placement()}


def test_a_server_that_a_changed_label_takes_is_nothing_to_rely_on() -> None:
    """A and B are held in a shard where stable C has no room; the one that answered is not meant for n0 now."""
    made, device, neighbor = shard_half_offline()
    made.settle()
    made.advance(made.policy.rollback_window_seconds)
    view = made.view()
    ring = Placement.only(
        rings=(Ring(node_selector=(("ring", "a"),), shards=frozenset({device.shard})),)
    )
    assert view.route is not None
    moved = tuple(
        RoutePlacement.of(B, ring) if entry.revision == B else entry
        for entry in view.route.placements
    )
    route = view.route.model_copy(update={"placements": moved})
    place = replace(view, route=route, daemonsets={**view.daemonsets, B: ring})

    def kept(labels: dict[str, str]) -> bool:
        """Return whether the neighbor, which reports that B answers, keeps A."""
        said = neighbor.reported
        assert said is not None
        model = said.model_copy(update={"serving": B})
        nodes = tuple(
            replace(node, model=model, labels=labels) if node.name == "neighbor" else node
            for node in place.nodes
            if node.name != device.name
        )
        return A in decide_target(replace(place, nodes=nodes), made.now).placements

    assert not kept({"ring": "a"})
    assert kept({"ring": "b"})


@pytest.mark.parametrize("why", ["failed", "superseded"])
def test_a_candidate_that_should_go_widens_no_more_while_its_route_is_refused(why: str) -> None:
    """One of the wave's two nodes passes it, which would open the next wave."""
    made = fleet(8)
    for number, device in enumerate(made.devices.values()):
        device.shard = number // 2
    made.desired = A
    made.settle()
    if why == "failed":
        made.bad = {B: {"n0", "n2", "n4", "n6"}}
    device = in_flight(made, B)
    made.refuses_routes = True
    made.desired = B if why == "failed" else C
    for _ in range(12):
        made.tick()
    assert made.daemonsets[B].shards == {device.shard}
    assert made.route is not None
    assert made.route.candidate is not None
    assert made.route.candidate.revision == B
    made.refuses_routes = False
    made.settle()
    assert made.route.candidate is None
    assert servers(made) == {A if why == "failed" else C}


def test_what_a_lost_route_leaves_behind_goes() -> None:
    """A first rollout fails while its DaemonSet can't be deleted; nothing else is known when its route is lost."""
    made = fleet(2)
    made.desired, made.bad = A, {A: {"n0", "n1"}}
    while not made.rejections:
        made.tick()
    made.lose_route()
    made.settle()
    assert made.daemonsets == {}
    assert made.route is not None
    assert (made.route.stable, made.route.candidate) == (None, None)


def test_a_stopgap_delays_no_promotion_where_the_candidate_passed() -> None:
    """C is wanted again while n has B and what was there of C: stable A never had room on it."""
    made = serving(4)
    made.desired = B
    made.settle(deadlines=True)
    n = in_flight(made, C)
    made.cut(n)
    made.advance(1)
    made.desired = A
    made.settle()
    assert made.route is not None
    assert made.route.stable is not None
    assert made.route.stable.revision == A
    assert not made.daemonsets[A].covers(n.shard)
    made.desired = C
    for _ in range(3):
        made.tick()
    made.mend(n)
    made.settle(deadlines=True)
    assert servers(made) == {C}
    assert made.daemonsets == {C: Placement()}
