"""How phases, ages and figures are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.edgemodel import Phase

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.modelvariant import Interval

STYLES = {
    Phase.FAILED: "bold red",
    Phase.ROLLED_BACK: "bold red",
    Phase.PAUSED: "bold yellow",
    Phase.ROLLING_OUT: "bold cyan",
    Phase.OPTIMIZING: "bold cyan",
    Phase.PENDING: "bold",
    Phase.SERVING: "bold green",
}
MINUTE, HOUR, DAY = 60, 3600, 86400


def age(since: datetime, now: datetime) -> str:
    """Return how long ago, or in how long: 42s, 5m, 3h, 2d."""
    seconds = abs((now - since).total_seconds())
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def figure(interval: Interval | None, unit: str = "") -> str:
    """Return an estimate with its interval, three digits each: 1.49x [1.37, 1.84]."""
    if interval is None:
        return "-"
    value, low, high = (float(n) for n in (interval.value, interval.low, interval.high))
    return f"{value:.3g}{unit} [{low:.3g}, {high:.3g}]"


def megabytes(count: int) -> str:
    """Return bytes as megabytes: 58.8 MB."""
    return f"{count / 1e6:.3g} MB"
