"""The timed smoke check against real servers: a busy moment is no fault, a slow build is."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from skerry.api.edgenode import VerdictOutcome
from skerry_agent import golden
from skerry_agent.golden import Golden, Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANDIDATE = Target("bbbbbbbbbb", "127.0.77.2", "m")
STABLE = Target("aaaaaaaaaa", "127.0.77.1", "m")
# In mode `slow` 200 ms against 3 x 20 + 20, and more than twice what a busy machine adds to stable's.
MILLISECONDS, SLOWER_TIMES = 20, 10


@pytest.fixture
def servers() -> Iterator[None]:
    """Both revisions, serving."""
    command = [sys.executable, "-m", "tests.device.model_server"]
    running = [
        subprocess.Popen([*command, target.address, str(MILLISECONDS)])
        for target in (CANDIDATE, STABLE)
    ]
    yield
    for server in running:
        server.terminate()
        server.wait(timeout=10)


async def set_mode(client: httpx.AsyncClient, mode: str) -> None:
    """How the candidate answers from now on; waits until its server is there."""
    for _ in range(100):
        try:
            await client.post(CANDIDATE.url("/mode"), json={"mode": mode, "times": SLOWER_TIMES})
            await client.get(STABLE.url("/v2/health/ready"))
        except httpx.TransportError:
            await asyncio.sleep(0.1)
        else:
            return
    pytest.fail("the servers did not start")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy for seconds is not what these tests are about."""
    monkeypatch.setattr(golden, "ROUND_PAUSE_SECONDS", 0.1)


@pytest.fixture
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sample once, one right after the other."""
    monkeypatch.setattr(golden, "LEAST_TIMED", 4)
    monkeypatch.setattr(golden, "PACE_SECONDS", 0.0)


@pytest.mark.usefixtures("servers", "short_pauses", "short_rounds")
async def test_slow_for_a_moment_passes(tmp_path: Path) -> None:
    async with httpx.AsyncClient() as client:
        await set_mode(client, "slow")
        check = asyncio.create_task(Golden(tmp_path, client).smoke(CANDIDATE, STABLE))
        await asyncio.wait({check}, timeout=0.5)
        assert not check.done()
        await set_mode(client, "good")
        assert (await check).outcome is VerdictOutcome.PASS


@pytest.mark.usefixtures("servers", "short_pauses")
async def test_slow_at_the_first_round_s_pace_alone_passes(tmp_path: Path) -> None:
    """A CPU limit that is enough for traffic is enough for the smoke check (PACE_SECONDS)."""
    async with httpx.AsyncClient() as client:
        await set_mode(client, "throttled")
        check = Golden(tmp_path, client)
        mine = await check.get(CANDIDATE)
        first = await check._round(CANDIDATE, mine, STABLE, golden.PACE_TIMES)
        assert first.outcome is VerdictOutcome.FAIL
        assert (await check.smoke(CANDIDATE, STABLE)).outcome is VerdictOutcome.PASS


@pytest.mark.usefixtures("servers", "short_pauses", "short_rounds")
async def test_slow_all_the_time_fails(tmp_path: Path) -> None:
    async with httpx.AsyncClient() as client:
        await set_mode(client, "slow")
        finding = await Golden(tmp_path, client).smoke(CANDIDATE, STABLE)
        assert finding.outcome is VerdictOutcome.FAIL
        assert "smoke check" in finding.message


@pytest.mark.usefixtures("servers")
async def test_a_wrong_answer_fails_at_once(tmp_path: Path) -> None:
    async with httpx.AsyncClient() as client:
        await set_mode(client, "wrong")
        check = Golden(tmp_path, client).smoke(CANDIDATE, STABLE)
        finding = await asyncio.wait_for(check, timeout=5)
        assert finding.outcome is VerdictOutcome.FAIL
        assert finding.first_bad_at is not None
