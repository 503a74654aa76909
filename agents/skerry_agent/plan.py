"""What this node does with a model's revisions: the state machine of a trial, pure.

Each second the runner asks `advance` how the trial goes on, `shares` who gets how much of the
traffic, and `message` what a person should know. A Fail sticks to the attempt, whatever the
route says later; traffic goes only to revisions that answer; where nothing else does, even a failed
revision keeps it (NoFallback), unless the route names no stable at all.

Waiting -> SmokeCheck -> Shifting -> Soaking -> Passed, and from each of them to Failed; back to
Waiting when its pod stops answering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from skerry.api.attempt import Attempt
from skerry.api.common import Model
from skerry.api.edgenode import CandidateState, Verdict, VerdictOutcome, Veto
from skerry.api.guard import GuardMetric
from skerry.api.reasons import RolloutReason
from skerry.judging.guard import Finding
from skerry_agent.clock import as_date

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.api.placement import Member

MOST_VETOES = 8
LEAST_STEP_SECONDS = 3.0
GREATEST_STEP_SECONDS = 30.0
LOSSES = 3
"""A candidate whose health check fails so often under traffic is failed, not tried for ever."""

WITH_TRAFFIC = (CandidateState.SHIFTING, CandidateState.SOAKING, CandidateState.PASSED)


class Trial(Model):
    """How far a revision came on this node.

    `step_since` is of the monotonic clock, which another boot begins at zero: it is not kept on disk, and an
    agent that starts begins the step again.
    """

    revision: str
    attempt: int
    state: CandidateState = CandidateState.WAITING
    step: int = 0
    step_since: float = Field(default=0.0, exclude=True)
    losses: int = 0
    verdict: Verdict | None = None

    @property
    def key(self) -> Attempt:
        """What a veto sticks to."""
        return Attempt.of(self)


class Memory(Model):
    """What is kept on disk of one model: it outlives the agent.

    `uid` is the EdgeModel's: one that is made again under its name has no past.
    """

    uid: str = ""
    trial: Trial | None = None
    vetoes: tuple[Veto, ...] = ()

    def vetoed(self, attempt: Attempt) -> bool:
        """Whether this attempt failed here."""
        return any(map(attempt.matches, self.vetoes))

    def with_vetoes(self, vetoes: Iterable[Veto]) -> Memory:
        """Return the memory with vetoes that it lacks, those that were kept elsewhere."""
        new = [veto for veto in vetoes if not self.vetoed(Attempt.of(veto))]
        return self.model_copy(update={"vetoes": (*new, *self.vetoes)[-MOST_VETOES:]})


@dataclass(frozen=True)
class Seen:
    """What the node shows now. `up`: revisions whose server answers its check.

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
    """The attempt that is judged: the candidate, or stable while there is a way back from it."""
    if route.candidate is not None:
        return Attempt.of(route.candidate)
    if route.stable is not None and route.previous is not None:
        return Attempt.of(route.stable)
    return None


def step_seconds(route: ModelRouteSpec) -> float:
    """Least time at a traffic step before the last."""
    candidate = route.candidate
    if candidate is None or not candidate.traffic:
        return LEAST_STEP_SECONDS
    part = candidate.soak_seconds / len(candidate.traffic)
    return max(LEAST_STEP_SECONDS, min(GREATEST_STEP_SECONDS, part))


def advance(route: ModelRouteSpec, memory: Memory, seen: Seen) -> Memory:
    """The next state of the trial, given what was seen."""
    wanted = subject(route)
    if wanted is None:
        return memory.model_copy(update={"trial": None})
    trial = memory.trial
    if trial is None or trial.key != wanted:
        state = CandidateState.WAITING if route.candidate else CandidateState.PASSED
        trial = Trial(
            revision=wanted.revision, attempt=wanted.number, state=state, step_since=seen.now
        )
    if memory.vetoed(wanted):
        return _with(memory, trial.model_copy(update={"state": CandidateState.FAILED}))
    if trial.state is CandidateState.FAILED:
        return _with(memory, trial)
    failure = _failure(trial, seen)
    if failure is not None:
        return _failed(memory, trial, failure, seen)
    return _with(memory, _onward(route, trial, seen) if route.candidate else trial)


def _with(memory: Memory, trial: Trial) -> Memory:
    return memory.model_copy(update={"trial": trial})


def _failure(trial: Trial, seen: Seen) -> Finding | None:
    if trial.state is CandidateState.SMOKE_CHECK and _is(seen.smoke, VerdictOutcome.FAIL):
        return seen.smoke
    if trial.state in WITH_TRAFFIC and _is(seen.finding, VerdictOutcome.FAIL):
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


def _failed(memory: Memory, trial: Trial, finding: Finding, seen: Seen) -> Memory:
    at = as_date(seen.now + seen.ahead)
    veto = Veto(revision=trial.revision, attempt=trial.attempt, rule=finding.rule, failure_time=at)
    verdict = verdict_of(finding, seen)
    failed = trial.model_copy(update={"state": CandidateState.FAILED, "verdict": verdict})
    vetoes = (*memory.vetoes, veto)[-MOST_VETOES:]
    return memory.model_copy(update={"trial": failed, "vetoes": vetoes})


def verdict_of(finding: Finding, seen: Seen) -> Verdict:
    """The finding as it stands in EdgeNode.status."""
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


