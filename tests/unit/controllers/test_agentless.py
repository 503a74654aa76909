"""Which nodes are left out: for a taint at once, for want of an agent after a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from skerry.api import EdgeNode
from skerry.cluster.heartbeats import Moment, Renewal
from skerry.controllers.agentless import AGENT_SECONDS, left_out
from skerry.controllers.cache import FleetNode, ServingPod
from skerry.controllers.operator import Operator
from skerry.controllers.reach import node_facts, node_views, reach_of
from skerry.controllers.reading import read
from skerry.controllers.views import fleet_node
from skerry.decide.nodes.taints import Taint
from tests.unit.decide.plan_world import CONFIG

NOW = datetime.now(UTC)
MOMENT = Moment(NOW, 1000.0)
LONG_AGO = NOW - timedelta(seconds=AGENT_SECONDS + 60)
TAINT = Taint("node-role.kubernetes.io/control-plane")
UNREACHABLE = Taint("node.kubernetes.io/unreachable")


def an_operator(
    node: FleetNode, joined: datetime, *, beats: bool = False, **device: Any
) -> Operator:
    """Return an operator that has seen one node, whose EdgeNode it created when the node joined its class."""
    config = CONFIG.model_validate(CONFIG.model_dump() | {"device": device})
    unused = cast("Any", None)
    made = Operator(config, unused, unused, unused, unused)
    made.fleet.nodes.put(("", node.name), 1, node)
    metadata = {"name": node.name, "creationTimestamp": joined}
    edge_node = EdgeNode.model_validate(
        {"metadata": metadata, "spec": {"hardwareClassName": "x86"}}
    )
    made.fleet.edge_nodes.put(("", node.name), 1, edge_node)
    leases = {node.name: Renewal("lease", "now")} if beats else {}
    made.fleet.heartbeats.note(leases, {node.name: node.uid}, MOMENT)
    return made


def a_node(*taints: Taint, ready: bool = True, since: datetime = LONG_AGO) -> FleetNode:
    return FleetNode("n1", "uid", {}, "x86", 3, ready, since, taints)


@pytest.mark.parametrize(
    ("node", "joined", "beats", "reachable", "words"),
    [
        (a_node(), LONG_AGO, True, True, ""),
        (a_node(), NOW, False, True, ""),
        (a_node(since=NOW), LONG_AGO, False, True, ""),
        (a_node(), LONG_AGO, False, False, "its agent has no heartbeat since it joined"),
        (a_node(TAINT), LONG_AGO, True, True, f"taint {TAINT}"),
        (a_node(TAINT), NOW, False, False, f"taint {TAINT}"),
        (a_node(TAINT, ready=False), LONG_AGO, False, False, f"taint {TAINT}"),
        (a_node(TAINT, ready=False), LONG_AGO, True, False, f"taint {TAINT}"),
        (a_node(UNREACHABLE, ready=False), LONG_AGO, True, False, ""),
        (a_node(UNREACHABLE, TAINT, ready=False), LONG_AGO, True, False, f"taint {TAINT}"),
        (a_node(ready=False), LONG_AGO, False, False, ""),
        (a_node(Taint("node.kubernetes.io/unschedulable")), LONG_AGO, True, True, ""),
    ],
)
def test_a_node_is_left_out_for_a_taint_or_want_of_an_agent(
    node: FleetNode, joined: datetime, words: str, *, beats: bool, reachable: bool
) -> None:
    operator = an_operator(node, joined, beats=beats)
    assert reach_of(operator.fleet, node, MOMENT).reachable is reachable
    said = left_out(operator.fleet, node, MOMENT)
    assert words in said
    assert bool(said) is bool(words)
    ((view,),) = node_views(operator.fleet, ("ns", "m"), None, MOMENT).values()
    awaited = node.ready and not beats and not said
    assert (view.reachable, view.left_out, view.agent_awaited) == (reachable, said, awaited)
    (facts,) = node_facts(operator.fleet, MOMENT)
    assert (facts.reachable, facts.left_out) == (reachable, said)


@pytest.mark.parametrize("beats", [True, False])
def test_a_node_that_was_never_seen_alive_went_away_at_no_time(*, beats: bool) -> None:
    """It joined and never became Ready: what is rolled out meanwhile has not lost it."""
    operator = an_operator(a_node(ready=False, since=NOW), NOW, beats=beats)
    assert (reach_of(operator.fleet, a_node(ready=False), MOMENT).since is not None) is beats


def test_pods_are_there_before_they_are_ready() -> None:
    operator = an_operator(a_node(), LONG_AGO, beats=True)
    for revision, ready in (("aaaaaaaaaa", True), ("bbbbbbbbbb", False)):
        pod = ServingPod("m", "n1", revision, ready)
        operator.fleet.pods.put(("ns", revision), 1, pod)
    ((view,),) = node_views(operator.fleet, ("ns", "m"), None, MOMENT).values()
    assert view.placed_revisions == {"aaaaaaaaaa", "bbbbbbbbbb"}
    assert view.ready_revisions == {"aaaaaaaaaa"}


def test_a_taint_that_the_agent_tolerates_keeps_nobody_out() -> None:
    tolerations = [{"key": TAINT.key, "operator": "Exists"}]
    operator = an_operator(a_node(TAINT), NOW, beats=True, tolerations=tolerations)
    assert left_out(operator.fleet, a_node(TAINT), MOMENT) == ""


def test_taints_are_read_of_the_node() -> None:
    raw = {
        "metadata": {"name": "n1", "uid": "uid"},
        "spec": {
            "taints": [
                {"key": TAINT.key, "effect": "NoSchedule"},
                {"key": "a", "value": "b", "effect": "NoExecute"},
            ]
        },
    }
    node, _ = read("Node", raw, fleet_node)
    assert node is not None
    assert node.taints == (TAINT, Taint("a", "b", "NoExecute"))
