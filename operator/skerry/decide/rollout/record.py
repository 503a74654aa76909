"""What the status remembers: rejections and how revisions ended, from differences alone.

The status is written after the route, and the operator may be killed between: so an entry is derived
from what the status (and the route) said before and what the route says now, by whichever pass comes
first to write it. It is written together with the roles that it was derived from, hence once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.edgemodel import HistoryEntry, Outcome, Rejection
from skerry.decide.rollout.actions import RULE_ABORTED
from skerry.decide.rollout.rejected import is_recorded

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import TargetView


def new_rejections(view: TargetView, route: ModelRouteSpec) -> tuple[Rejection, ...]:
    """Return the route's halt (of this reconcile or an earlier one), unless the status has it."""
    halts = {halt for halt in (view.route and view.route.halted, route.halted) if halt}
    return tuple(
        Rejection(
            hardware_class_name=view.hardware_class,
            revision=halt.revision,
            attempt=halt.attempt,
            rule=halt.rule,
            message=halt.message,
            rollback_time=halt.rollback_time,
        )
        for halt in sorted(halts, key=lambda halt: halt.rollback_time)
        if not is_recorded(view, halt)
    )


def new_history(
    view: TargetView, route: ModelRouteSpec, rejections: tuple[Rejection, ...], now: datetime
) -> tuple[HistoryEntry, ...]:
    """Return how revisions ended since the last status write."""
    entries = [
        _entry(view, rejection.revision, _outcome(rejection), now, rejection.message)
        for rejection in rejections
    ]
    stable = route.stable.revision if route.stable else None
    if view.status and stable and stable != view.status.stable and not _fell_back(view, entries):
        entries.append(_entry(view, stable, Outcome.PROMOTED, now))
    ended = {entry.revision for entry in entries} | {stable}
    gone = sorted(_candidates_before(view) - _candidates(route) - ended)
    entries.extend(_entry(view, revision, Outcome.SUPERSEDED, now) for revision in gone)
    return tuple(entries)


def _outcome(rejection: Rejection) -> Outcome:
    return Outcome.ABORTED if rejection.rule == RULE_ABORTED else Outcome.ROLLED_BACK


def _fell_back(view: TargetView, entries: list[HistoryEntry]) -> bool:
    """Return whether stable itself was rolled back: the revision that returns was promoted long ago."""
    return view.status is not None and view.status.stable in {entry.revision for entry in entries}


def _candidates_before(view: TargetView) -> set[str]:
    said = {view.status.candidate} if view.status and view.status.candidate else set()
    return said | (_candidates(view.route) if view.route else set())


def _candidates(route: ModelRouteSpec) -> set[str]:
    return {route.candidate.revision} if route.candidate else set()


def _entry(
    view: TargetView, revision: str, outcome: Outcome, now: datetime, message: str = ""
) -> HistoryEntry:
    return HistoryEntry(
        hardware_class_name=view.hardware_class,
        revision=revision,
        outcome=outcome,
        completion_time=now,
        message=message,
    )
