"""Limits of one inference; apart from the session, so that asking for them needs no engine."""

from __future__ import annotations

import math

# The largest batch that is certified. Larger ones are computed in parts, so that answers stay what
# was measured and a large request doesn't grow the process for ever.
MOST_ROWS = 16


def thread_count(cpu_limit: float) -> int:
    """Return the threads for a CPU limit in cores: the whole cores, at least one.

    Two threads under a quota of one core doubled the CPU per inference.
    """
    return max(1, math.floor(cpu_limit))
