"""Which evidence a trial, a step, a promotion or a set clock makes void, and which it leaves."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.api.edgenode import CandidateState, VerdictOutcome
from skerry.api.modelroute import ModelRouteSpec
from skerry.judging.guard import Answer, Finding, Side
from skerry_agent.trial.evidence import TrialEvidence
from skerry_agent.trial.memory import NodeTrial

A, B, C = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
S = CandidateState
PASSES = Finding(VerdictOutcome.PASS, "Golden")


def route(**roles: Any) -> ModelRouteSpec:
    spec = {
        "edgeModelName": "m",
        "hardwareClassName": "c",
        "guard": {"minSamples": 20, "rules": []},
    }
    return ModelRouteSpec.model_validate({**spec, **roles})


STABLE = {"stable": {"revision": A}}
ON_TRIAL = route(**STABLE, candidate={"revision": B, "traffic": [10, 90], "soakSeconds": 60})
PROMOTED = route(
    stable={"revision": B}, previous={"revision": A, "expirationTime": "2026-11-30T00:00:00Z"}
)


def trial(state: S = S.SHIFTING, step: int = 0, revision: str = B) -> NodeTrial:
    return NodeTrial(revision=revision, attempt=0, state=state, step=step)


def answers(count: int = 30, seconds: float = 0.01) -> list[Answer]:
    return [Answer(n / 10, n / 10 + seconds) for n in range(count)]


@pytest.fixture
def evidence() -> TrialEvidence:
    """Return the evidence of a candidate that passed its smoke check and has a first share of the traffic."""
    made = TrialEvidence()
    made.follow(ON_TRIAL, None, trial(S.SMOKE_CHECK))
    made.add(ON_TRIAL, trial(S.SMOKE_CHECK), {A: answers()}, 3.0)
    assert made.take_smoke(trial(S.SMOKE_CHECK), PASSES)
    made.follow(ON_TRIAL, trial(S.SMOKE_CHECK), trial())
    made.add(ON_TRIAL, trial(), {A: answers(), B: answers(25)}, 3.0)
    return made


def test_the_sides(evidence: TrialEvidence) -> None:
    assert evidence.guard.samples(Side.CANDIDATE) == 25
    assert evidence.guard.samples(Side.STABLE) == 30
    assert evidence.guard.good_median == pytest.approx(10.0)
    evidence.add(ON_TRIAL, trial(), {C: answers()}, 3.0)
    assert evidence.guard.samples(Side.CANDIDATE) == 25


def test_answers_are_added_in_order() -> None:
    evidence = TrialEvidence()
    evidence.follow(ON_TRIAL, None, trial())
    evidence.add(ON_TRIAL, trial(), {B: answers()[::-1]}, 3.0)
    ends = [point[0] for point in evidence.guard.live.recent.candidate.points]
    assert ends == sorted(ends)


def test_a_step_counts_slow_answers_from_zero_and_keeps_the_rest(evidence: TrialEvidence) -> None:
    evidence.follow(ON_TRIAL, trial(), trial(S.SOAKING, 1))
    assert evidence.guard.samples(Side.CANDIDATE) == 0
    assert evidence.guard.live.candidate_has_more
    assert evidence.guard.live.recent.candidate.points
    assert evidence.guard.good_median == pytest.approx(10.0)
    assert evidence.smoke == PASSES


def test_a_set_clock_keeps_what_has_no_time_in_it(evidence: TrialEvidence) -> None:
    evidence.restart_step(ON_TRIAL, trial())
    assert not evidence.guard.live.recent.stable.points
    assert evidence.guard.samples(Side.STABLE) == 0
    assert evidence.guard.golden.replays == 1
    assert evidence.guard.good_median == pytest.approx(10.0)


def test_the_same_state_changes_nothing(evidence: TrialEvidence) -> None:
    before = evidence.guard
    evidence.follow(ON_TRIAL, trial(), trial())
    assert evidence.guard is before
    assert evidence.guard.samples(Side.CANDIDATE) == 25


def test_a_candidate_that_waits_again_is_checked_again(evidence: TrialEvidence) -> None:
    evidence.follow(ON_TRIAL, trial(), trial(S.WAITING))
    assert evidence.smoke is None


def test_a_promotion_keeps_the_golden_replays_alone(evidence: TrialEvidence) -> None:
    evidence.follow(PROMOTED, trial(S.PASSED), trial(S.PASSED))
    assert evidence.guard.golden.replays == 1
    assert evidence.guard.good_median is None
    assert not evidence.guard.live.recent.candidate.points
    assert not evidence.take_smoke(trial(S.PASSED), PASSES)
    evidence.add(PROMOTED, trial(S.PASSED), {B: answers()}, 3.0)
    assert evidence.guard.samples(Side.CANDIDATE) == 30
    assert evidence.guard.samples(Side.STABLE) == 0


@pytest.mark.parametrize("other", [trial(S.WAITING, revision=C), None])
def test_nothing_is_left_of_another_trial(evidence: TrialEvidence, other: NodeTrial | None) -> None:
    evidence.follow(ON_TRIAL, trial(), other)
    assert evidence.guard.golden.replays == 0
    assert not evidence.guard.live.recent.stable.points
    assert evidence.smoke is None
    assert not evidence.take_smoke(trial(), PASSES)


def test_a_failed_trial_collects_nothing(evidence: TrialEvidence) -> None:
    points = len(evidence.guard.live.recent.stable.points)
    evidence.add(ON_TRIAL, trial(S.FAILED), {A: answers()}, 3.0)
    assert len(evidence.guard.live.recent.stable.points) == points


def test_only_traffic_is_judged(evidence: TrialEvidence) -> None:
    assert evidence.judge(ON_TRIAL, None, 3.0) is None
    assert evidence.judge(ON_TRIAL, trial(S.SMOKE_CHECK), 3.0) is None
    assert evidence.judge(ON_TRIAL, trial(), 3.0) is not None
