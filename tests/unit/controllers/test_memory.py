"""What is remembered of an EdgeModel ends with it: a name that comes again has no past."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx

from skerry.api import EdgeModel
from skerry.artifacts.registry import Registry
from skerry.controllers import reach
from skerry.controllers.cache import Fleet, FleetNode
from skerry.controllers.gather import build_slots
from skerry.controllers.lookups import Lookups
from skerry.controllers.operator import Operator
from skerry.controllers.pins import Pinner
from skerry.controllers.reading import Fault, Unreadable
from skerry.decide.build.builds import QUEUED
from tests.unit.decide.plan_world import CONFIG, edge_model

KEY = ("assist", "intent")


def waiting(name: str, created: str, **metadata: Any) -> EdgeModel:
    made = edge_model("x86").to_wire()
    made["metadata"] |= {
        "name": name,
        "uid": f"uid-{name}",
        "creationTimestamp": created,
        **metadata,
    }
    target = {"hardwareClassName": "x86", "phase": "Pending", "reason": QUEUED}
    made["status"] = {"targets": [target]}
    return EdgeModel.model_validate(made)


def test_a_model_that_goes_stands_in_no_line() -> None:
    """One with a finalizer of others can go for hours: younger ones are built meanwhile."""
    fleet = Fleet()
    younger = waiting("younger", "2026-11-23T12:00:00Z")
    fleet.models.put(("assist", "older"), 1, waiting("older", "2026-11-23T11:00:00Z"))
    assert build_slots(fleet, younger).waiting_before == 1
    going = waiting("older", "2026-11-23T11:00:00Z", deletionTimestamp="2026-11-23T11:30:00Z")
    fleet.models.put(("assist", "older"), 2, going)
    assert build_slots(fleet, younger).waiting_before == 0


def tagged(uri: str) -> EdgeModel:
    return edge_model("x86", source={"uri": uri})


async def test_what_was_asked_of_the_registry_is_forgotten_when_the_spec_names_something_else() -> (
    None
):
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with httpx.AsyncClient(transport=httpx.MockTransport(never)) as http:
        pinner = Pinner(Registry(http, None), lambda _: None)
        for number in range(5):
            await pinner.pins(KEY, tagged(f"oci://reg.example/models/intent:{number}"))
        assert pinner.remembered(KEY) == {
            "oci://reg.example/models/intent:4", "oci://reg.example/data/intent:1"
        }  # fmt: skip
        pinner.forget(KEY)
        assert pinner.remembered(KEY) == set()


def an_operator() -> Operator:
    """An operator that talks to nobody."""
    unused = cast("Any", None)
    pinner, lookups = Pinner(unused, lambda _: None), Lookups(unused, "", lambda _: None)
    return Operator(CONFIG, unused, pinner, lookups, unused)


def cannot_be_read(kind: str, name: str, namespace: str = "") -> Unreadable:
    return Unreadable(kind, {"metadata": {"namespace": namespace, "name": name}}, Fault("", "odd"))


def test_a_model_that_is_gone_leaves_nothing_and_one_that_can_t_be_read_is_there() -> None:
    made, held = an_operator(), ("assist", "held")
    for key in (KEY, held):
        made.recognize(key, "uid")
        made.conflicts[key] = ("Service x",)
        made.unreadable.note(key, [cannot_be_read("Job", f"of-{key[1]}", key[0])])
    made.unreadable.note("EdgeModel", [cannot_be_read("EdgeModel", "held", "assist")])
    made.forget_others()
    assert made.uids == {held: "uid"}
    assert set(made.conflicts) == {held}
    assert made.unreadable.left_out(KEY) == []
    assert len(made.unreadable.left_out(held)) == 1
    made.forget(held)
    assert made.unreadable.left_out(held) == []


def test_the_lease_of_a_node_that_can_t_be_read_is_no_stray() -> None:
    made = an_operator()
    made.fleet.nodes.put(("", "known"), 1, FleetNode("known", "uid", {}))
    made.unreadable.note("Node", [cannot_be_read("Node", "odd")])
    names = ("skerry-agent-known", "skerry-agent-odd", "skerry-agent-gone", "skerry-operator")
    leases = [{"metadata": {"name": name}} for name in names]
    found = [item["metadata"]["name"] for item in reach.strays(made, leases)]
    assert found == ["skerry-agent-gone"]
