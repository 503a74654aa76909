"""The I/O of a model's trial: its task, what the task hands to the trial, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from skerry.api.edgenode import CandidateState
from skerry.api.modelroute import ModelRoute
from skerry.judging.guard import Answer, Side
from skerry.judging.guard.errors import IN_A_ROW
from skerry_agent import metrics
from skerry_agent.clock import Clock
from skerry_agent.golden import Golden
from skerry_agent.runner import Runner
from skerry_agent.trial.instance import Instance, Ports
from skerry_agent.trial.memory import Memory, NodeTrial
from tests.unit.agent.raw_server import Running, answering, json_answer
from tests.waiting import TLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

A, B = "aaaaaaaaaa", "bbbbbbbbbb"
OUTPUTS = [{"name": "y", "data": [1.0]}]
SAMPLES = {
    "tolerance": {"absolute": 0.1, "relative": 0.0, "cosine": None},
    "samples": [{"request": {"inputs": []}, "outputs": OUTPUTS}],
}
ROUTE = {
    "metadata": {"name": "m.c", "namespace": "n"},
    "spec": {
        "edgeModelName": "m",
        "hardwareClassName": "c",
        "stable": {"revision": A},
        "candidate": {"revision": B, "traffic": [50], "soakSeconds": 60},
    },
}


async def serve(writer: asyncio.StreamWriter, head: str) -> None:
    body = SAMPLES if "/skerry/golden" in head else {"outputs": OUTPUTS}
    writer.write(json_answer(json.dumps(body).encode()))
    await writer.drain()


async def refuse(writer: asyncio.StreamWriter, _head: str) -> None:
    writer.write(json_answer(b"{}", status="503 Service Unavailable"))
    await writer.drain()


@pytest.fixture
async def golden(tmp_path: Path) -> AsyncIterator[Golden]:
    async with httpx.AsyncClient(verify=TLS) as client:
        yield Golden(tmp_path, client)


def runner(golden: Golden, state: CandidateState) -> Runner:
    memory = Memory(trial=NodeTrial(revision=B, attempt=0, state=state))
    return Runner(ModelRoute.model_validate(ROUTE), memory, golden, asyncio.Event(), Clock())


def instances(server: Running) -> dict[str, Instance]:
    """Return both revisions, answered by one server."""
    ports = Ports(http=server.port)
    return {
        revision: Instance(revision=revision, address="127.0.0.1", ports=ports, ready=True)
        for revision in (A, B)
    }


def tick(it: Runner, server: Running) -> None:
    it.tick(it.clock.read(), instances(server), {})


async def task_of(it: Runner) -> None:
    assert it._task is not None
    await asyncio.wait({it._task}, timeout=20)
    assert it._task.done()


async def test_a_smoke_check_ends_in_traffic_at_once(golden: Golden) -> None:
    it = runner(golden, CandidateState.SMOKE_CHECK)
    async with answering(serve) as server:
        tick(it, server)
        first = it._task
        tick(it, server)
        assert it._task is first, "one task at a time"
        await task_of(it)
        assert it.wake.is_set(), "the next reconcile does not wait for its second"
        tick(it, server)
        assert it.model.memory.trial is not None
        assert it.model.memory.trial.state is CandidateState.SOAKING
        assert it.model.backend().servers[B].weight == 50
        it.stop()


async def test_replays_are_the_evidence_of_an_idle_device(golden: Golden) -> None:
    it = runner(golden, CandidateState.SOAKING)
    async with answering(serve) as server:
        tick(it, server)
        await task_of(it)
        guard = it.model.evidence.guard
        assert (guard.samples(Side.CANDIDATE), guard.samples(Side.STABLE)) == (1, 1)
        assert guard.golden.replays == 1
        before = it._task
        tick(it, server)
        assert it._task is before, "the next one is not due yet"


async def test_samples_that_are_not_there_are_reported_until_they_are(
    golden: Golden, caplog: pytest.LogCaptureFixture
) -> None:
    it = runner(golden, CandidateState.SOAKING)
    async with answering(refuse) as server:
        for _ in range(2):
            it.model.replays.retry(-10.0)
            tick(it, server)
            await task_of(it)
    assert it.model.trouble.count("503 Service Unavailable") == 2, "of both revisions"
    assert len([line for line in caplog.messages if "can't fetch golden samples" in line]) == 2
    async with answering(serve) as server:
        it.model.replays.retry(-10.0)
        tick(it, server)
        await task_of(it)
    assert it.model.trouble == ""


async def test_a_task_that_fails_is_counted_and_started_again(
    golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a defect")

    it = runner(golden, CandidateState.SOAKING)
    counted = metrics.FAULTS.labels("replay")._value
    before = counted.get()
    with monkeypatch.context() as patched:
        patched.setattr(golden, "replay_twice", broken)
        async with answering(serve) as server:
            tick(it, server)
            await task_of(it)
    await asyncio.sleep(0)
    assert counted.get() == before + 1
    assert not it.model.replays.is_due(it.clock.monotonic())


async def test_a_run_of_failures_wakes_the_agent(golden: Golden) -> None:
    it = runner(golden, CandidateState.SOAKING)
    for _ in range(IN_A_ROW):
        assert not it.wake.is_set()
        it.record(B, Answer(1.0, 1.1, failed=True))
    assert it.wake.is_set()
