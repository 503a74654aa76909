"""Finished work at a registry that is busy: asked for again, since a job would do it all again."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import httpx
import pytest

from skerry.api.reasons import RegistryReason
from skerry.artifacts.registry import Registry
from skerry.controllers import lookups as lookups_module
from skerry.controllers import pins as pins_module
from skerry.controllers.lookups import Lookups
from skerry.jobs.registry import ANNOTATION_RESULT
from tests.unit.artifacts.scripted import Answer, Scripted, scripted
from tests.unit.decide.plan_world import assessed, edge_model, world
from tests.waiting import TLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from skerry.decide.snapshot import Finished

KEY = ("assist", "intent")
MODEL = edge_model("x86")
TAG = "evidence-1"
HELD = Answer(body=json.dumps({"layers": [{"annotations": {ANNOTATION_RESULT: "done"}}]}).encode())


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as running:
        yield running


@pytest.fixture
async def lookups(server: Scripted) -> AsyncIterator[Lookups]:
    async with httpx.AsyncClient(trust_env=False, verify=TLS) as http:
        made = Lookups(Registry(http, server.address), f"{server.address}/skerry", lambda _: None)
        yield made
        made.forget(KEY)


async def answer(lookups: Lookups, seconds: float = 10) -> Finished | None:
    """Return the final answer."""
    async with asyncio.timeout(seconds):
        while TAG not in (found := lookups.answers(KEY, MODEL)):
            await lookups.ask(KEY, MODEL, [TAG])
            await asyncio.sleep(0.01)
    return found[TAG]


async def test_what_is_finished_is_found_when_the_registry_answers_again(
    lookups: Lookups, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pins_module, "FIRST_PAUSE_SECONDS", 0.05)
    server.says(Answer(503), Answer(502), HELD)
    found = await answer(lookups)
    assert found is not None
    assert found.result == "done"
    assert lookups.says(KEY, MODEL) == ""


async def test_meanwhile_the_registrys_words_are_reported_and_no_job_starts(
    lookups: Lookups, server: Scripted
) -> None:
    server.says(Answer(429, {"Retry-After": "60"}))
    async with asyncio.timeout(10):
        while not (says := lookups.says(KEY, MODEL)):
            await lookups.ask(KEY, MODEL, [TAG])
            await asyncio.sleep(0.01)
    assert "the registry answered 429" in says
    assert lookups.answers(KEY, MODEL) == {}
    for made in (world(), assessed()):
        decision = made.with_(finished={}, registry_says=says).decide()
        assert decision.jobs == ()
        (target,) = decision.status.targets
        assert target.reason == RegistryReason.WAITING
        assert says in target.message
        assert {c.type for c in decision.status.conditions} & {"Reconciling", "Stalled"} == {
            "Reconciling"
        }
        (plain,) = made.with_(finished={}).decide().status.targets
        assert plain.reason == RegistryReason.LOOKING_UP_RESULTS


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_the_registry_refuses_is_left_to_a_job(
    lookups: Lookups, server: Scripted, status: int
) -> None:
    server.says(Answer(status))
    assert await answer(lookups) is None


async def test_a_registry_that_stays_away_is_left_to_a_job(
    lookups: Lookups, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups_module, "STALLED_SECONDS", 0.0)
    server.says(Answer(503))
    assert await answer(lookups) is None


async def test_an_edge_model_that_is_gone_is_not_asked_for(
    lookups: Lookups, server: Scripted
) -> None:
    server.says(Answer(429, {"Retry-After": "60"}))
    await lookups.ask(KEY, MODEL, [TAG])
    lookups.forget(KEY)
    assert lookups.answers(KEY, MODEL) == {}
    others = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 10)
