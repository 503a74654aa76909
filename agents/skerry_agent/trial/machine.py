"""The state machine of a trial.

Waiting -> SmokeCheck -> Shifting -> Soaking -> Passed, and from each of them to Failed; back to Waiting when
the candidate's server stops answering. A Fail sticks to the attempt, whatever the route says later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt
from skerry.api.edgenode import CandidateState, Verdict, VerdictOutcome, Veto
from skerry.api.guard import GuardMetric
from skerry.judging.guard import Finding
from skerry_agent.times import as_date
from skerry_agent.trial.memory import MOST_VETOES, NodeTrial

if TYPE_CHECKING:
    from skerry.api.modelroute import ModelRouteSpec
    from skerry_agent.trial.memory import Memory

LEAST_STEP_SECONDS = 3.0
GREATEST_STEP_SECONDS = 30.0
LOSSES = 3
"""A candidate whose health check fails so often under traffic is failed, not tried for ever."""


@dataclass(frozen=True)
class Observation:
    """What the node shows now. `up`: revisions whose server passes its health check.

    `now` is of the monotonic clock, `ahead` how many seconds the wall clock is ahead of it.
    """

    now: float
    up: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()
    smoke: Finding | None = None
    finding: Finding | None = None
    samples: int = 0
    ahead: float = 0.0


def subject(route: ModelRouteSpec) -> Attempt | None:
    """Return the attempt that is judged: the candidate, or stable while there is a way back from it."""
    if route.candidate is not None:
        return Attempt.of(route.candidate)
    if route.stable is not None and route.previous is not None:
        return Attempt.of(route.stable)
    return None


def is_turn(before: NodeTrial, trial: NodeTrial) -> bool:
    """Return whether the trial changed its state or step, or is another one."""
    return (before.key, before.state, before.step) != (trial.key, trial.state, trial.step)


def step_seconds(route: ModelRouteSpec) -> float:
    """Return the least time at a traffic step before the last."""
    candidate = route.candidate
    if candidate is None or not candidate.traffic:
        return LEAST_STEP_SECONDS
    part = candidate.soak_seconds / len(candidate.traffic)
    return max(LEAST_STEP_SECONDS, min(GREATEST_STEP_SECONDS, part))


def advance(route: ModelRouteSpec, memory: Memory, seen: Observation) -> Memory:
    """Return the memory with the next state of the trial."""
    wanted = subject(route)
    if wanted is None:
        return memory.with_trial(None)
    trial = memory.trial
    if trial is None or trial.key != wanted:
        state = CandidateState.WAITING if route.candidate else CandidateState.PASSED
        trial = NodeTrial(
            revision=wanted.revision, attempt=wanted.number, state=state, step_since=seen.now
        )
    if memory.vetoed(wanted):
        return memory.with_trial(trial.model_copy(update={"state": CandidateState.FAILED}))
    if trial.state is CandidateState.FAILED:
        return memory.with_trial(trial)
    failure = _failure(trial, seen)
    if failure is not None:
        return _failed(memory, trial, failure, seen)
    return memory.with_trial(_onward(route, trial, seen) if route.candidate else trial)


def _failure(trial: NodeTrial, seen: Observation) -> Finding | None:
    if trial.state is CandidateState.SMOKE_CHECK and _is(seen.smoke, VerdictOutcome.FAIL):
        return seen.smoke
    if trial.has_traffic and _is(seen.finding, VerdictOutcome.FAIL):
        return seen.finding
    if trial.losses < LOSSES:
        return None
    return Finding(
        VerdictOutcome.FAIL,
        GuardMetric.ERRORS,
        observed=f"health check lost {trial.losses} times",
        bound=f"{LOSSES} times",
        message=f"its health check failed {trial.losses} times while it had traffic",
    )


def _is(finding: Finding | None, outcome: VerdictOutcome) -> bool:
    return finding is not None and finding.outcome is outcome


def _failed(memory: Memory, trial: NodeTrial, finding: Finding, seen: Observation) -> Memory:
    at = as_date(seen.now + seen.ahead)
    veto = Veto(revision=trial.revision, attempt=trial.attempt, rule=finding.rule, failure_time=at)
    verdict = verdict_of(finding, seen)
    failed = trial.model_copy(update={"state": CandidateState.FAILED, "verdict": verdict})
    vetoes = (*memory.vetoes, veto)[-MOST_VETOES:]
    return memory.model_copy(update={"trial": failed, "vetoes": vetoes})


def verdict_of(finding: Finding, seen: Observation) -> Verdict:
    """Return the finding as it stands in EdgeNode.status."""
    first = finding.first_bad_at
    return Verdict(
        outcome=finding.outcome,
        rule=finding.rule,
        observed=finding.observed[:128],
        bound=finding.bound[:64],
        samples=finding.samples,
        message=finding.message[:1024],
        decision_time=as_date(seen.now + seen.ahead),
        first_bad_answer_time=None if first is None else as_date(first + seen.ahead),
    )


def _onward(route: ModelRouteSpec, trial: NodeTrial, seen: Observation) -> NodeTrial:
    """Return the next state of a candidate when nothing failed."""
    if trial.revision not in seen.up:
        return _lost(trial, seen)
    if trial.state is CandidateState.WAITING:
        return _to(trial, CandidateState.SMOKE_CHECK, 0, seen.now)
    if trial.state is CandidateState.SMOKE_CHECK:
        passed = _is(seen.smoke, VerdictOutcome.PASS)
        return _at_step(route, trial, 0, seen.now) if passed else trial
    if trial.state is CandidateState.PASSED:
        return trial
    return _through_steps(route, trial, seen)


def _lost(trial: NodeTrial, seen: Observation) -> NodeTrial:
    counts = trial.has_traffic and trial.revision not in seen.leaving
    waiting = _to(trial, CandidateState.WAITING, 0, seen.now)
    return waiting.model_copy(update={"losses": trial.losses + counts})


def _to(trial: NodeTrial, state: CandidateState, step: int, now: float) -> NodeTrial:
    if (trial.state, trial.step) == (state, step):
        return trial
    return trial.model_copy(update={"state": state, "step": step, "step_since": now})


def _at_step(route: ModelRouteSpec, trial: NodeTrial, step: int, now: float) -> NodeTrial:
    """Return the trial at a step; without stable, which would share the traffic, in its soak."""
    last = len(route.candidate.traffic) - 1 if route.candidate else 0
    if route.stable is None or step >= last:
        return _to(trial, CandidateState.SOAKING, max(last, 0), now)
    return _to(trial, CandidateState.SHIFTING, step, now)


def _through_steps(route: ModelRouteSpec, trial: NodeTrial, seen: Observation) -> NodeTrial:
    soaking = trial.state is CandidateState.SOAKING
    soak = route.candidate.soak_seconds if route.candidate else 0
    if seen.finding is None or seen.now - trial.step_since < (
        soak if soaking else step_seconds(route)
    ):
        return trial
    enough = seen.samples >= route.guard.min_samples
    if not (enough and _is(seen.finding, VerdictOutcome.PASS)):
        return _overdue(trial, seen) if soaking else trial
    if not soaking:
        return _at_step(route, trial, trial.step + 1, seen.now)
    passed = _to(trial, CandidateState.PASSED, trial.step, seen.now)
    return passed.model_copy(update={"verdict": verdict_of(seen.finding, seen)})


def _overdue(trial: NodeTrial, seen: Observation) -> NodeTrial:
    """Return the trial with the reason why it is not passed although its soak is over, once per reason."""
    finding = seen.finding
    if finding is None or finding.outcome is VerdictOutcome.PASS:
        return trial
    said = trial.verdict
    if said is not None and (said.outcome, said.rule) == (finding.outcome, finding.rule):
        return trial
    return trial.model_copy(update={"verdict": verdict_of(finding, seen)})
