"""One model on this node, second by second: soaks, clocks that are set, flips, and what it remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.attempt import Attempt
from skerry.api.edgenode import CandidateState, VerdictOutcome, Veto
from skerry.api.modelroute import ModelRoute, ModelRouteSpec
from skerry.judging.guard import Answer, Finding, Side
from skerry.judging.guard.errors import IN_A_ROW
from skerry.judging.guard.recent import GREATEST_AGE_SECONDS
from skerry_agent.clock import Clock
from skerry_agent.times import as_date
from skerry_agent.trial.instance import Instance
from skerry_agent.trial.local_model import LocalModel
from skerry_agent.trial.machine import Observation, advance
from skerry_agent.trial.memory import Memory, NodeTrial
from skerry_agent.trial.work import Replays, SmokeCheck

if TYPE_CHECKING:
    from skerry_agent.trial.events import Event

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
        """Connect the agent's clock."""
        self.clock = Clock(lambda: self.real, lambda: self.wall)

    def on(self, seconds: float) -> None:
        """Advance the clock."""
        self.real += seconds
        self.wall += seconds


@dataclass
class Device:
    """A model on a node, fifty answers a second of each revision."""

    model: LocalModel
    hands: Hands
    bad: float = 0.0
    failures: float = 0.0
    events: list[Event] = field(default_factory=list)

    def second(self) -> None:
        """Add a second of answers, and reconcile."""
        self.hands.on(1.0)
        for part in range(50):
            for revision in (A, B):
                began = self.hands.wall - 1 + part / 50
                self.failures += self.bad if revision == B else 0
                failed = self.failures >= 1
                self.failures -= failed
                own = self.hands.clock.own(Answer(began, began + 0.005, failed))
                if own is not None:
                    self.model.record(revision, own)
        done = self.model.reconcile(self.hands.clock.read(), INSTANCES, {})
        self.events += done.events

    def seconds_until(self, state: CandidateState, most: int = 2000) -> int:
        """Return how many real seconds it takes."""
        for count in range(most):
            if self.state is state:
                return count
            self.second()
        return most

    @property
    def state(self) -> CandidateState:
        """How far the candidate came."""
        assert self.model.memory.trial is not None
        return self.model.memory.trial.state


