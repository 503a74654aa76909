"""A trial's entries in the timeline, in the order in which they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from skerry.api.edgenode import CandidateState
from skerry_agent.trial.machine import is_turn
from skerry_agent.trial.traffic import share_of_candidate

if TYPE_CHECKING:
    from skerry.api.edgenode import Verdict
    from skerry.api.modelroute import ModelRouteSpec
    from skerry_agent.trial.memory import NodeTrial


class Event(NamedTuple):
    """One entry; `at` in seconds since the epoch, None for now."""

    name: str
    fields: dict[str, Any]
    at: float | None = None


def of_trial(name: str, model: str, trial: NodeTrial, **more: Any) -> Event:
    """Return an event of a trial of `model`, NAMESPACE.NAME."""
    about = {"model": model, "revision": trial.revision, "attempt": trial.attempt}
    return Event(name, about | more)


def of_turn(
    model: str, route: ModelRouteSpec, before: NodeTrial | None, trial: NodeTrial | None
) -> tuple[Event, ...]:
    """Return what a reconcile changed in the trial; nothing when it is as before."""
    if trial is None or (before is not None and not is_turn(before, trial)):
        return ()
    failed = trial.state is CandidateState.FAILED
    if failed and trial.verdict and before is not None and before.state is not trial.state:
        return _of_failure(model, trial, trial.verdict)
    traffic = share_of_candidate(route, trial)
    return (of_trial("state", model, trial, state=trial.state.value, traffic=traffic),)


def _of_failure(model: str, trial: NodeTrial, verdict: Verdict) -> tuple[Event, ...]:
    found = of_trial(
        "verdict",
        model,
        trial,
        outcome=verdict.outcome.value,
        rule=verdict.rule,
        observed=verdict.observed,
        bound=verdict.bound,
        samples=verdict.samples,
    )._replace(at=verdict.decision_time.timestamp())
    if verdict.first_bad_answer_time is None:
        return (found,)
    first = of_trial("first_bad", model, trial)
    return first._replace(at=verdict.first_bad_answer_time.timestamp()), found
