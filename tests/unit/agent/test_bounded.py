"""Answers without end: a revision on trial can't take the agent's memory or its time."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
import zlib
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import pytest

from skerry.jobs.files import Tolerance
from skerry_agent import bounded, golden
from skerry_agent.bounded import LIMIT_BYTES
from skerry_agent.golden import Golden, GoldenSet, Sample, Target
from tests.unit.agent.raw_server import Running, answering, json_answer
from tests.waiting import TLS

if TYPE_CHECKING:
    from pathlib import Path

B = "bbbbbbbbbb"
MOST_MEMORY = 64 << 20
SAMPLES = {
    "tolerance": {"absolute": 1.0, "relative": 1.0, "cosine": None},
    "samples": [{"request": {"inputs": []}, "outputs": [{"name": "y", "data": [1.0]}]}],
}


@cache
def bomb() -> bytes:
    packer, zeros = zlib.compressobj(1, wbits=31), bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(200)) + packer.flush()


async def packed(writer: asyncio.StreamWriter, _head: str) -> None:
    writer.write(json_answer(bomb(), "Content-Encoding: gzip"))
    await writer.drain()


async def endless(writer: asyncio.StreamWriter, _head: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def dripping(writer: asyncio.StreamWriter, _head: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def many_parts(writer: asyncio.StreamWriter, _head: str) -> None:
    writer.write(json_answer(b"[" + b"[]," * 2_500_000 + b"1]"))
    await writer.drain()


async def deep(writer: asyncio.StreamWriter, _head: str) -> None:
    writer.write(json_answer(b"[" * 90_000))
    await writer.drain()


async def no_object(writer: asyncio.StreamWriter, _head: str) -> None:
    writer.write(json_answer(b'[1, "two"]'))
    await writer.drain()


async def huge_number(writer: asyncio.StreamWriter, _head: str) -> None:
    body = b'{"outputs": [{"name": "y", "data": [1' + b"0" * 400 + b"]}]}"
    writer.write(json_answer(body))
    await writer.drain()


async def good(writer: asyncio.StreamWriter, _head: str) -> None:
    writer.write(json_answer(json.dumps(SAMPLES).encode()))
    await writer.drain()


HOSTILE = [packed, endless, dripping, many_parts, deep, no_object, huge_number]


@pytest.fixture
def memory() -> object:
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "FETCH_SECONDS", 1.0, raising=False)
    monkeypatch.setattr(golden, "TIMEOUT_SECONDS", 1.0)


def target(running: Running) -> Target:
    return Target(B, "127.0.0.1", "m", running.port, running.port)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", HOSTILE)
@pytest.mark.timeout(60)
async def test_golden_samples_of_a_hostile_server(
    tmp_path: Path, memory: object, answer: object
) -> None:
    began = monotonic()
    async with answering(answer) as running, httpx.AsyncClient(verify=TLS) as client:  # type: ignore[arg-type]
        with pytest.raises((ValueError, OSError, httpx.HTTPError)):
            await Golden(tmp_path, client).get(target(running))
    assert memory() < MOST_MEMORY  # type: ignore[operator]
    assert monotonic() - began < 20


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", HOSTILE)
@pytest.mark.timeout(60)
async def test_a_replay_by_a_hostile_server_is_a_failure(
    tmp_path: Path, memory: object, answer: object
) -> None:
    known = GoldenSet.model_validate(SAMPLES)
    began = monotonic()
    async with answering(answer) as running, httpx.AsyncClient(verify=TLS) as client:  # type: ignore[arg-type]
        check = Golden(tmp_path, client)
        replay = await check.replay(target(running), known.samples[0], known.tolerance)
    assert replay.wrong is not None
    assert replay.answer.failed or answer is huge_number
    assert memory() < MOST_MEMORY  # type: ignore[operator]
    assert monotonic() - began < 20


async def test_nothing_packed_is_asked_for(tmp_path: Path) -> None:
    async with answering(good) as running, httpx.AsyncClient(verify=TLS) as client:
        await Golden(tmp_path, client).get(target(running))
    assert "accept-encoding: identity" in running.requests[0].lower()


async def test_a_watch_line_without_end(memory: object) -> None:
    async with (
        answering(endless) as running,
        httpx.AsyncClient(verify=TLS) as client,
        client.stream("GET", running.url) as head,
    ):
        with pytest.raises(bounded.TooLargeError):
            _ = [line async for line in bounded.lines(head)]
    assert memory() < MOST_MEMORY  # type: ignore[operator]


async def test_a_body_of_the_greatest_size_is_read() -> None:
    body = b'"' + b"x" * (LIMIT_BYTES - 2) + b'"'

    async def answer(writer: asyncio.StreamWriter, _head: str) -> None:
        writer.write(json_answer(body))
        await writer.drain()

    async with answering(answer) as running, httpx.AsyncClient(verify=TLS) as client:
        found = await bounded.fetch(client, "GET", running.url, seconds=10)
    assert found.body == body


def write_samples(folder: Path, name: str, text: bytes) -> Path:
    path = folder / "state" / "golden" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return path


async def test_a_damaged_sample_file_is_set_aside_and_fetched_again(tmp_path: Path) -> None:
    path = write_samples(tmp_path, f"{B}.json", b"\xff\xfe no text")
    async with answering(good) as running, httpx.AsyncClient(verify=TLS) as client:
        found = await Golden(tmp_path, client).get(target(running))
    assert len(found.samples) == 1
    assert path.with_name(f"{B}.json.bad").exists()
    assert GoldenSet.model_validate_json(path.read_bytes()) == found


async def test_samples_of_what_is_gone_go(tmp_path: Path) -> None:
    async with answering(good) as running, httpx.AsyncClient(verify=TLS) as client:
        check = Golden(tmp_path, client)
        for owner in ("uid-1", "uid-2"):
            await check.get(target(running)._replace(owner=owner))
        assert len(running.requests) == 2, "another EdgeModel's samples are not taken over"
        write_samples(tmp_path, f"{B}.json", b"{}")
        check.forget(frozenset({golden.key_of("uid-2", B)}))
        assert [path.name for path in check.directory.iterdir()] == [f"uid-2_{B}.json"]
        await check.get(target(running)._replace(owner="uid-2"))
        assert len(running.requests) == 2
        await check.get(target(running)._replace(owner="uid-1"))
        assert len(running.requests) == 3


async def test_a_disk_that_is_full_keeps_no_candidate_waiting(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    async with answering(good) as running, httpx.AsyncClient(verify=TLS) as client:
        assert (await Golden(tmp_path, client).get(target(running))).samples


async def test_a_sample_that_is_no_tensor_is_the_servers_fault(tmp_path: Path) -> None:
    sample = Sample(request={}, outputs=[{"name": "y", "data": [1.0]}])
    tolerance = Tolerance(absolute=0, relative=0, cosine=None)
    async with answering(no_object) as running, httpx.AsyncClient(verify=TLS) as client:
        replay = await Golden(tmp_path, client).replay(target(running), sample, tolerance)
    assert replay.answer.failed
