"""What a person does to a rollout: approve, abort, undo. Suspension holds none of these but approval.

An annotation names revision and attempt, and stays as long as its writer leaves it: an abort or undo that
is done leaves a rejection, after which there is nothing left that it names; an approval is used once,
which the status remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt
from skerry.api.modelroute import Halt
from skerry.decide.rollout.situation import change, way_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.api.modelroute import ModelRouteSpec, RouteCandidate
    from skerry.decide.rollout.model import TargetView
    from skerry.decide.rollout.situation import Situation

RULE_ABORTED = "Aborted"
RULE_UNDONE = "Undone"


def abort(now: Situation) -> ModelRouteSpec | None:
    """Roll back a candidate that the user aborts, as if it had failed."""
    tried = now.route.candidate
    if tried is None or Attempt.of(tried) not in now.view.actions.abort:
        return None
    halt = Halt(
        revision=tried.revision, attempt=tried.attempt, rule=RULE_ABORTED,
        message="a user aborted it (annotation skerry.dev/abort)", rollback_time=now.now,
    )  # fmt: skip
    return change(now.route, candidate=None, halted=halt)


def undo(now: Situation) -> ModelRouteSpec | None:
    """Return to the previous revision when the user undoes stable, while there is a previous one."""
    stable, back = now.route.stable, way_back(now)
    if stable is None or back is None:
        return None
    if Attempt.of(stable) not in now.view.actions.undo:
        return None
    halt = Halt(
        revision=stable.revision, attempt=stable.attempt, rule=RULE_UNDONE,
        message="a user undid it (annotation skerry.dev/undo)", rollback_time=now.now,
    )  # fmt: skip
    return change(now.route, stable=back, candidate=None, previous=None, halted=halt)


def approval(view: TargetView, tried: RouteCandidate) -> str | None:
    """Return the promote annotation's word for this attempt of the candidate, unless it was used before."""
    used = view.status.approved if view.status else None
    words = _approvals(view, Attempt.of(tried))
    return next((word for word in words if word != used), None)


def used_approval(view: TargetView, route: ModelRouteSpec) -> str | None:
    """Return the approval that the status remembers as used.

    Derived from what the status said before and what the route says now, since the operator may be
    killed between the two writes.
    """
    before = view.status.approved if view.status else None
    stable = route.stable
    was = view.status.stable if view.status else None
    if stable is None or stable.revision == was:
        return before
    words = _approvals(view, Attempt.of(stable))
    return next((word for word in words if word != before), before)


def _approvals(view: TargetView, attempt: Attempt) -> Iterator[str]:
    """Yield the words of the promote annotation that approve the attempt."""
    return (str(mark) for mark in view.actions.promote if mark.attempt == attempt)
