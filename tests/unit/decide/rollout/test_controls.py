"""What a person controls: rings, promotion, suspension, standby, pulls, and actions by annotation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from skerry.api.edgemodel import Outcome, Phase
from skerry.api.placement import Placement
from skerry.api.reasons import RolloutReason
from skerry.api.rollout import Standby
from tests.unit.decide.rollout.fleet import Device, Fleet, Waves, policy

A, B, C = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
CANARY = {"ring": "canary"}
RINGS: Waves = (CANARY, 50, 100)


def serving(nodes: int, waves: Waves = (50, 100), canaries: int = 0, **more: Any) -> Fleet:
    """Return a fleet with A promoted everywhere; the last `canaries` nodes carry the ring's label."""
    made = Fleet(policy=policy(waves, **more))
    made.devices = {f"n{i}": Device(f"n{i}", i) for i in range(nodes)}
    for device in list(made.devices.values())[nodes - canaries :]:
        device.labels = dict(CANARY)
    made.desired = A
    made.policy = policy((100,))
    made.settle()
    made.policy = policy(waves, **more)
    made.desired = B
    return made


def stable(made: Fleet) -> str | None:
    return made.route.stable.revision if made.route and made.route.stable else None


def reason(made: Fleet) -> str:
    assert made.status is not None
    return made.status.reason


def covered(made: Fleet, revision: str) -> set[str]:
    placed = made.daemonsets.get(revision, Placement.only())
    return {d.name for d in made.devices.values() if placed.covers(d.shard, d.labels)}


def test_a_ring_opens_on_its_nodes_alone_whatever_their_shards() -> None:
    made = serving(6, RINGS, canaries=2)
    for device in made.devices.values():
        device.shard %= 2  # three nodes of each shard, one of them in the ring
    seen = []
    while stable(made) == A:
        made.tick()
        seen.append(len(covered(made, B)))
        if seen[-1] == 2:
            assert covered(made, B) == {"n4", "n5"}
    assert sorted(set(seen)) == [2, 4, 6]
    assert seen == sorted(seen)


def test_a_share_counts_the_nodes_of_rings_before_it() -> None:
    made = serving(4, RINGS, canaries=3)
    made.settle()
    widths = {made.devices[n].name for n in covered(made, B)}
    assert len(widths) == 4
    assert stable(made) == B


def test_a_ring_without_a_node_waits_unless_another_class_has_one() -> None:
    made = serving(4, RINGS)
    made.settle()
    assert (stable(made), reason(made), covered(made, B)) == (A, "RingWithoutNodes", set())
    assert made.status is not None
    assert "ring=canary" in made.status.message
    made.other_rings = frozenset({tuple(CANARY.items())})
    made.settle()
    assert stable(made) == B


def test_a_node_that_joins_a_ring_gets_the_candidate() -> None:
    made = serving(4, RINGS, canaries=1, manual=True)
    made.bad = {}
    made.tick()
    assert covered(made, B) == {"n3"}
    made.devices["n0"].labels = dict(CANARY)
    made.tick()
    assert covered(made, B) == {"n0", "n3"}


def test_a_ring_that_was_rolled_back_is_released_and_leaves_nothing() -> None:
    made = serving(4, RINGS, canaries=1)
    made.bad = {B: {"n3"}}
    made.settle()
    assert (stable(made), set(made.daemonsets)) == (A, {A})


def test_manual_promotion_waits_for_an_approval_of_this_very_candidate() -> None:
    made = serving(3, manual=True)
    made.settle()
    assert (stable(made), reason(made)) == (A, "AwaitingPromotion")
    assert made.status is not None
    assert made.status.phase is Phase.PAUSED
    assert f"skerry.dev/promote={B}" in made.status.message
    made.approve("1")
    made.settle()
    assert stable(made) == B
    assert [entry.outcome for entry in made.history] == [Outcome.PROMOTED, Outcome.PROMOTED]


def test_an_approval_is_used_once() -> None:
    made = serving(3, manual=True)
    made.settle()
    made.approve("1")
    made.settle(deadlines=True)
    made.desired = C
    made.settle()
    assert reason(made) == "AwaitingPromotion"
    made.desired = A
    made.policy = replace(made.policy, manual=False)
    made.settle(deadlines=True)
    made.policy = replace(made.policy, manual=True)
    made.desired = B
    made.settle()
    assert (stable(made), reason(made)) == (A, "AwaitingPromotion")
    assert made.status is not None
    assert "was used before" in made.status.message
    made.approve("2")
    made.settle()
    assert stable(made) == B


