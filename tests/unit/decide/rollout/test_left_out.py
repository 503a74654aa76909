"""Nodes that can't have a revision: left out of waves and named, and how missing pods are reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from skerry.api.edgemodel import Phase
from skerry.api.reasons import Cause, PodReason
from skerry.decide.rollout import decide_target
from tests.unit.decide.rollout.fleet import Device, Fleet, policy

if TYPE_CHECKING:
    from skerry.decide.rollout import TargetDecision

A, B, C = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
TAINT = "taint a=b:NoSchedule"
QUOTA = Cause(PodReason.FORBIDDEN, "its pod was refused: exceeded quota: full")
PULL = Cause(PodReason.IMAGE_PULL_FAILED, "container runtime cannot start: not found")
STARTS = Cause(PodReason.STARTING, "pod x starts")


def fleet(nodes: int, waves: tuple[int, ...] = (50, 100)) -> Fleet:
    made = Fleet(policy=policy(waves))
    made.devices = {f"n{i}": Device(f"n{i}", i) for i in range(nodes)}
    return made


def without_agent(made: Fleet, *names: str) -> Fleet:
    """Return a fleet with nodes of a control plane: a taint, and so never an agent."""
    for name in names:
        made.devices[name].tainted, made.devices[name].agent = True, False
    return made


def serving(nodes: int, waves: tuple[int, ...] = (50, 100)) -> Fleet:
    made = fleet(nodes, waves)
    made.desired = A
    made.settle()
    return made


def servers(made: Fleet) -> dict[str, str | None]:
    return {name: device.serving for name, device in made.devices.items()}


@pytest.mark.parametrize("left_out", ["n0", "n1", "n2"])
def test_a_node_that_never_had_an_agent_holds_no_wave_and_is_named(left_out: str) -> None:
    made = without_agent(fleet(3), left_out)
    made.desired = A
    made.settle()
    assert made.status is not None
    assert (made.status.phase, made.status.rollout.stable) == (Phase.SERVING, A)
    assert f"left out: {left_out}: {TAINT}" in made.status.message
    assert "offline" not in made.status.message
    assert (made.status.rollout.nodes.ready, made.status.rollout.nodes.offline) == (2, 1)
    made.desired = B
    made.settle(deadlines=True)
    assert made.status.rollout.stable == B
    assert set(made.daemonsets) == {B}, "it holds no revision that goes"


def test_a_node_whose_taint_goes_catches_up_by_itself() -> None:
    made = without_agent(fleet(2), "n1")
    made.desired = A
    made.settle()
    made.devices["n1"].tainted, made.devices["n1"].agent = False, True
    made.settle()
    assert servers(made) == {"n0": A, "n1": A}
    assert made.status is not None
    assert "left out" not in made.status.message
    assert made.status.rollout.nodes.updated == 2


def test_a_serving_node_that_is_tainted_keeps_its_server_and_holds_no_wave() -> None:
    made = serving(3)
    made.devices["n1"].tainted = True
    made.desired = B
    made.settle()
    assert servers(made) == {"n0": B, "n1": A, "n2": B}
    assert made.status is not None
    assert (made.status.phase, made.status.rollout.nodes.ready) == (Phase.SERVING, 3)
    made.devices["n1"].tainted = False
    made.settle()
    assert servers(made) == {"n0": B, "n1": B, "n2": B}


def test_a_node_where_the_candidate_runs_is_judged_in_spite_of_a_taint() -> None:
    made = serving(2, waves=(100,))
    made.desired, made.bad = B, {B: {"n1"}}
    made.tick()
    made.devices["n1"].tainted = True
    made.settle()
    assert [(r.revision, r.rule) for r in made.rejections] == [(B, "unknown")]


@pytest.mark.parametrize("joins", ["before", "after"])
def test_a_node_without_an_agent_is_never_a_loss_of_the_candidate(joins: str) -> None:
    """One that joins while a wave is open was not lost by what is rolled out."""
    made = serving(4, waves=(100,))
    made.devices["n4"] = Device("n4", 4)
    if joins == "before":
        without_agent(made, "n4")
    made.desired = B
    made.tick()
    without_agent(made, "n4")
    made.advance(made.policy.lost_after_seconds + 1)
    made.settle()
    assert not made.rejections
    assert made.status is not None
    assert made.status.rollout.stable == B


def test_a_class_of_nodes_that_are_all_left_out_says_so() -> None:
    made = without_agent(fleet(2), "n0", "n1")
    made.desired = A
    made.settle()
    assert made.status is not None
    assert (made.status.phase, made.status.reason) == (Phase.PENDING, "NodesLeftOut")
    assert f"n0, n1: {TAINT}" in made.status.message


def decided(made: Fleet, **causes: Cause) -> TargetDecision:
    """Return the decision when nodes lack the candidate's pods (or stable's) for these reasons."""
    route = made.route
    assert route is not None
    role = route.candidate or route.stable
    assert role is not None
    made.causes = {(node, role.revision): cause for node, cause in causes.items()}
    return made.decide()


def rolling_out(nodes: int = 2) -> Fleet:
    """Return a fleet where B's only wave is open and no pod of it exists."""
    made = serving(nodes, waves=(100,))
    made.desired = B
    made.full_pass()
    made.full_pass()
    return made


