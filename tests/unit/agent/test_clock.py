"""The wall clock is set while a candidate is judged: no soak is over early, none stands still."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from skerry.api.attempt import Attempt
from skerry.api.edgenode import CandidateState, VerdictOutcome
from skerry.api.modelroute import ModelRoute, ModelRouteSpec
from skerry.judging.guard import Answer, Finding
from skerry_agent import plan
from skerry_agent.clock import Clock, as_date
from skerry_agent.golden import Golden
from skerry_agent.plan import Memory, Seen, Trial
from skerry_agent.pods import Pod
from skerry_agent.runner import Runner
from tests.waiting import TLS

if TYPE_CHECKING:
    from pathlib import Path

A, B = "aaaaaaaaaa", "bbbbbbbbbb"
DAY, HOUR = 86400.0, 3600.0
SOAK = 60
RULES = [{"metric": "Errors", "tolerate": "1%"}]


@dataclass
class Hands:
    """Two clocks that a test moves."""

    real: float = 1000.0
    wall: float = 1.7e9
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        """The agent's clock reads them."""
        self.clock = Clock(lambda: self.real, lambda: self.wall)

    def on(self, seconds: float) -> None:
        """Time goes by."""
        self.real += seconds
        self.wall += seconds


@dataclass
class Device:
    """A runner with a candidate in its soak, fifty answers a second on both sides."""

    runner: Runner
    hands: Hands
    bad: float = 0.0
    failures: float = 0.0

    def second(self) -> None:
        """A second of answers, and a pass."""
        self.hands.on(1.0)
        for part in range(50):
            for revision in (A, B):
                began = self.hands.wall - 1 + part / 50
                self.failures += self.bad if revision == B else 0
                failed = self.failures >= 1
                self.failures -= failed
                own = self.hands.clock.own(Answer(began, began + 0.005, failed))
                if own is not None:
                    self.runner.hear(revision, own)
        self.runner.tick(self.hands.clock.look(), PODS, {})

    def seconds_until(self, state: CandidateState, most: int = 2000) -> int:
        """How many real seconds it takes."""
        for count in range(most):
            if self.state is state:
                return count
            self.second()
        return most

    @property
    def state(self) -> CandidateState:
        """How far the candidate came."""
        assert self.runner.memory.trial is not None
        return self.runner.memory.trial.state


PODS = {
    revision: Pod(
        namespace="n", name=revision, model="m", revision=revision, address="127.0.0.1", ready=True
    )
    for revision in (A, B)
}


def route(soak: int = SOAK) -> ModelRoute:
    spec: dict[str, Any] = {
        "edgeModelName": "m",
        "hardwareClassName": "c",
        "stable": {"revision": A},
        "candidate": {"revision": B, "traffic": [50], "soakSeconds": soak},
        "guard": {"minSamples": 20, "rules": RULES},
    }
    return ModelRoute.model_validate({"metadata": {"name": "m.c", "namespace": "n"}, "spec": spec})


@pytest.fixture
async def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    monkeypatch.setattr(Runner, "_start", lambda _self, work: work.close())
    hands = Hands()
    memory = Memory(trial=Trial(revision=B, attempt=0, state=CandidateState.SOAKING))
    async with httpx.AsyncClient(verify=TLS) as client:
        golden = Golden(tmp_path, client)
        return Device(Runner(route(), memory, golden, asyncio.Event(), hands.clock), hands)


async def test_a_steady_clock_passes_after_the_soak(device: Device) -> None:
    assert SOAK <= device.seconds_until(CandidateState.PASSED) <= SOAK + 3


@pytest.mark.parametrize("after", [5, 30, 59])
@pytest.mark.parametrize("by", [DAY, 2 * HOUR, 5.0, -5.0, -HOUR, -10 * 365 * DAY])
async def test_a_clock_that_is_set_begins_the_step_again(
    device: Device, after: int, by: float
) -> None:
    for _ in range(after):
        device.second()
    device.hands.wall += by
    left = device.seconds_until(CandidateState.PASSED)
    assert SOAK - 1 <= left <= SOAK + 3, "the whole soak by the real time, no more and no less"


async def test_the_jump_is_in_the_timeline(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    device.second()
    device.hands.wall -= HOUR
    device.second()
    lines = [line for line in capsys.readouterr().out.splitlines() if "step_again" in line]
    assert len(lines) == 1
    assert '"clock_set_by_seconds": -3600.0' in lines[0]


@pytest.mark.parametrize("by", [DAY, -HOUR])
async def test_errors_are_found_after_a_jump(device: Device, by: float) -> None:
    for _ in range(20):
        device.second()
    device.hands.wall += by
    device.second()
    device.bad = 0.1
    assert device.seconds_until(CandidateState.FAILED) <= 20
    verdict = device.runner.memory.trial.verdict if device.runner.memory.trial else None
    assert verdict is not None
    assert verdict.first_bad_answer_time is not None
    assert abs(verdict.decision_time.timestamp() - device.hands.wall) < 2
    assert 0 <= verdict.decision_time.timestamp() - verdict.first_bad_answer_time.timestamp() < 25


async def test_small_corrections_begin_nothing_again(device: Device) -> None:
    for _ in range(SOAK):
        device.second()
        device.hands.wall += 0.4
    assert device.seconds_until(CandidateState.PASSED) <= 3


@pytest.mark.parametrize("by", [DAY, -HOUR])
def test_a_request_that_saw_the_jump_counts_nowhere(by: float) -> None:
    hands = Hands()
    began = hands.wall
    hands.on(0.5)
    hands.wall += by
    hands.on(0.5)
    assert hands.clock.own(Answer(began, hands.wall)) is None
    assert hands.clock.own(Answer(began, began + 0.1)) is None, "logged before, read after"
    hands.on(1)
    after = hands.clock.own(Answer(hands.wall - 0.2, hands.wall - 0.1))
    assert after is not None
    assert after.answered - after.started == pytest.approx(0.1, abs=1e-4)


async def test_replays_do_not_wait_for_the_wall_clock(device: Device) -> None:
    started: list[float] = []

    def start(work: Any) -> None:
        work.close()
        started.append(device.hands.real)

    device.runner._start = start  # type: ignore[method-assign]
    device.second()
    device.hands.wall -= HOUR
    for _ in range(10):
        device.second()
    assert len(started) >= 10


@pytest.mark.parametrize("wall", [-1e12, 0.0, 1e12, 1e18])
def test_no_date_of_the_device_is_out_of_range(wall: float) -> None:
    """A broken clock says the year 0 or 10000: a verdict is found all the same."""
    assert 1970 <= as_date(wall).year <= 2199
    spec: ModelRouteSpec = route().spec
    memory = Memory(trial=Trial(revision=B, attempt=0, state=CandidateState.SOAKING))
    finding = Finding(VerdictOutcome.FAIL, "Errors", first_bad_at=9.0)
    failed = plan.advance(spec, memory, Seen(10.0, frozenset({A, B}), finding=finding, ahead=wall))
    assert failed.vetoed(Attempt(B))


def test_another_boot_begins_the_step_again(tmp_path: Path) -> None:
    """What is kept on disk has no time of a clock that the next boot begins at zero."""
    hands = Hands(real=5.0)
    trial = Trial(revision=B, attempt=0, state=CandidateState.SOAKING, step_since=9e5)
    kept = Memory.model_validate_json(Memory(trial=trial).model_dump_json())
    golden = Golden(tmp_path, httpx.AsyncClient(verify=TLS))
    runner = Runner(route(), kept, golden, asyncio.Event(), hands.clock)
    assert runner.memory.trial is not None
    assert runner.memory.trial.step_since == 5.0
