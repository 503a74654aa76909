"""Is stable itself slower than it was before the candidate came? That may hold, it never fails.

A candidate that hogs the processor slows stable too and so hides itself from every comparison of the
two. Against its own past a node gives false windows (6 % of them), hence it only keeps a soak from
ending while it lasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.edgenode import VerdictOutcome
from skerry.judging.guard.finding import Finding

if TYPE_CHECKING:
    from skerry.judging.guard.recent import Recent

RULE = "OwnPast"
HOLD_TIMES = 1.5


def judge(recent: Recent, good_median: float | None, least: int, now: float) -> Finding | None:
    """Return Inconclusive while stable's median is 1.5 times its last good one (milliseconds); else None."""
    if good_median is None or good_median <= 0:
        return None
    values = sorted(point[1] for point in recent.window(now, least).stable)
    if len(values) < least or values[len(values) // 2] <= HOLD_TIMES * good_median:
        return None
    median = values[len(values) // 2]
    return Finding(
        VerdictOutcome.INCONCLUSIVE,
        RULE,
        observed=f"stable's median {median:.1f} ms",
        bound=f"{HOLD_TIMES:g}x its own past ({good_median:.1f} ms)",
        samples=len(values),
        message=f"stable slowed from {good_median:.1f} to {median:.1f} ms since the candidate arrived:"
        " the soak is on hold until stable recovers",
    )