def test_a_wave_that_waits_for_nothing_else_gives_the_causes_reason() -> None:
    made = rolling_out()
    found = decided(made, n0=QUOTA, n1=QUOTA)
    assert (found.story.phase, found.story.cause.reason) == (Phase.ROLLING_OUT, "PodsForbidden")
    assert f"wave 1 of 1 (100 %) of {B}; n0, n1: {QUOTA.message}" in found.story.cause.message
    assert found.offenders == ("n0", "n1")
    assert found.wave is not None
    assert found.wave.message == f"n0, n1: {QUOTA.message}"


def test_a_wave_that_also_waits_for_others_continues_and_names_the_cause() -> None:
    found = decided(rolling_out(3), n1=PULL, n2=STARTS)
    assert found.story.cause.reason == "WaveInProgress"
    assert f"0 passed, 3 in progress; n1: {PULL.message}" in found.story.cause.message
    assert found.offenders == ("n1",)


def test_of_several_causes_the_most_frequent_is_reported() -> None:
    found = decided(rolling_out(3), n0=PULL, n1=QUOTA, n2=QUOTA)
    assert found.story.cause.reason == "PodsForbidden"
    assert f"n1, n2 (and 1 node for another reason): {QUOTA.message}" in found.story.cause.message


def test_after_the_deadline_the_message_says_what_is_waited_for() -> None:
    made = rolling_out()
    made.advance(made.policy.soak_seconds + made.policy.progress_seconds)
    assert (
        found := decided(made, n0=QUOTA, n1=QUOTA)
    ).story.cause.reason == "ProgressDeadlineExceeded"
    assert f"n0, n1: {QUOTA.message}" in found.story.cause.message
    assert "kubectl skerry abort intent" in found.story.cause.message
    found = decided(made, n0=STARTS, n1=STARTS)
    assert STARTS.message in found.story.cause.message
    found = decided(made)
    assert f"n0, n1: its agent reports nothing about {B}" in found.story.cause.message, (
        "without a pod's cause the agent's words"
    )


def test_a_node_at_a_step_says_at_which() -> None:
    """Its pod runs; the agent waits for traffic, say."""
    made = rolling_out()
    for device in made.devices.values():
        made.sync(device)
        made.watch(device)
        made.act(device)
        device.report()
    made.advance(made.policy.soak_seconds + made.policy.progress_seconds)
    assert "n0, n1: its candidate is Waiting" in decided(made).story.cause.message


def test_a_promoted_revision_names_why_nodes_are_behind() -> None:
    made = serving(2)
    made.devices["n1"].pods[A] = False
    made.act(made.devices["n1"])
    made.devices["n1"].report()
    found = decided(made, n1=QUOTA)
    assert (found.story.phase, found.story.cause.reason) == (Phase.ROLLING_OUT, "PodsForbidden")
    assert f"1 of 2 nodes still catching up; n1: {QUOTA.message}" in found.story.cause.message
    assert found.unanswered == f"n1: {QUOTA.message}"
    assert found.offenders == ("n1",)
    assert (quiet := decided(made, n1=STARTS)).story.cause.reason == "CatchingUp"
    assert "still catching up; n1" in quiet.story.cause.message
    made.full_pass()
    made.advance(made.policy.soak_seconds + made.policy.progress_seconds)
    late = decided(made, n1=PULL)
    assert late.story.cause.reason == "ProgressDeadlineExceeded"
    assert f"n1: {PULL.message}" in late.story.cause.message
    assert late.requeue_after is None or late.requeue_after > timedelta().total_seconds()


