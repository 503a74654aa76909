"""Tags whose registry is busy: waited for as it asks, and reported as passing, until it has lasted too long."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from skerry.api.artifact import Role
from skerry.api.edgemodel_status import ArtifactStatus, Fetched
from skerry.api.reasons import RegistryReason
from skerry.artifacts.registry import Registry
from skerry.controllers import pins as pins_module
from skerry.controllers.pins import STALLED_SECONDS, Pinner, pause_after
from skerry.decide.build.fetches import fetch_key
from tests.unit.artifacts.scripted import DIGEST, FOUND, Answer, Asked, Scripted, scripted
from tests.unit.decide.plan_world import NOW, edge_model
from tests.waiting import TLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from skerry.api import EdgeModel
    from skerry.decide.snapshot import Pins

KEY = ("assist", "intent")
KIT_CONFIG = {"mediaType": "application/vnd.kitops.modelkit.config.v1+json"}
KIT = Answer(headers=FOUND.headers, body=json.dumps({"config": KIT_CONFIG}).encode())
BUSY = Answer(429, {"Retry-After": "60"})


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as running:
        yield running


@pytest.fixture
def woken() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def pinner(server: Scripted, woken: asyncio.Event) -> AsyncIterator[Pinner]:
    async with httpx.AsyncClient(trust_env=False, verify=TLS) as http:
        yield Pinner(Registry(http, server.address), lambda _: woken.set())


EVALUATION: dict[str, Any] = {
    "evaluation": {
        "dataset": {
            "uri": "oci://reg.example/d:1",
            "digest": DIGEST,
            "credentialsSecretName": "pull",
        },
        "metric": "Accuracy",
    }
}
"""A data set that is pinned and private: the operator asks nobody for it."""


def model(server: Scripted) -> EdgeModel:
    """Return a model with a source whose tag is asked for, and a data set that is pinned."""
    return edge_model("x86", source={"uri": f"oci://{server.address}/m:1"}, **EVALUATION)


async def settled(pinner: Pinner, found: EdgeModel, woken: asyncio.Event) -> Pins:
    """Return the pins once the registry has answered."""
    await pinner.pins(KEY, found)
    await asyncio.wait_for(woken.wait(), 10)
    return await pinner.pins(KEY, found)


async def test_a_busy_registry_is_waited_for_as_it_asks(
    pinner: Pinner, server: Scripted, woken: asyncio.Event
) -> None:
    server.says(BUSY)
    pins = await settled(pinner, model(server), woken)
    assert pins.cause is not None
    assert (pins.failed, pins.cause.reason) == (False, RegistryReason.WAITING)
    assert "the registry answered 429" in pins.cause.message
    assert "next try at " in pins.cause.message
    assert pins.again_in is not None
    assert 30 < pins.again_in <= 60
    for _ in range(3):
        await pinner.pins(KEY, model(server))
    assert len(server.asked) == 1


async def test_what_takes_a_person_is_a_problem_at_once(
    pinner: Pinner, server: Scripted, woken: asyncio.Event
) -> None:
    server.says(Answer(404))
    pins = await settled(pinner, model(server), woken)
    assert pins.failed
    assert pins.cause is not None
    assert "no such image or tag" in pins.cause.message


async def test_it_is_asked_again_when_the_pause_is_over_and_meanwhile_reported_the_same(
    pinner: Pinner, server: Scripted, woken: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pins_module, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(pins_module, "LONGEST_PAUSE_SECONDS", 0.05)
    server.says(Answer(503), FOUND)
    first = await settled(pinner, model(server), woken)
    assert first.cause
    async with asyncio.timeout(10):
        while not (found := await pinner.pins(KEY, model(server))).known:
            assert found.cause == first.cause
            await asyncio.sleep(0.01)
    assert (found.known[Role.SOURCE].artifact.digest, found.cause) == (DIGEST, None)
    assert len(server.asked) == 2


async def test_what_lasts_too_long_asks_for_a_person(
    pinner: Pinner, server: Scripted, woken: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pins_module, "STALLED_SECONDS", 0.0)
    server.says(Answer(503))
    pins = await settled(pinner, model(server), woken)
    assert pins.failed
    assert pins.cause is not None
    assert "the registry answered 503" in pins.cause.message
    assert pins.again_in is not None


async def test_while_it_is_asked_again_its_answer_alone_sets_off_the_next_look(
    pinner: Pinner, server: Scripted, woken: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that takes its time must not make a pass follow the other at full speed."""
    monkeypatch.setattr(pins_module, "FIRST_PAUSE_SECONDS", 0.0)
    release = threading.Event()

    def slow(_: Asked) -> Answer:
        if len(server.asked) > 1:
            release.wait(10)
        return Answer(503)

    server.script = slow
    await settled(pinner, model(server), woken)
    found = [await pinner.pins(KEY, model(server)) for _ in range(3)]
    assert all(pins.cause and not pins.failed for pins in found)
    assert [pins.again_in for pins in found] == [None, None, None]
    woken.clear()
    release.set()
    await asyncio.wait_for(woken.wait(), 10)


