"""Writes that the API server refused at the last try, and what they change in what is reported.

Nothing of a refused write is taken for done: a class whose route was refused is described by the
route that stands, and a job that was refused reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from skerry.api.edgemodel import Phase
from skerry.api.reasons import ConditionType
from skerry.decide.build.state import BuildState
from skerry.decide.conditions import Finding
from skerry.decide.rollout.model import Story

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from skerry.api.reasons import Cause
    from skerry.decide.build.builds import TargetBuild
    from skerry.decide.rollout.model import TargetDecision

NAMED = 3
_OPEN_BUILD = {Phase.PENDING, Phase.OPTIMIZING}
_OPEN_ROLLOUT = {Phase.PENDING, Phase.ROLLING_OUT, Phase.PAUSED}


class Concern(Enum):
    """What a write is part of, and so what waits while it is refused."""

    BUILD = "Build"
    ROUTE = "Route"
    ROLLOUT = "Rollout"
    NOTHING = "Nothing"


@dataclass(frozen=True)
class Refused:
    """A write that the API server refused.

    Attributes:
        kind, name: the object.
        concern: what waits for it.
        hardware_class: the class that it belongs to; empty for all of them.
        cause: with the object, the API server's words, and what to do; None for a conflict, which is tried
            again at once and not reported.
    """

    kind: str
    name: str
    concern: Concern
    hardware_class: str = ""
    cause: Cause | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it the same refusal as before, whatever numbers the message holds."""
        return self.kind, self.name, self.cause.reason if self.cause else ""

    def is_of(self, hardware_class: str) -> bool:
        """Return whether the class waits for this write."""
        return self.hardware_class in {"", hardware_class}


def holds_route(refused: Iterable[Refused], hardware_class: str) -> bool:
    """Return whether the route of this class stays unchanged."""
    return any(r.concern is Concern.ROUTE and r.is_of(hardware_class) for r in refused)


def of_build(refused: Iterable[Refused], build: TargetBuild) -> TargetBuild:
    """Say of a build that waits for a refused write that it does."""
    if build.state.phase not in _OPEN_BUILD:
        return build
    cause = _first(refused, build.hardware_class, {Concern.BUILD})
    if cause is None:
        return build
    running = build.state is BuildState.IN_PROGRESS
    return replace(build, state=build.state if running else BuildState.WAITING, cause=cause)


def of_rollout(
    refused: Iterable[Refused], hardware_class: str, rollout: TargetDecision
) -> TargetDecision:
    """Say of a rollout that waits for a refused write that it does."""
    phase = rollout.story.phase
    if phase not in _OPEN_ROLLOUT:
        return rollout
    cause = _first(refused, hardware_class, {Concern.ROUTE, Concern.ROLLOUT})
    return replace(rollout, story=Story(phase, cause)) if cause else rollout


def finding(refused: Sequence[Refused]) -> Finding | None:
    """Return `Stalled` while a person has to act, else `Reconciling`; None when nothing is refused."""
    reported = sorted((r.cause for r in refused if r.cause), key=lambda cause: not cause.stalls)
    if not reported:
        return None
    first = reported[0]
    said = [cause.message for cause in reported[:NAMED]]
    if len(reported) > NAMED:
        said.append(f"and {len(reported) - NAMED} more")
    kind = ConditionType.STALLED if first.stalls else ConditionType.RECONCILING
    return Finding(kind, holds=True, cause=replace(first, message="; ".join(said)))


def _first(refused: Iterable[Refused], hardware_class: str, concerns: set[Concern]) -> Cause | None:
    """Return the cause to report of a class: one that a person has to act on, if there is one."""
    mine = (r for r in refused if r.concern in concerns and r.is_of(hardware_class))
    return min((r.cause for r in mine if r.cause), key=lambda c: not c.stalls, default=None)
