"""Writes that the API server refused at the last try, and what they change in what is reported.

Nothing of a refused write is taken for done: a class whose route was refused is described by the
route that stands, and a job that was refused reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from skerry.api.edgemodel import Phase
from skerry.decide.conditions import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from skerry.decide.build.builds import TargetBuild
    from skerry.decide.rollout.model import TargetDecision

STALLED = "Stalled"
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
        reason: one CamelCase word; empty for a conflict, which is tried again at once and not reported.
        message: object, the API server's words, and what to do.
        stalls: whether a person has to act.
    """

    kind: str
    name: str
    concern: Concern
    hardware_class: str = ""
    reason: str = ""
    message: str = ""
    stalls: bool = True

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it the same refusal as before, whatever numbers the message holds."""
        return self.kind, self.name, self.reason

    def is_of(self, hardware_class: str) -> bool:
        """Whether the class waits for this write."""
        return self.hardware_class in {"", hardware_class}


def holds_route(refused: Iterable[Refused], hardware_class: str) -> bool:
    """Whether the route of this class stands as it was."""
    return any(r.concern is Concern.ROUTE and r.is_of(hardware_class) for r in refused)


def of_build(refused: Iterable[Refused], build: TargetBuild) -> TargetBuild:
    """Say of a build that waits for a refused write that it does."""
    if build.phase not in _OPEN_BUILD:
        return build
    found = _first(refused, build.hardware_class, {Concern.BUILD})
    return replace(build, reason=found.reason, message=found.message) if found else build


def of_rollout(
    refused: Iterable[Refused], hardware_class: str, rollout: TargetDecision
) -> TargetDecision:
    """Say of a rollout that waits for a refused write that it does."""
    if rollout.phase not in _OPEN_ROLLOUT:
        return rollout
    found = _first(refused, hardware_class, {Concern.ROUTE, Concern.ROLLOUT})
    return replace(rollout, reason=found.reason, message=found.message) if found else rollout


def finding(refused: Sequence[Refused]) -> Finding | None:
    """`Stalled` while a person has to act, else `Reconciling`; None when nothing is refused."""
    reported = sorted((r for r in refused if r.reason), key=lambda r: not r.stalls)
    if not reported:
        return None
    first = reported[0]
    said = [r.message for r in reported[:NAMED]]
    if len(reported) > NAMED:
        said.append(f"and {len(reported) - NAMED} more")
    kind = STALLED if first.stalls else "Reconciling"
    return Finding(kind, holds=True, reason=first.reason, message="; ".join(said))


def _first(
    refused: Iterable[Refused], hardware_class: str, concerns: set[Concern]
) -> Refused | None:
    """Return the refusal to report of a class: one that a person has to act on, if there is one."""
    found = [r for r in refused if r.reason and r.concern in concerns and r.is_of(hardware_class)]
    return min(found, key=lambda r: not r.stalls, default=None)
