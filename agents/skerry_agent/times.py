"""Readings of the device's clocks, and dates as Python and the API server can both write them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

LATEST = datetime(2199, 12, 31, tzinfo=UTC)
"""The last date that is written: neither Python nor the API server takes every year."""


@dataclass(frozen=True)
class Reading:
    """Both clocks at one moment.

    Attributes:
        now: the monotonic clock, in seconds.
        ahead: the wall clock minus the monotonic one.
        jumps: how often the wall clock was set.
        jumped_by: seconds of the last jump; negative when the clock was set back.
    """

    now: float
    ahead: float = 0.0
    jumps: int = 0
    jumped_by: float = 0.0


def as_date(seconds: float) -> datetime:
    """Return the date of seconds since the epoch, within the years that everybody can read."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), LATEST.timestamp()), UTC)