async def answered(pinner: Pinner, found: EdgeModel) -> Pins:
    """Return the pins once nothing is awaited any more."""
    async with asyncio.timeout(10):
        while True:
            pins = await pinner.pins(KEY, found)
            if pins.cause or pins.known.keys() | pins.kits == found.spec.artifacts.keys():
                return pins
            await asyncio.sleep(0.01)


def with_status(found: EdgeModel, **fetched: Any) -> EdgeModel:
    """Return the model after its source was resolved, by a job where this is given."""
    what = Fetched(fetch_time=NOW, digest=DIGEST, **fetched) if fetched else None
    source = ArtifactStatus(
        role=Role.SOURCE, uri=found.spec.source.uri, digest=DIGEST, fetched=what
    )
    status = found.status.model_copy(update={"artifacts": (source,)})
    return found.model_copy(update={"status": status})


@pytest.mark.parametrize("pin", [{}, {"digest": DIGEST}])
async def test_a_model_artifact_is_left_to_a_job_also_where_it_is_pinned(
    pinner: Pinner, server: Scripted, pin: dict[str, str]
) -> None:
    server.says(KIT)
    source = {"uri": f"oci://{server.address}/m:1", **pin}
    pins = await answered(pinner, edge_model("x86", source=source, **EVALUATION))
    assert pins.kits == {Role.SOURCE}
    assert Role.SOURCE not in pins.known
    assert server.asked[0].path.endswith(DIGEST if pin else "/1")


async def test_what_a_job_has_fetched_is_not_asked_for_again(
    pinner: Pinner, server: Scripted
) -> None:
    new = edge_model("x86", source={"uri": f"oci://{server.address}/m:1"}, **EVALUATION)
    key = fetch_key(new.spec.source)
    await pinner.pins(KEY, with_status(new, key=key, image="reg.example/skerry/m"))
    assert server.asked == []
    other = with_status(new, key="of another pin", image="reg.example/skerry/m")
    pins = await answered(pinner, other)
    assert len(server.asked) == 1
    assert pins.known[Role.SOURCE].artifact.digest == DIGEST


async def test_a_pinned_image_needs_no_registry_that_answers_the_operator(
    pinner: Pinner, server: Scripted
) -> None:
    source = {"uri": f"oci://{server.address}/m:1", "digest": DIGEST}
    new = edge_model("x86", source=source, **EVALUATION)
    for answer in (Answer(401), Answer(404), Answer(503)):
        server.says(answer)
        pins = await answered(pinner, new)
        assert (pins.known[Role.SOURCE].artifact.digest, pins.cause) == (DIGEST, None)
        pinner.forget(KEY)
    server.says(BUSY)
    assert "the registry answered 429" in str((await answered(pinner, new)).cause)


async def test_a_pinned_image_that_was_mounted_before_is_not_asked_for(
    pinner: Pinner, server: Scripted
) -> None:
    source = {"uri": f"oci://{server.address}/m:1", "digest": DIGEST}
    new = with_status(edge_model("x86", source=source, **EVALUATION))
    assert (await pinner.pins(KEY, new)).known[Role.SOURCE].artifact.digest == DIGEST
    assert server.asked == []


def test_pauses_grow_within_bounds_and_never_below_what_is_asked() -> None:
    assert [pause_after(n, None) for n in (1, 2, 3, 9)] == [20, 40, 60, 60]
    assert pause_after(1, 90) == 90
    assert pause_after(1, 5) == 20
    assert pause_after(1, 600) < STALLED_SECONDS + 1