INSTANCES = {
    revision: Instance(revision=revision, address="127.0.0.1", ready=True) for revision in (A, B)
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


def device_of(found: ModelRoute, memory: Memory) -> Device:
    hands = Hands()
    return Device(LocalModel(found, memory, hands.clock.read()), hands)


@pytest.fixture
def device() -> Device:
    """Return a device in the soak of its candidate."""
    trial = NodeTrial(revision=B, attempt=0, state=CandidateState.SOAKING)
    return device_of(route(), Memory(trial=trial))


def test_a_steady_clock_passes_after_the_soak(device: Device) -> None:
    assert SOAK <= device.seconds_until(CandidateState.PASSED) <= SOAK + 3


@pytest.mark.parametrize("after", [5, 30, 59])
@pytest.mark.parametrize("by", [DAY, 2 * HOUR, 5.0, -5.0, -HOUR, -10 * 365 * DAY])
def test_a_clock_that_is_set_begins_the_step_again(device: Device, after: int, by: float) -> None:
    for _ in range(after):
        device.second()
    device.hands.wall += by
    left = device.seconds_until(CandidateState.PASSED)
    assert SOAK - 1 <= left <= SOAK + 3, "the whole soak by the real time, no more and no less"


def test_the_jump_is_in_the_timeline(device: Device) -> None:
    device.second()
    device.hands.wall -= HOUR
    device.second()
    found = [event for event in device.events if event.name == "step_restarted"]
    assert [event.fields["clock_set_by_seconds"] for event in found] == [-3600.0]


@pytest.mark.parametrize("by", [DAY, -HOUR])
def test_errors_are_found_after_a_jump(device: Device, by: float) -> None:
    for _ in range(20):
        device.second()
    device.hands.wall += by
    device.second()
    device.bad = 0.1
    assert device.seconds_until(CandidateState.FAILED) <= 20
    verdict = device.model.memory.trial.verdict if device.model.memory.trial else None
    assert verdict is not None
    assert verdict.first_bad_answer_time is not None
    assert abs(verdict.decision_time.timestamp() - device.hands.wall) < 2
    assert 0 <= verdict.decision_time.timestamp() - verdict.first_bad_answer_time.timestamp() < 25


def test_small_corrections_begin_nothing_again(device: Device) -> None:
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


def test_replays_do_not_wait_for_the_wall_clock(device: Device) -> None:
    device.second()
    device.hands.wall -= HOUR
    for _ in range(10):
        device.second()
        now = device.hands.clock.look()
        work = device.model.next_work(now)
        assert isinstance(work, Replays)
        assert not work.first, "there is a stable one"
        device.model.replays.record(0.001, now, work)


def test_a_first_revision_is_replayed_quickly_until_its_rules_have_their_answers() -> None:
    whole = route()
    found = whole.model_copy(update={"spec": whole.spec.model_copy(update={"stable": None})})
    trial = NodeTrial(revision=B, attempt=0, state=CandidateState.SOAKING, step=1)
    device = device_of(found, Memory(trial=trial))
    device.model.reconcile(device.hands.clock.read(), INSTANCES, {B: True})
    quick = []
    for _ in range(10):
        device.hands.on(1.0)
        device.model.reconcile(device.hands.clock.read(), INSTANCES, {B: True})
        now = device.hands.clock.look()
        work = device.model.next_work(now)
        assert isinstance(work, Replays)
        quick.append(work.first)
        answers = [Answer(now - 0.01, now) for _ in work.samples]
        work.evidence.replays.add(Side.CANDIDATE, answers)
        device.model.replays.record(0.001, now, work)
    assert quick == [True] * 5 + [False] * 5


@pytest.mark.parametrize("wall", [-1e12, 0.0, 1e12, 1e18])
def test_no_date_of_the_device_is_out_of_range(wall: float) -> None:
    """A broken clock says the year 0 or 10000: a verdict is found all the same."""
    assert 1970 <= as_date(wall).year <= 2199
    spec: ModelRouteSpec = route().spec
    memory = Memory(trial=NodeTrial(revision=B, attempt=0, state=CandidateState.SOAKING))
    finding = Finding(VerdictOutcome.FAIL, "Errors", first_bad_at=9.0)
    failed = advance(
        spec, memory, Observation(10.0, frozenset({A, B}), finding=finding, ahead=wall)
    )
    assert failed.vetoed(Attempt(B))


def test_another_boot_restarts_the_step() -> None:
    """What is stored has no time of a clock that the next boot starts at zero."""
    hands = Hands(real=5.0)
    trial = NodeTrial(revision=B, attempt=0, state=CandidateState.SOAKING, step_since=9e5)
    kept = Memory.model_validate_json(Memory(trial=trial).model_dump_json())
    model = LocalModel(route(), kept, hands.clock.read())
    assert model.memory.trial is not None
    assert model.memory.trial.step_since == 5.0


def waiting() -> Device:
    return device_of(route(), Memory())


def test_a_candidate_is_checked_before_anything_else() -> None:
    device = waiting()
    device.second()
    assert device.state is CandidateState.SMOKE_CHECK
    work = device.model.next_work(device.hands.clock.look())
    assert isinstance(work, SmokeCheck)
    assert (work.candidate.revision, work.stable and work.stable.revision) == (B, A)
    assert device.model.evidence.take_smoke(work.trial, Finding(VerdictOutcome.PASS, "Golden"))
    assert device.model.next_work(device.hands.clock.look()) is None
    assert device.seconds_until(CandidateState.SOAKING, 2) == 1
    assert isinstance(device.model.next_work(device.hands.clock.look()), Replays)


@pytest.mark.parametrize("candidate", [{"revision": B, "attempt": 1}, None])
def test_a_smoke_check_of_a_trial_that_ended_counts_nowhere(
    candidate: dict[str, Any] | None,
) -> None:
    device = waiting()
    device.second()
    work = device.model.next_work(device.hands.clock.look())
    assert isinstance(work, SmokeCheck)
    spec = route().spec.to_wire() | {"candidate": candidate}
    device.model.take_route(
        route().model_copy(update={"spec": ModelRouteSpec.model_validate(spec)})
    )
    device.second()
    assert not device.model.evidence.take_smoke(work.trial, Finding(VerdictOutcome.FAIL, "Golden"))
    device.second()
    assert not device.model.memory.vetoes


def test_what_a_trial_that_ended_did_is_no_fault_of_the_next(device: Device) -> None:
    """The route names another revision, promoted elsewhere, while the candidate fails."""
    device.second()
    roles = {
        "candidate": None,
        "stable": {"revision": "cccccccccc"},
        "previous": {"revision": A, "expirationTime": "2026-12-01T00:00:00Z"},
    }
    spec = ModelRouteSpec.model_validate(route().spec.to_wire() | roles)
    device.model.take_route(route().model_copy(update={"spec": spec}))
    for _ in range(10):
        device.hands.on(0.3)
        device.model.record(B, Answer(device.hands.real - 0.1, device.hands.real, failed=True))
    device.model.reconcile(device.hands.clock.read(), INSTANCES, {})
    memory = device.model.memory
    assert memory.trial is not None
    assert memory.trial.key == Attempt("cccccccccc")
    assert not memory.vetoes


def test_a_rollback_in_the_timeline(device: Device) -> None:
    device.second()
    assert device.model.take_flip() is None
    device.bad = 0.5
    device.seconds_until(CandidateState.FAILED)
    flip = device.model.take_flip()
    assert flip is not None
    assert (flip.name, flip.fields["revision"]) == ("flipped", B)
    assert device.model.take_flip() is None
    assert device.model.backend().servers[B].weight == 0
    first, verdict = device.events[-2:]
    assert (first.name, verdict.name) == ("first_bad", "verdict")
    assert first.at is not None
    assert verdict.at is not None
    assert first.at < verdict.at


def test_a_veto_that_was_stored_is_no_flip_of_this_process() -> None:
    failed = Memory(trial=NodeTrial(revision=B, attempt=0, state=CandidateState.FAILED))
    device = device_of(
        route(), failed.with_vetoes([Veto(revision=B, attempt=0, failure_time=as_date(0))])
    )
    device.second()
    assert device.model.take_flip() is None


def test_failures_in_a_row_ask_for_a_reconcile_once() -> None:
    model = waiting().model
    failed, good = Answer(1.0, 1.1, failed=True), Answer(1.0, 1.1)
    answers = [failed, failed, good, *[failed] * 7]
    assert [model.record(B, answer) for answer in answers].index(True) == 2 + IN_A_ROW
    assert sum(model.record(B, answer) for answer in [good, *[failed] * 7]) == 1


def test_answers_of_an_instance_that_leaves_count_nowhere() -> None:
    device = waiting()
    for revision in (A, B, "cccccccccc"):
        device.model.record(revision, Answer(1.0, 1.1, failed=True))
    leaving = INSTANCES | {B: INSTANCES[B].model_copy(update={"leaving": True})}
    done = device.model.reconcile(device.hands.clock.read(), leaving, {})
    assert set(done.answers) == {A}


POINTS = int(GREATEST_AGE_SECONDS * 50) + 50


@pytest.mark.parametrize(
    ("memory", "spec", "most"),
    [
        (Memory(), {"candidate": None}, 0),
        (Memory(vetoes=(Veto(revision=B, attempt=0, failure_time=as_date(0)),)), {}, 0),
        (Memory(), {}, POINTS),
    ],
    ids=["nothing is judged", "it failed", "the smoke check takes long"],
)
def test_a_node_remembers_nothing_that_is_not_judged(
    memory: Memory, spec: dict[str, Any], most: int
) -> None:
    changed = ModelRouteSpec.model_validate(route().spec.to_wire() | spec)
    device = device_of(route().model_copy(update={"spec": changed}), memory)
    for _ in range(400):
        device.second()
    recent = device.model.evidence.guard.live.recent
    assert max(len(recent.stable.points), len(recent.candidate.points)) <= most
