"""Which attempts of a revision are never to be tried again, from the status and the route together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.api.edgemodel import Rejection
    from skerry.api.modelroute import Halt, ModelRouteSpec
    from skerry.decide.rollout.model import TargetView


def rejection_of(view: TargetView, revision: str) -> Rejection | None:
    """Return the last recorded rejection of a revision in this class."""
    found = [r for r in _of_class(view) if r.revision == revision]
    return max(found, key=lambda rejection: rejection.attempt, default=None)


def is_rejected(view: TargetView, attempt: Attempt) -> bool:
    """Return whether this attempt was rolled back, in the status or (not recorded yet) in the route.

    A rejection holds for its attempt and those before it, so that a lost counter opens nothing.
    """
    halted = view.route.halted if view.route else None
    if halted and attempt.is_ruled_out_by(halted):
        return True
    return any(map(attempt.is_ruled_out_by, _of_class(view)))


def is_recorded(view: TargetView, halted: Halt | None) -> bool:
    """Return whether the observed status remembers the halt, so that the route may forget it."""
    if halted is None:
        return True
    return any(map(Attempt.of(halted).matches, _of_class(view)))


def next_attempt(
    attempt: int, rejections: Iterable[Rejection], route: ModelRouteSpec | None
) -> int:
    """Return the attempt that a retry asks for: above every rejected one of this class.

    Args:
        attempt: of the target's status.
        rejections: of the target's class.
        route: as observed.
    """
    taken = [rejection.attempt for rejection in rejections]
    if route and route.halted:
        taken.append(route.halted.attempt)
    return max([attempt, *taken]) + 1


def _of_class(view: TargetView) -> Iterable[Rejection]:
    return (r for r in view.rejections if r.hardware_class_name == view.hardware_class)
