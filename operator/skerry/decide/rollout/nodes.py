"""What one node says about a revision: passed, failed, silent, or done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt
from skerry.api.edgenode import CandidateState, NodeCandidate, Verdict, VerdictOutcome

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec, RouteCandidate
    from skerry.decide.rollout.model import NodeView


def serves(node: NodeView, revision: str | None) -> bool:
    """Return whether the node's traffic goes to the revision."""
    return node.model is not None and revision is not None and node.model.serving == revision


def runs(node: NodeView, tried: RouteCandidate) -> bool:
    """Return whether the candidate runs on the node; for an unreachable node its agent's last report counts."""
    if node.reachable:
        return tried.revision in node.ready_revisions
    trial = _trial(node, Attempt.of(tried))
    return trial is not None and trial.state is not CandidateState.WAITING


def has_passed(node: NodeView, attempt: Attempt, generation: int) -> bool:
    """Return whether the node's agent passed this attempt, and has seen the current roles."""
    tried = _trial(node, attempt)
    if node.model is None or tried is None or has_failed(node, attempt):
        return False
    return (
        node.model.observed_route_generation >= generation and tried.state is CandidateState.PASSED
    )


def has_failed(node: NodeView, attempt: Attempt) -> bool:
    """Return whether the node's agent failed this attempt; a failure lasts, whatever the route said since."""
    if node.model is None:
        return False
    if any(map(attempt.matches, node.model.vetoes)):
        return True
    tried = _trial(node, attempt)
    return tried is not None and (
        tried.state is CandidateState.FAILED
        or (tried.verdict is not None and tried.verdict.outcome is VerdictOutcome.FAIL)
    )


def failing_rule(node: NodeView, attempt: Attempt) -> str:
    """Return the guard's rule that failed on the node, `unknown` when its agent does not say."""
    found = verdict(node, attempt)
    if found is not None and found.rule:
        return found.rule
    vetoes = node.model.vetoes if node.model else ()
    rules = (veto.rule for veto in vetoes if attempt.matches(veto))
    return next((rule for rule in rules if rule), "unknown")


def verdict(node: NodeView, attempt: Attempt) -> Verdict | None:
    """Return the verdict behind a failure, with its figures, when the node still reports it."""
    tried = _trial(node, attempt)
    return tried.verdict if tried else None


def silence_seconds(node: NodeView, now: datetime) -> float:
    """Return how long the node is known to have been unreachable; 0 while it is reachable."""
    if node.reachable:
        return 0.0
    if node.silent_seconds is not None:
        return node.silent_seconds
    return (now - node.unreachable_since).total_seconds() if node.unreachable_since else 0.0


def counts_since(node: NodeView, opened_at: datetime) -> bool:
    """Return whether the node belongs to a wave's denominator: not left out, online when the wave opened."""
    if node.left_out:
        return False
    if node.reachable:
        return True
    return node.unreachable_since is not None and node.unreachable_since > opened_at


def has_released(node: NodeView, route: ModelRouteSpec, generation: int, revision: str) -> bool:
    """Return whether the node's agent has seen that `revision` leaves, and another revision answers there.

    Without a stable revision in the route (a first rollout that was rolled back) nothing can answer;
    that the agent has seen it is enough.
    """
    report = node.model
    if (
        report is None
        or report.observed_route_generation < generation
        or report.serving == revision
    ):
        return False
    if route.stable is None:
        return True
    return report.stable == route.stable.revision and report.healthy


def _trial(node: NodeView, attempt: Attempt) -> NodeCandidate | None:
    tried = node.model.candidate if node.model else None
    return tried if tried is not None and attempt.matches(tried) else None
