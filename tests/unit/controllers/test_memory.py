"""What is remembered of an EdgeModel ends with it: a name that comes again has no past."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx
import pytest

from skerry.api import EdgeModel
from skerry.api.edgemodel import JobSlot
from skerry.artifacts.registry import Registry
from skerry.controllers import handlers, reach
from skerry.controllers.cache import Fleet, FleetNode
from skerry.controllers.gather import build_slots
from skerry.controllers.lookups import Lookups
from skerry.controllers.operator import Operator
from skerry.controllers.pins import Pinner
from skerry.controllers.reading import Fault, Unreadable
from skerry.render.parts import COMPONENT_FETCHER, COMPONENT_OPTIMIZER
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
    made["status"] = {"awaitedSlot": JobSlot.BUILD.value}
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


def an_ended_job(component: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": component, "skerry.dev/model": "other"}
    metadata = {"namespace": "assist", "name": "other-1", "uid": "j1", "labels": labels}
    done = {"type": "Complete", "status": "True"}
    return {"metadata": {**metadata, "resourceVersion": "9"}, "status": {"conditions": [done]}}


@pytest.mark.parametrize("component", [COMPONENT_OPTIMIZER, COMPONENT_FETCHER])
async def test_the_end_of_a_job_wakes_the_models_that_wait_for_a_slot(component: str) -> None:
    made = an_operator()
    for name, status in (("waits", {"awaitedSlot": "Build"}), ("serves", {})):
        model = waiting(name, "2026-11-23T11:00:00Z")
        read = EdgeModel.model_validate(model.to_wire() | {"status": status})
        made.fleet.models.put(("assist", name), 1, read)
    handlers.on_job(made, False, an_ended_job(component))  # noqa: FBT003
    taken = {(await made.queue.take()).key for _ in range(2)}
    assert taken == {("assist", "other"), ("assist", "waits")}
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(made.queue.take(), 0.1)


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
    """Return an operator that talks to nobody."""
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