def test_an_approval_ahead_of_the_last_wave_holds() -> None:
    made = serving(4, manual=True)
    made.tick()
    made.approve("1")
    made.settle()
    assert stable(made) == B


@pytest.mark.parametrize("passes", range(6))
def test_suspension_freezes_a_rollout_where_it_is(passes: int) -> None:
    made = serving(6, (20, 50, 100))
    for _ in range(passes):
        made.tick()
    made.policy = replace(made.policy, suspended=True)
    before = covered(made, B)
    made.settle()
    assert covered(made, B) == before
    assert (stable(made), reason(made)) == (A, "Suspended")
    made.policy = replace(made.policy, suspended=False)
    made.settle()
    assert stable(made) == B


def test_suspension_freezes_a_wave_that_opens_bit_by_bit() -> None:
    made = serving(6, (100,), max_concurrent_pulls="1")
    made.tick()
    made.policy = replace(made.policy, suspended=True)
    before = covered(made, B)
    assert len(before) == 1
    made.settle()
    assert covered(made, B) == before


def test_suspension_says_nothing_where_nothing_is_held() -> None:
    made = serving(2)
    made.settle()
    made.policy = replace(made.policy, suspended=True)
    made.settle()
    assert reason(made) == "Serving"


def suspended_rollout() -> Fleet:
    """Return a fleet whose rollout of B is under way, and suspended."""
    made = serving(4)
    for _ in range(3):
        made.tick()
    made.policy = replace(made.policy, suspended=True)
    return made


def test_the_way_back_to_stable_is_not_held_by_suspend() -> None:
    made = suspended_rollout()
    made.desired = A
    made.tick()
    assert made.route is not None
    assert made.route.candidate is None
    made.settle()
    assert {device.serving for device in made.devices.values()} == {A}
    assert made.daemonsets == {A: Placement()}


def test_another_revision_than_stable_waits_while_suspended() -> None:
    made = suspended_rollout()
    made.desired = C
    made.tick()
    assert made.route is not None
    assert made.route.candidate is not None
    assert made.route.candidate.revision == B


def test_the_guard_stays_armed_while_suspended() -> None:
    made = serving(4)
    made.tick()
    made.policy = replace(made.policy, suspended=True)
    made.bad = {B: set(made.devices)}
    made.settle()
    assert [rejection.revision for rejection in made.rejections] == [B]


@pytest.mark.parametrize("suspended", [False, True])
def test_abort_takes_the_candidate_back_and_a_retry_brings_it_again(suspended: bool) -> None:  # noqa: FBT001
    made = serving(4, manual=True)
    made.settle()
    made.policy = replace(made.policy, suspended=suspended)
    made.abort()
    made.settle()
    assert (stable(made), covered(made, B), reason(made)) == (A, set(), "Aborted")
    assert [entry.outcome for entry in made.history] == [Outcome.PROMOTED, Outcome.ABORTED]
    made.policy = replace(made.policy, suspended=False, manual=False)
    made.retry()
    made.settle()
    assert stable(made) == B, "the annotation that is still there is about the first attempt"


@pytest.mark.parametrize("standby", [Standby.WARM, Standby.CACHED])
def test_undo_goes_back_within_the_window(standby: Standby) -> None:
    made = serving(3, standby=standby)
    made.settle()
    made.undo()
    made.settle()
    assert (stable(made), reason(made)) == (A, "Undone")
    assert {device.serving for device in made.devices.values()} == {A}
    assert made.daemonsets == {A: Placement()}
    assert made.history[-1].outcome is Outcome.ROLLED_BACK


def test_the_reason_is_that_of_the_last_time_it_was_rolled_back() -> None:
    """An abort of the first attempt, an undo of the second: no pass calls the undo an abort."""
    made = serving(2, manual=True)
    made.settle()
    made.abort()
    made.settle()
    made.retry()
    made.settle()
    made.approve("1")
    made.settle()
    made.undo()
    made.tick()
    assert reason(made) == "Undone"


def test_undo_after_the_window_does_nothing() -> None:
    made = serving(3)
    made.settle(deadlines=True)
    made.undo()
    made.settle()
    assert stable(made) == B


