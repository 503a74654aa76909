"""A JSON line for each event, with milliseconds: the demo prints them, and people read them for support."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from time import time
from typing import Any

from skerry_agent.times import as_date


def stamp(at: float) -> str:
    """Return seconds since the epoch in RFC 3339 with milliseconds."""
    return as_date(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def emit(event: str, /, *, at: float | None = None, **fields: Any) -> None:
    """Write one event to standard output; `at` in seconds since the epoch, now by default.

    Events of a rollback, in order: first_bad, verdict, flipped, reported.
    """
    line = {"at": stamp(time() if at is None else at), "event": event, **fields}
    with suppress(OSError):  # the reader may be gone, or have no room
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