def _onward(route: ModelRouteSpec, trial: Trial, seen: Seen) -> Trial:
    """A candidate's way when nothing failed."""
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


def _lost(trial: Trial, seen: Seen) -> Trial:
    counts = trial.state in WITH_TRAFFIC and trial.revision not in seen.leaving
    waiting = _to(trial, CandidateState.WAITING, 0, seen.now)
    return waiting.model_copy(update={"losses": trial.losses + counts})


def _to(trial: Trial, state: CandidateState, step: int, now: float) -> Trial:
    if (trial.state, trial.step) == (state, step):
        return trial
    return trial.model_copy(update={"state": state, "step": step, "step_since": now})


def _at_step(route: ModelRouteSpec, trial: Trial, step: int, now: float) -> Trial:
    """Without stable there is nothing to share the traffic with: straight to the soak."""
    last = len(route.candidate.traffic) - 1 if route.candidate else 0
    if route.stable is None or step >= last:
        return _to(trial, CandidateState.SOAKING, max(last, 0), now)
    return _to(trial, CandidateState.SHIFTING, step, now)


def _through_steps(route: ModelRouteSpec, trial: Trial, seen: Seen) -> Trial:
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


def _overdue(trial: Trial, seen: Seen) -> Trial:
    """The soak's time is over but it can't be passed yet: says why, once per reason."""
    finding = seen.finding
    if finding is None or finding.outcome is VerdictOutcome.PASS:
        return trial
    said = trial.verdict
    if said is not None and (said.outcome, said.rule) == (finding.outcome, finding.rule):
        return trial
    return trial.model_copy(update={"verdict": verdict_of(finding, seen)})


def share_of_candidate(route: ModelRouteSpec, trial: Trial | None) -> int:
    """Per cent of the traffic that the trial's state gives the candidate."""
    if trial is None or route.candidate is None or trial.state not in WITH_TRAFFIC:
        return 0
    if route.stable is None or not route.candidate.traffic:
        return 100
    return route.candidate.traffic[min(trial.step, len(route.candidate.traffic) - 1)]


def shares(route: ModelRouteSpec, memory: Memory, up: frozenset[str]) -> dict[str, int]:
    """Per cent of the traffic by revision; those that are left out get none."""
    base = next((r for r in _good(route, memory) if r in up), None)
    share = share_of_candidate(route, memory.trial)
    candidate = route.candidate.revision if route.candidate else None
    if candidate is not None and share and candidate in up:
        return {candidate: 100} if base is None else {base: 100 - share, candidate: share}
    if base is not None:
        return {base: 100}
    if route.stable is None:
        return {}
    left = next((r for r in _bad(route, memory) if r in up), None)
    return {} if left is None else {left: 100}


def _roles(route: ModelRouteSpec) -> list[Attempt]:
    return [Attempt.of(role) for role in (route.stable, route.previous) if role]


def _good(route: ModelRouteSpec, memory: Memory) -> list[str]:
    return [one.revision for one in _roles(route) if not memory.vetoed(one)]


def _bad(route: ModelRouteSpec, memory: Memory) -> list[str]:
    """What failed here, and is still better than no answer."""
    roles = _roles(route)
    if route.candidate is not None:
        roles.append(Attempt.of(route.candidate))
    return [one.revision for one in roles if memory.vetoed(one)]


def message(route: ModelRouteSpec, memory: Memory, up: frozenset[str]) -> str:
    """What a person should know of this model on this node; empty when all is well."""
    given = shares(route, memory, up)
    if not given:
        return _why_nothing(route, memory, up)
    trial = memory.trial
    if route.stable is not None and route.stable.revision not in up:
        stable = route.stable.revision
        return (
            f"{RolloutReason.NO_FALLBACK}: stable {stable} does not answer here,"
            f" so {max(given)} keeps the traffic"
        )
    if trial is not None and trial.state is CandidateState.FAILED and given.get(trial.revision):
        return f"{RolloutReason.NO_FALLBACK}: {trial.revision} failed and nothing else answers here"
    return ""


def awaited(route: ModelRouteSpec, memory: Memory, place: Member | None) -> str:
    """Return what a candidate waits for here before it can be checked.

    Empty once it is checked, and where no wave has opened for this device yet.

    Args:
        route: the model's route.
        memory: with the trial.
        place: the device's shard and labels; None while they are not known.
    """
    trial = memory.trial
    if route.candidate is None or trial is None or trial.state is not CandidateState.WAITING:
        return ""
    if place is not None and not route.is_meant_for(place, trial.revision):
        return ""
    return f"no pod of candidate {trial.revision} answers on this node yet"


def _why_nothing(route: ModelRouteSpec, memory: Memory, up: frozenset[str]) -> str:
    trial = memory.trial
    if route.candidate is None and route.stable is None:
        halted = route.halted
        why = f": {halted.revision} was rolled back ({halted.rule})" if halted else ""
        return f"no revision is rolled out to this node's class{why}"
    if trial is not None and trial.state is CandidateState.FAILED and route.stable is None:
        rule = trial.verdict.rule if trial.verdict else "an earlier attempt"
        return f"revision {trial.revision} failed here ({rule}) and there is no stable revision yet"
    if trial is not None and trial.revision in up:
        return f"the agent checks revision {trial.revision} before it gets traffic"
    return "no pod of its revisions answers on this node"
