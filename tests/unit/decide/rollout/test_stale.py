"""Stale knowledge does not decide: no loss, no retirement and no comparison by what is not known now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from skerry.decide.rollout import NodeView, TargetView, decide_target
from skerry.decide.rollout.retire import OFFLINE_GRACE
from tests.unit.decide.rollout.fleet import Device, Fleet, policy

A, B = "aaaaaaaaaa", "bbbbbbbbbb"


def trying() -> tuple[Fleet, str]:
    """Return a fleet where A serves on four nodes and one of them tries B; return that node's name too."""
    made = Fleet(policy=policy((25, 50, 100)))
    made.devices = {f"n{i}": Device(f"n{i}", i) for i in range(4)}
    made.desired = A
    made.settle()
    made.desired = B
    for _ in range(3):
        made.tick()
    opened = made.daemonsets[B]
    (member,) = (d.name for d in made.devices.values() if opened.covers(d.shard))
    return made, member


def seen(made: Fleet, **silences: float) -> TargetView:
    """Return the view an hour later, with these nodes silent for so many seconds as is known."""
    view = made.view()
    later = made.now + timedelta(hours=1)

    def node(one: NodeView) -> NodeView:
        known = silences.get(one.name)
        if known is None:
            return one
        since = later - timedelta(seconds=max(known, 3000.0))
        return replace(one, reachable=False, unreachable_since=since, silent_seconds=known)

    return replace(view, nodes=tuple(map(node, view.nodes)))


def rolled_back(made: Fleet, view: TargetView) -> bool:
    route = decide_target(view, made.now + timedelta(hours=1)).route
    assert route is not None
    return route.halted is not None


@pytest.mark.parametrize(
    ("known", "lost"), [(0.0, False), (299.0, False), (300.0, True)], ids=["outage", "soon", "lost"]
)
def test_a_loss_counts_by_what_is_known_of_the_silence(known: float, *, lost: bool) -> None:
    """`unreachable_since` is an hour ago each time: lists were away meanwhile, or were not."""
    made, member = trying()
    assert rolled_back(made, seen(made, **{member: known})) == lost


def test_nodes_that_nobody_heard_say_nothing_about_losses_elsewhere() -> None:
    made, member = trying()
    view = seen(made, **{member: 3000.0})
    others = [node.name for node in view.nodes if node.name != member]
    assert rolled_back(made, view)
    silent_elsewhere = tuple(replace(n, renewed_lately=n.name not in others) for n in view.nodes)
    assert not rolled_back(made, replace(view, nodes=silent_elsewhere))


def test_a_silent_node_that_was_never_seen_alive_is_no_loss_and_holds_no_wave() -> None:
    made, member = trying()
    view = seen(made, **{member: 3000.0})
    nodes = tuple(replace(n, unreachable_since=None) if n.name == member else n for n in view.nodes)
    decision = decide_target(replace(view, nodes=nodes), made.now + timedelta(hours=1))
    assert decision.route is not None
    assert decision.route.halted is None
    assert decision.wave is not None
    assert (decision.wave.nodes, decision.wave.denominator) == (2, 1), "another takes its place"


@pytest.mark.parametrize("known", [0.0, OFFLINE_GRACE.total_seconds()], ids=["outage", "a day"])
def test_nothing_is_taken_from_an_offline_node_before_its_silence_is_known(known: float) -> None:
    made, member = trying()
    made.cut(made.devices[member])
    made.desired = A
    made.settle()
    long_ago = made.now - timedelta(days=3)
    nodes = tuple(
        replace(n, unreachable_since=long_ago, silent_seconds=known) if n.name == member else n
        for n in made.view().nodes
    )
    decision = decide_target(replace(made.view(), nodes=nodes), made.now)
    assert (B in decision.delete) == (known > 0)


def test_it_is_looked_at_again_when_the_known_silence_may_reach_a_limit() -> None:
    made, member = trying()
    view = seen(made, **{member: 100.0})
    again = decide_target(view, made.now + timedelta(hours=1)).requeue_after
    assert again is not None
    assert again <= 200.0


@pytest.mark.parametrize("left", [0.001, 4.0, 30.0])
def test_a_limit_that_is_near_makes_no_pass_follow_the_other(left: float) -> None:
    """The silence is known as of the last list, so that time alone does not bring the limit nearer."""
    made, member = trying()
    known = made.policy.lost_after_seconds - left
    later = made.now + timedelta(hours=1)
    again = decide_target(seen(made, **{member: known}), later).requeue_after
    assert again == pytest.approx(max(left, 5.0))
