"""Which node is in which class and shard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from skerry.api import EdgeNode, EdgeNodeSpec, HardwareClass
from skerry.decide.conditions import condition_of
from skerry.decide.nodes.fleet import NodeFacts, choose_class, decide_fleet

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def hardware_class(name: str, priority: int = 0, **selector: str) -> HardwareClass:
    spec = {"nodeSelector": selector, "priority": priority}
    return HardwareClass.model_validate({"metadata": {"name": name, "generation": 3}, "spec": spec})


def node(
    name: str, present: str | None = None, shard: int | None = None, **labels: str
) -> NodeFacts:
    return NodeFacts(name, f"uid-{name}", labels, present, shard, reachable=True)


A, B = hardware_class("a", cpu="x86"), hardware_class("b", gpu="yes")
HIGH = hardware_class("high", priority=5, gpu="yes")


@pytest.mark.parametrize(
    ("found", "classes", "chosen"),
    [
        (node("n", cpu="x86"), [A, B], "a"),
        (node("n", cpu="arm"), [A, B], None),
        (node("n", cpu="x86", gpu="yes"), [A, HIGH], "high"),
        (node("n", "b", cpu="x86", gpu="yes"), [A, B], "b"),
        (node("n", cpu="x86", gpu="yes"), [A, B], "a"),
        (node("n", "gone", cpu="x86"), [A], "a"),
    ],
)
def test_class_by_selector_priority_and_the_present_one(
    found: NodeFacts, classes: list[HardwareClass], chosen: str | None
) -> None:
    assert choose_class(found, classes) == chosen


def test_new_nodes_get_class_shard_and_edge_node() -> None:
    decision = decide_fleet([node("n1", cpu="x86"), node("n2", cpu="x86")], [A], [], {}, NOW)
    assert [(n.name, n.hardware_class) for n in decision.labels] == [("n1", "a"), ("n2", "a")]
    assert decision.labels[0].shard != decision.labels[1].shard
    assert [n.name for n in decision.edge_nodes] == ["n1", "n2"]
    assert decision.statuses["a"].nodes == 2


def test_a_lost_shard_label_comes_back_as_it_was() -> None:
    decision = decide_fleet([node("n1", "a", cpu="x86")], [A], [], {"uid-n1": 17}, NOW)
    assert [(n.name, n.shard) for n in decision.labels] == [("n1", 17)]


def test_a_node_that_was_made_again_under_its_name_has_no_shard_from_before() -> None:
    decision = decide_fleet([node("n1", "a", cpu="x86")], [A], [], {"uid-of-the-first": 17}, NOW)
    assert [(n.name, n.shard) for n in decision.labels] == [("n1", 0)]


def test_what_is_as_it_shall_be_is_not_written() -> None:
    spec = {"hardwareClassName": "a", "shard": 3}
    known = EdgeNode.model_validate({"metadata": {"name": "n1"}, "spec": spec})
    decision = decide_fleet([node("n1", "a", 3, cpu="x86")], [A], [known], {}, NOW)
    assert (decision.labels, decision.edge_nodes, decision.gone) == ((), (), ())


def test_an_edge_node_has_its_shard_and_the_labels_of_rings() -> None:
    known = EdgeNode.model_validate(
        {"metadata": {"name": "n1"}, "spec": {"hardwareClassName": "a"}}
    )
    found = node("n1", "a", 3, cpu="x86", site="north")
    decision = decide_fleet([found], [A], [known], {}, NOW, ring_keys={"site", "rack"})
    assert [n.spec for n in decision.edge_nodes] == [
        EdgeNodeSpec(hardware_class_name="a", shard=3, labels={"site": "north"})
    ]


def test_no_number_of_rings_stops_the_fleet() -> None:
    labels = {f"key-{number:03}": "x" for number in range(300)}
    found = node("n1", "a", 3, cpu="x86", **labels)
    decision = decide_fleet([found], [A], [], {}, NOW, ring_keys=set(labels))
    ((spec),) = [n.spec for n in decision.edge_nodes]
    assert spec is not None
    assert sorted(spec.labels) == sorted(labels)[:256]


def test_a_node_that_left_its_class_loses_labels_and_edge_node() -> None:
    known = EdgeNode.model_validate(
        {"metadata": {"name": "n1"}, "spec": {"hardwareClassName": "a"}}
    )
    outside = EdgeNode.model_validate(
        {"metadata": {"name": "phone"}, "spec": {"hardwareClassName": "a"}}
    )
    decision = decide_fleet([node("n1", "a", 3, cpu="arm")], [A], [known, outside], {}, NOW)
    assert [(n.hardware_class, n.shard) for n in decision.labels] == [(None, None)]
    assert decision.gone == ("n1",)


def test_a_class_says_which_nodes_rollouts_leave_out_and_why() -> None:
    out = replace(node("n2", "a", 1, cpu="x86"), left_out="taint edge:NoSchedule, not tolerated")
    for nodes, status, reason in (
        ([node("n1", "a", 0, cpu="x86")], "True", "Complete"),
        ([node("n1", "a", 0, cpu="x86"), out], "False", "NodesLeftOut"),
    ):
        decision = decide_fleet(nodes, [A], [], {}, NOW)
        found = condition_of(decision.statuses["a"].conditions, "Complete")
        assert found is not None
        assert (found.status, found.reason) == (status, reason)
    assert found is not None
    assert "1 of 2 nodes (n2), n2: taint edge:NoSchedule" in found.message
    assert "narrow spec.nodeSelector" in found.message
