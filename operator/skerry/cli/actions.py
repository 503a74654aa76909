"""Promote, abort, undo, retry: which annotation to write for it, or why it can't be done. No I/O.

`skerry.api.actions` says what an annotation may hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.actions import (
    ANNOTATION_ABORT,
    ANNOTATION_PROMOTE,
    ANNOTATION_RETRY,
    ANNOTATION_UNDO,
    Mark,
    join,
    marks,
)
from skerry.api.attempt import Attempt
from skerry.api.rollout import Promotion
from skerry.cli.errors import CliError
from skerry.cli.reading import rejection_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from skerry.api.edgemodel import TargetStatus
    from skerry.api.modelroute import ModelRouteSpec
    from skerry.cli.reading import Picture


@dataclass(frozen=True)
class Order:
    """An annotation to write.

    Attributes:
        consequences: a line for each class.
        risk: what a person should confirm first; empty for nothing.
    """

    key: str
    value: str
    consequences: tuple[str, ...]
    risk: str = ""


def promote(picture: Picture, classes: Sequence[str], now: datetime) -> Order:
    """Approve the candidates of these classes (none named: of all that have one).

    Raises:
        CliError: there is nothing to approve.
    """
    rollout = picture.model.spec.rollout
    if rollout.promotion is not Promotion.MANUAL:
        raise CliError(
            "spec.rollout.promotion is Automatic: a candidate that passes needs no approval",
            picture.title,
            "set it to Manual to approve candidates yourself",
        )
    found = [r for r in _routes(picture, classes) if r.candidate]
    if not found:
        raise _nothing(picture, "no candidate is on trial", "change the spec, then promote")
    nonce = _nonce(now)
    fresh = [Mark(_tried(route), nonce) for route in found]
    named = {mark.attempt.revision for mark in fresh}
    live = {_tried(r.spec) for r in picture.routes if r.spec.candidate}
    kept = [
        mark
        for mark in marks(picture.model.metadata.annotations, ANNOTATION_PROMOTE)
        if mark.attempt in live and mark.attempt.revision not in named
    ]
    consequences = [f"{route.hardware_class_name}: {_tried(route).revision} is approved{_when(picture, route)}"
            for route in found]  # fmt: skip
    return Order(ANNOTATION_PROMOTE, join((*kept, *fresh)), tuple(consequences))


def abort(picture: Picture, classes: Sequence[str]) -> Order:
    """Take the candidates of these classes back.

    Raises:
        CliError: there is none.
    """
    found = [r for r in _routes(picture, classes) if r.candidate]
    if not found:
        raise _nothing(picture, "no candidate is on trial", "use `undo` after a promotion")
    alone = [route.hardware_class_name for route in found if route.stable is None]
    risk = (
        f"nothing would answer on class {', '.join(alone)}: no revision is stable there yet"
        if alone
        else ""
    )
    consequences = [
        f"{r.hardware_class_name}: {_tried(r).revision} is rolled back and not tried again until a retry"
        for r in found
    ]
    value = join(tuple(Mark(_tried(route)) for route in found))
    return Order(ANNOTATION_ABORT, value, tuple(consequences), risk)


def undo(picture: Picture, classes: Sequence[str], now: datetime) -> Order:
    """Go back to the previous revision in these classes.

    Raises:
        CliError: none is kept.
    """
    routes = _routes(picture, classes)
    found = [r for r in routes if r.stable and r.previous and now < r.previous.expiration_time]
    if not found:
        ended = [
            f"{r.hardware_class_name}: until {r.previous.expiration_time:%Y-%m-%d %H:%M}"
            for r in routes
            if r.previous
        ]
        why = f" (it was kept in {'; '.join(ended)})" if ended else ""
        raise _nothing(
            picture,
            f"no previous revision is kept{why}",
            "change the spec back: the change is rolled out in waves",
        )
    consequences = [f"{r.hardware_class_name}: from {r.stable.revision} back to {r.previous.revision}"
            for r in found if r.stable and r.previous]  # fmt: skip
    value = join(tuple(Mark(Attempt.of(r.stable)) for r in found if r.stable))
    return Order(ANNOTATION_UNDO, value, tuple(consequences))


def retry(picture: Picture, now: datetime) -> Order:
    """Try again what failed or was rolled back.

    Raises:
        CliError: nothing did.
    """
    failed = [target for target in picture.model.status.targets if _has_ended(picture, target)]
    if not failed:
        raise _nothing(
            picture,
            "nothing failed or was rolled back",
            "see `status` for what it waits for; change the spec to start a new build",
        )
    consequences = tuple(
        f"{target.hardware_class_name}: retrying after {target.reason}" for target in failed
    )
    return Order(ANNOTATION_RETRY, _nonce(now), consequences)


def _has_ended(picture: Picture, target: TargetStatus) -> bool:
    """Return whether this class stays as it is until the spec is changed or tried again."""
    if rejection_of(picture.model, target) is not None:
        return True
    rollout = target.rollout
    return target.stalled and rollout.candidate is None and rollout.catching_up is None


def _routes(picture: Picture, classes: Sequence[str]) -> list[ModelRouteSpec]:
    known = [target.hardware_class_name for target in picture.model.spec.targets]
    wrong = [name for name in classes if name not in known]
    if wrong:
        raise CliError(
            f"it has no target {', '.join(wrong)}", picture.title, f"choose from {', '.join(known)}"
        )
    wanted = set(classes or known)
    return [route.spec for route in picture.routes if route.spec.hardware_class_name in wanted]


def _tried(route: ModelRouteSpec) -> Attempt:
    if route.candidate is None:
        raise ValueError("a route without a candidate")
    return Attempt.of(route.candidate)


def _when(picture: Picture, route: ModelRouteSpec) -> str:
    """Return what an approved candidate still waits for, in words; empty once its last wave has passed."""
    targets = (
        target
        for target in picture.model.status.targets
        if target.hardware_class_name == route.hardware_class_name
    )
    waves = (target.rollout.wave for target in targets if target.rollout.wave)
    if any(wave.index + 1 == wave.of and wave.passed >= wave.denominator > 0 for wave in waves):
        return ""
    return ": it will be promoted after its last wave"


def _nothing(picture: Picture, what: str, todo: str) -> CliError:
    states = "; ".join(f"{t.hardware_class_name} {t.reason}" for t in picture.model.status.targets)
    return CliError(f"{what} ({states or 'no status yet'})", picture.title, todo)


def _nonce(now: datetime) -> str:
    return now.strftime("%Y%m%dT%H%M%S.%f")
