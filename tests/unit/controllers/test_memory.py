"""What is remembered of an EdgeModel ends with it: a name that comes again has no past."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from skerry.api import EdgeModel
from skerry.artifacts.registry import Registry
from skerry.controllers.cache import Fleet
from skerry.controllers.gather import build_slots
from skerry.controllers.pins import Pinner
from skerry.decide.builds import QUEUED
from tests.unit.decide.plan_world import edge_model

KEY = ("assist", "intent")


def waiting(name: str, created: str, **metadata: Any) -> EdgeModel:
    made = edge_model("x86").to_wire()
    made["metadata"] |= {
        "name": name,
        "uid": f"uid-{name}",
        "creationTimestamp": created,
        **metadata,
    }
    target = {"hardwareClass": "x86", "phase": "Pending", "reason": QUEUED}
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
