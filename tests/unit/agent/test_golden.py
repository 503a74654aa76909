"""The smoke check against real servers: a busy moment is no fault, a slow build is."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from skerry.api.edgenode import VerdictOutcome
from skerry_agent.golden import Golden, Target
from skerry_agent.trial import smoke
from tests.waiting import TLS, free_address, wait_for_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In mode `slow` 200 ms against 3 x 10 + 20, and more than twice what a busy machine adds to stable's.
MILLISECONDS, SLOWER_TIMES = 10, 20


class Pair(NamedTuple):
    """Both revisions, serving."""

    candidate: Target
    stable: Target

    async def set_mode(self, client: httpx.AsyncClient, mode: str) -> None:
        """Set how the candidate answers from now on."""
        asked = {"mode": mode, "times": SLOWER_TIMES}
        (await client.post(self.candidate.url("/mode"), json=asked)).raise_for_status()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Yield servers on addresses of this process's own: their ports are a pod's, 8080 and 8081."""
    found = Pair(
        Target("bbbbbbbbbb", free_address(), "m"), Target("aaaaaaaaaa", free_address(), "m")
    )
    command = [sys.executable, "-m", "tests.device.model_server"]
    running = [subprocess.Popen([*command, target.address, str(MILLISECONDS)]) for target in found]
    try:
        for target in found:
            wait_for_answer(target.url("/v2/health/ready"))
        yield found
    finally:
        for server in running:
            server.terminate()
            server.wait(timeout=10)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses: a machine that is busy for seconds is not what these tests are about."""
    monkeypatch.setattr(smoke, "ROUND_PAUSE_SECONDS", 0.1)


@pytest.fixture
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send each sample once."""
    monkeypatch.setattr(smoke, "LEAST_TIMED", 4)


@pytest.fixture
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send one sample right after the other."""
    monkeypatch.setattr(smoke, "PACE_SECONDS", 0.0)


@pytest.mark.usefixtures("short_pauses", "short_rounds", "no_pace")
async def test_slow_for_a_moment_passes(pair: Pair, tmp_path: Path) -> None:
    async with httpx.AsyncClient(verify=TLS) as client:
        await pair.set_mode(client, "slow")
        check = asyncio.create_task(Golden(tmp_path, client).smoke(*pair))
        await asyncio.wait({check}, timeout=0.5)
        assert not check.done()
        await pair.set_mode(client, "good")
        assert (await check).outcome is VerdictOutcome.PASS


@pytest.mark.usefixtures("short_pauses", "short_rounds", "no_pace")
async def test_slow_all_the_time_fails(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "TIMED_ROUNDS", 2)
    async with httpx.AsyncClient(verify=TLS) as client:
        await pair.set_mode(client, "slow")
        finding = await Golden(tmp_path, client).smoke(*pair)
        assert finding.outcome is VerdictOutcome.FAIL
        assert "smoke check" in finding.message


async def test_a_wrong_answer_fails_at_once(pair: Pair, tmp_path: Path) -> None:
    async with httpx.AsyncClient(verify=TLS) as client:
        await pair.set_mode(client, "wrong")
        check = Golden(tmp_path, client).smoke(*pair)
        finding = await asyncio.wait_for(check, timeout=30)
        assert finding.outcome is VerdictOutcome.FAIL
        assert finding.first_bad_at is not None
