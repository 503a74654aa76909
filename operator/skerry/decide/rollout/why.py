"""Why nodes are not where a rollout waits for them: what their pods, taints and agents say, in few words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from skerry.api.edgenode import VerdictOutcome
from skerry.api.reasons import Cause, PodReason
from skerry.decide.rollout.nodes import serves

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from skerry.decide.rollout.model import NodeView, TargetView

NAMED = 3
NO_AGENT = (
    "its agent has no heartbeat yet; the node is left out 5 minutes after it joined its class"
)


def names(nodes: Iterable[NodeView]) -> str:
    """Return the first few names in order, and how many more there are."""
    return _named({node.name for node in nodes})


def causes(view: TargetView, nodes: Iterable[NodeView], revision: str) -> dict[str, Cause]:
    """Return why nodes have no Ready pod of the revision, by node, where that is more than that it starts."""
    found = ((node.name, view.causes.get((node.name, revision))) for node in nodes)
    return {
        name: cause for name, cause in found if cause and cause.reason is not PodReason.STARTING
    }


def summary(found: dict[str, Cause]) -> str:
    """Return the cause that most nodes share, with their names; the others are counted."""
    return _grouped({name: (cause.reason, cause.message) for name, cause in found.items()})


def shared(found: dict[str, Cause], nodes: Sequence[NodeView]) -> Cause | None:
    """Return the cause that most nodes share when all of them have one: nothing else is waited for."""
    if not nodes or any(node.name not in found for node in nodes):
        return None
    reasons = [cause.reason for cause in found.values()]
    most = max((found[name] for name in sorted(found)), key=lambda one: reasons.count(one.reason))
    return replace(most, message=summary(found))


def any_cause(view: TargetView, nodes: Iterable[NodeView], revision: str) -> str:
    """Return what is known of nodes that are waited for: from their pods, else from their agents."""
    words = {}
    for node in nodes:
        cause = view.causes.get((node.name, revision))
        said = cause.message if cause else _agent_says(node, revision)
        words[node.name] = (cause.reason if cause else said, said)
    return _grouped(words)


def without_agent(nodes: Iterable[NodeView]) -> str:
    """Return which nodes wait for their agent; empty without one."""
    return _grouped({node.name: (NO_AGENT,) * 2 for node in nodes if node.agent_awaited})


def left_out(view: TargetView) -> str:
    """Return which nodes are left out and why; empty when those that are serve what is desired."""
    outside = [node for node in view.nodes if node.left_out and not serves(node, view.desired)]
    if not outside:
        return ""
    return f"left out: {_grouped({node.name: (node.left_out,) * 2 for node in outside})}"


def _agent_says(node: NodeView, revision: str) -> str:
    report = node.model
    if node.agent_awaited:
        return NO_AGENT
    if report is None:
        return "its agent has not reported on this model"
    tried = report.candidate
    if tried is None or tried.revision != revision:
        return report.message or f"its agent reports nothing about {revision}"
    verdict = tried.verdict
    passing = verdict is None or verdict.outcome is VerdictOutcome.PASS
    said = "" if passing or verdict is None else verdict.message or verdict.outcome.value
    said = said or report.message
    return f"its candidate is {tried.state}" + (f", {said}" if said else "")


def _grouped(words: dict[str, tuple[str, str]]) -> str:
    """Return the kind of words that most nodes have: all their names, and the words of the first of them.

    Args:
        words: their kind and they themselves, by node.
    """
    kinds = [kind for kind, _ in words.values()]
    first = max(sorted(words), key=lambda name: kinds.count(words[name][0]), default=None)
    if first is None:
        return ""
    kind, said = words[first]
    others = len(kinds) - kinds.count(kind)
    more = f" (and {others} nodes for other reasons)" if others > 1 else ""
    more = " (and 1 node for another reason)" if others == 1 else more
    return f"{_named({name for name in words if words[name][0] == kind})}{more}: {said}"


def _named(found: set[str]) -> str:
    ordered = sorted(found)
    more = len(ordered) - NAMED
    return ", ".join(ordered[:NAMED]) + (f" and {more} more" if more > 0 else "")
