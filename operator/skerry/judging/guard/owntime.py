"""Takes a server's own queue out of its latencies, so that unequal shares can be compared.

A server with 90 % of the requests has a longer queue than an equal one with 10 %: comparing their
latencies finds a fault in a build that has none (at a load of 30 % one request in seven waits more
than half a service time). So a candidate that has the larger share is judged by its *own times*:
from the moment when the request was there and the answer before it was out, to its answer. These are
compared with stable's whole latencies. That can't blame an equal build, however many requests a
server takes at once; it loses a little power, so it is done only where the candidate has more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def own_times(
    spans: Iterable[tuple[float, float]], free_at: float = 0.0
) -> tuple[list[tuple[float, float, bool]], float]:
    """Return (answered, own milliseconds, queued) of each (started, answered), in order of the answers.

    Times are in seconds; `queued` says that another request was being answered when it came.
    `free_at` is when the server had given the last answer before these; the new one is returned, so
    that a stream can be handed over in pieces.
    """
    times = []
    for started, answered in spans:
        queued = started < free_at
        begun = free_at if queued else started
        own = (answered - begun) * 1000
        times.append((answered, max(0.0, own), queued))
        free_at = max(free_at, answered)
    return times, free_at
