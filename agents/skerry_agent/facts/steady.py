"""Which findings are reported: no flutter of a plug or of a charge becomes a storm of writes. Pure.

A change is reported once it has held for `HOLD_SECONDS` and not within `PAUSE_SECONDS` of the last one.
What the device is when the agent starts is reported at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skerry.api.facts import DeviceFacts

HOLD_SECONDS = 30.0
PAUSE_SECONDS = 300.0
STEP = 20
"""Per cent of charge."""

SLACK = 5
"""Percent beyond a step before the next one is reported, so that a charge near a bound does not alternate."""


@dataclass(frozen=True)
class Steady:
    """What is reported and what is seen; times in seconds of a monotonic clock.

    Attributes:
        reported: as EdgeNode.status shows it.
        reported_at: when that began.
        seen: the last finding, with its charge in steps.
        seen_at: since when it is the same.
    """

    reported: DeviceFacts
    reported_at: float
    seen: DeviceFacts
    seen_at: float


def begin(found: DeviceFacts, now: float) -> Steady:
    """Return the first finding."""
    first = in_steps(found, None)
    return Steady(first, now, first, now)


def settle(state: Steady, found: DeviceFacts, now: float) -> Steady:
    """Return the state after another look."""
    seen = in_steps(found, state.reported)
    if seen != state.seen:
        state = replace(state, seen=seen, seen_at=now)
    held = now - state.seen_at >= HOLD_SECONDS
    if seen == state.reported or not held or now - state.reported_at < PAUSE_SECONDS:
        return state
    return replace(state, reported=seen, reported_at=now)


def in_steps(found: DeviceFacts, reported: DeviceFacts | None) -> DeviceFacts:
    """Return the finding with its charge rounded down to a step, or the reported charge while that is near."""
    if found.power is None or found.power.battery_percent is None:
        return found
    percent, shown = found.power.battery_percent, None
    if reported is not None and reported.power is not None:
        shown = reported.power.battery_percent
    if shown is None or not shown - SLACK <= percent < shown + STEP + SLACK:
        shown = min(percent // STEP * STEP, 100)
    power = found.power.model_copy(update={"battery_percent": shown})
    return found.model_copy(update={"power": power})