def test_a_tainted_node_that_serves_the_revision_before_is_named_by_who_waits_for_it() -> None:
    """It keeps its server: the next rollout is promoted when it has released it, and says what keeps it."""
    made = serving(3)
    made.devices["n1"].tainted = True
    made.desired = B
    made.settle()
    made.desired = C
    made.settle()
    assert servers(made)["n1"] == A
    assert made.status is not None
    assert made.status.reason == "RetiringRevision"
    assert f"waits for n1 to release {A}; left out: n1: {TAINT}" in made.status.message
    made.devices["n1"].tainted = False
    made.settle()
    assert set(servers(made).values()) == {C}


def test_a_wave_that_waits_for_a_node_without_an_agent_says_so_at_once() -> None:
    made = rolling_out()
    view = made.view()
    nodes = (replace(view.nodes[0], agent_awaited=True), *view.nodes[1:])
    found = decide_target(replace(view, nodes=nodes), made.now)
    assert found.story.cause.reason == "WaveInProgress"
    assert "2 in progress; n0: its agent has no heartbeat yet" in found.story.cause.message


def test_a_tainted_node_keeps_its_server_while_it_is_away() -> None:
    """Kubernetes marks its pods as not Ready meanwhile."""
    made = serving(3)
    made.devices["n1"].tainted = True
    made.cut(made.devices["n1"])
    made.advance(1)
    made.desired = B
    made.settle()
    made.advance(made.policy.rollback_window_seconds)
    made.settle()
    assert made.daemonsets[A].covers(1)
    made.mend(made.devices["n1"])
    made.settle()
    assert servers(made) == {"n0": B, "n1": A, "n2": B}


def test_a_node_that_had_nothing_of_a_revision_holds_it_nowhere() -> None:
    """Its agent runs and reports; the taint came before the model."""
    made = fleet(3)
    made.devices["n1"].tainted = True
    for revision in (A, B, C):
        made.desired = revision
        made.settle()
        assert made.status is not None
        assert (made.status.phase, made.status.rollout.stable) == (Phase.SERVING, revision)


def test_a_tainted_node_that_goes_away_with_the_candidate_is_a_loss_of_it() -> None:
    """Its pods are not Ready any more, but its agent reported that it tried the candidate."""
    made = serving(4, waves=(25, 100))
    made.desired = B
    for _ in range(3):
        made.tick()
    tried = next(d for d in made.devices.values() if made.daemonsets[B].covers(d.shard))
    tried.tainted = True
    made.cut(tried)
    made.advance(made.policy.lost_after_seconds)
    made.settle()
    assert [(r.revision, r.rule) for r in made.rejections] == [(B, "Lost")]


def test_a_tainted_node_that_goes_away_without_the_candidate_is_no_loss_of_it() -> None:
    made = serving(4, waves=(50, 100))
    made.desired = B
    made.full_pass()
    made.full_pass()
    member = next(d for d in made.devices.values() if made.daemonsets[B].covers(d.shard))
    member.tainted = True
    made.tick()
    made.cut(member)
    made.advance(made.policy.lost_after_seconds)
    made.settle()
    assert not made.rejections
    assert made.status is not None
    assert made.status.rollout.stable == B


DAY = 24 * 3600


def alone_on_previous(shards: tuple[int, ...] = (0, 1, 2)) -> Fleet:
    """Return a fleet where n1, tainted when B came, serves A more than a day after A's window ended."""
    made = fleet(3)
    for number, shard in enumerate(shards):
        made.devices[f"n{number}"].shard = shard
    made.desired = A
    made.settle()
    made.devices["n1"].tainted = True
    made.desired = B
    made.settle(deadlines=True)
    made.advance(3 * DAY)
    assert servers(made) == {"n0": B, "n1": A, "n2": B}
    return made


def test_a_node_keeps_its_only_server_while_one_revision_follows_the_other() -> None:
    made = alone_on_previous()
    for revision in (C, B, C):
        made.desired = revision
        made.settle(deadlines=True)
        made.advance(3 * DAY)
        assert made.status is not None
        assert made.status.rollout.stable == revision
        assert servers(made) == {"n0": revision, "n1": A, "n2": revision}
    made.devices["n1"].tainted = False
    made.settle(deadlines=True)
    assert servers(made) == dict.fromkeys(made.devices, C)
    assert set(made.daemonsets) == {C}


def test_where_the_shard_has_use_for_its_room_it_goes_a_day_after_the_candidate_began() -> None:
    made = alone_on_previous(shards=(0, 1, 1))
    made.desired, began = C, made.now
    for _ in range(20):
        made.tick()
    made.now = began + timedelta(days=1, seconds=-1)
    assert servers(made)["n1"] == A
    assert made.status is not None
    assert "n1" in made.status.message
    assert A not in made.decide().delete
    made.now = began + timedelta(days=1, seconds=1)
    assert A in made.decide().delete
