"""Each revision's share of a model's traffic on this node, and what a person should know of it.

Traffic goes only to revisions that answer. Where nothing else does, even a failed revision keeps it
(NoFallback), unless the route names no stable at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt
from skerry.api.edgenode import CandidateState
from skerry.api.reasons import RolloutReason

if TYPE_CHECKING:
    from skerry.api.modelroute import ModelRouteSpec
    from skerry_agent.trial.memory import Memory, NodeTrial


def share_of_candidate(route: ModelRouteSpec, trial: NodeTrial | None) -> int:
    """Return the percentage of the traffic that the trial's state gives the candidate."""
    if trial is None or route.candidate is None or not trial.has_traffic:
        return 0
    if route.stable is None or not route.candidate.traffic:
        return 100
    return route.candidate.traffic[min(trial.step, len(route.candidate.traffic) - 1)]


def shares(route: ModelRouteSpec, memory: Memory, up: frozenset[str]) -> dict[str, int]:
    """Return the percentage of the traffic by revision; those that are left out get none."""
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
    """Return what failed here, and is still better than no answer."""
    roles = _roles(route)
    if route.candidate is not None:
        roles.append(Attempt.of(route.candidate))
    return [one.revision for one in roles if memory.vetoed(one)]


def message(route: ModelRouteSpec, memory: Memory, up: frozenset[str]) -> str:
    """Return what a person should know of this model on this node; empty when all is well."""
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


def awaited(route: ModelRouteSpec, memory: Memory) -> str:
    """Return what a candidate waits for here before it can be checked; empty once it is checked."""
    trial = memory.trial
    if route.candidate is None or trial is None or trial.state is not CandidateState.WAITING:
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
