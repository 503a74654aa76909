"""A HardwareClass that is deleted while models use it: nothing goes dark, and the status says what is so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from skerry.api import EdgeNode
from skerry.api.edgenode import NodeModel
from skerry.api.modelroute import RouteRevision
from skerry.api.reasons import BuildReason
from skerry.decide.nodes.fleet import decide_fleet
from skerry.decide.rollout import NodeView
from tests.unit.decide.plan_world import built, hardware_class
from tests.unit.decide.test_plan_fleet import HIGH, A, node

if TYPE_CHECKING:
    from skerry.api import HardwareClass
    from skerry.decide.nodes.fleet import FleetDecision
    from tests.unit.decide.plan_world import World

NOW = datetime(2026, 11, 23, tzinfo=UTC)
KNOWN = EdgeNode.model_validate(
    {"metadata": {"name": "n1"}, "spec": {"hardwareClassName": "gone", "shard": 3}}
)


def unchanged(decision: FleetDecision) -> bool:
    return (decision.labels, decision.edge_nodes, decision.gone) == ((), (), ())


@pytest.mark.parametrize("classes", [[], [A], [A, HIGH]])
def test_its_nodes_keep_label_shard_and_edge_node_while_it_is_named(
    classes: list[HardwareClass],
) -> None:
    """Also where another class selects them: they would go dark until that one has a build."""
    serving = node("n1", "gone", 3, cpu="x86", gpu="yes")
    assert unchanged(decide_fleet([serving], classes, [KNOWN], {}, NOW, named={"gone"}))


def test_a_label_that_is_taken_away_meanwhile_comes_back() -> None:
    decision = decide_fleet(
        [node("n1", cpu="x86")], [A], [KNOWN], {"uid-n1": 3}, NOW, named={"gone"}
    )
    assert [(n.hardware_class, n.shard) for n in decision.labels] == [("gone", 3)]
    assert (decision.edge_nodes, decision.gone) == ((), ())


def test_its_nodes_go_when_nobody_names_it_any_more() -> None:
    decision = decide_fleet([node("n1", "gone", 3)], [], [KNOWN], {}, NOW, named={"other"})
    assert [(n.hardware_class, n.shard) for n in decision.labels] == [(None, None)]
    assert decision.gone == ("n1",)


def test_a_class_that_is_there_says_itself_which_nodes_are_its_own() -> None:
    """Its selector was changed, or the node's labels: that is meant, also while it is named."""
    known = EdgeNode.model_validate(
        {"metadata": {"name": "n1"}, "spec": {"hardwareClassName": "a"}}
    )
    decision = decide_fleet([node("n1", "a", 3, cpu="arm")], [A], [known], {}, NOW, named={"a"})
    assert decision.gone == ("n1",)


def test_a_node_that_was_never_of_it_does_not_join_it() -> None:
    assert unchanged(decide_fleet([node("n2")], [], [], {}, NOW, named={"gone"}))


def serving(*, answers: bool, offline: bool = False) -> World:
    """Return a model with a stable revision on its class's one node."""
    world = built().step()
    route = world.snapshot.routes["x86"]
    candidate = route.candidate
    assert candidate is not None
    stable = RouteRevision(revision=candidate.revision)
    promoted = route.model_copy(update={"candidate": None, "stable": stable})
    model = NodeModel(namespace="assist", name="intent", healthy=answers)
    view = NodeView("x86-1", 0, reachable=not offline, model=model)
    routes = {"x86": promoted}
    return world.with_(routes=routes, nodes={"x86": (view,)}).settle()


def said(world: World) -> tuple[str, str]:
    (target,) = world.decide().status.targets
    return target.reason, target.message


def test_the_status_says_whether_anything_answers() -> None:
    for world, says in (
        (serving(answers=True), "continues to serve on 1 of 1 reachable nodes"),
        (serving(answers=False), "answers on no node"),
        (serving(answers=True, offline=True), "answers on no reachable node"),
    ):
        stable = world.snapshot.routes["x86"].stable
        assert stable is not None
        reason, message = said(world.with_(classes={}))
        assert reason == BuildReason.CLASS_NOT_FOUND
        assert message.startswith("there is no HardwareClass x86: create it")
        assert f"{stable.revision} {says}" in message


def test_when_it_is_there_again_nothing_is_built() -> None:
    before = serving(answers=True)
    during = before.with_(classes={}).settle()
    assert during.snapshot.routes == before.snapshot.routes
    assert during.snapshot.daemonsets == before.snapshot.daemonsets
    after = during.with_(classes={"x86": hardware_class("x86")})
    assert after.decide().jobs == ()
    assert said(after.settle()) == said(before)