def test_cached_keeps_no_server_and_the_way_back() -> None:
    made = serving(3, standby=Standby.CACHED)
    made.settle()
    assert made.daemonsets == {B: Placement()}
    assert made.route is not None
    assert made.route.previous is not None
    made.devices["n1"].vetoes.add((B, 0))
    made.settle()
    assert {device.serving for device in made.devices.values()} == {A}


def test_none_keeps_nothing() -> None:
    made = serving(3, standby=Standby.NONE)
    made.settle()
    assert made.daemonsets == {B: Placement()}
    assert made.route is not None
    assert made.route.previous is None


def test_no_more_nodes_pull_at_once_than_may() -> None:
    made = serving(6, (100,), max_concurrent_pulls="2")
    most, limit_seen = 0, False
    while stable(made) == A:
        made.full_pass()
        pulling = {d.name for d in made.devices.values() if not d.is_ready(B)} & covered(made, B)
        most = max(most, len(pulling))
        made.tick()
        limit_seen = limit_seen or reason(made) == "PullingCandidate"
    assert most == 2
    assert limit_seen


def test_a_wave_that_does_not_get_on_is_called_stalled_and_continues_later() -> None:
    made = serving(2, (100,))
    started = [d for d in made.devices.values() if d.name == "n0"]
    made.tick()
    for _ in range(100):
        made.full_pass()
        for device in started:
            made.sync(device)
            made.start_pods(device)
            made.watch(device)
            made.act(device)
            device.report()
        made.advance(10)
    assert reason(made) == RolloutReason.DEADLINE_EXCEEDED
    assert made.status is not None
    assert "n1" in made.status.message
    assert "n0" not in made.status.message
    made.settle()
    assert stable(made) == B


def test_a_node_that_never_catches_up_is_called_stalled_and_settles_later() -> None:
    made = serving(2, (100,))
    made.settle(deadlines=True)
    assert stable(made) == B
    made.devices["late"] = Device("late", shard=7)
    made.full_pass()
    assert reason(made) == "CatchingUp"
    patience = made.decide().requeue_after
    assert patience == made.policy.soak_seconds + made.policy.progress_seconds
    made.advance(patience)
    made.full_pass()
    assert made.status is not None
    assert made.status.reason == RolloutReason.DEADLINE_EXCEEDED
    assert "late" in made.status.message
    assert "n0" not in made.status.message
    made.settle()
    assert (reason(made), made.status.rollout.catching_up) == ("Serving", None)


def test_a_fleet_that_catches_up_node_by_node_is_not_called_stalled() -> None:
    made = serving(1, (100,))
    made.settle(deadlines=True)
    made.devices |= {f"late{n}": Device(f"late{n}", shard=7 + n) for n in range(3)}
    for device in list(made.devices.values())[1:]:
        made.full_pass()
        made.advance(500)
        made.full_pass()
        assert reason(made) == "CatchingUp"
        for act in (made.sync, made.start_pods, made.watch, made.act):
            act(device)
        device.report()
    made.settle()
    assert reason(made) == "Serving"


def test_a_ring_without_a_node_is_called_stalled_with_its_labels() -> None:
    made = serving(4, RINGS)
    made.settle(deadlines=True)
    assert made.status is not None
    assert made.status.reason == RolloutReason.DEADLINE_EXCEEDED
    assert "ring=canary" in made.status.message
    assert "no node of any class has these labels" in made.status.message


def test_lost_nodes_are_called_stalled_with_what_to_do() -> None:
    made = serving(4)
    made.tick()
    for device in made.devices.values():
        made.cut(device)
    made.advance(400)
    made.tick()
    assert reason(made) == "NodesLost"
    made.advance(4000)
    made.tick()
    assert made.status is not None
    assert made.status.reason == RolloutReason.DEADLINE_EXCEEDED
    assert "delete their Node objects" in made.status.message


def test_time_suspended_is_no_missed_deadline() -> None:
    made = serving(2, (100,))
    made.tick()
    made.policy = replace(made.policy, suspended=True)
    made.full_pass()
    made.advance(5000)
    made.policy = replace(made.policy, suspended=False)
    made.full_pass()
    assert reason(made) != RolloutReason.DEADLINE_EXCEEDED
