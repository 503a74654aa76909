"""One JSON line per turn of events, with milliseconds: what the demo prints and support reads."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from time import time
from typing import Any

from skerry_agent.clock import as_date


def stamp(at: float) -> str:
    """RFC 3339 with milliseconds, of seconds since the epoch."""
    return as_date(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def tell(event: str, /, *, at: float | None = None, **fields: Any) -> None:
    """Writes one event to standard output; `at` in seconds since the epoch, now by default.

    Events of a rollback, in order: first_bad, verdict, flipped, reported.
    """
    line = {"at": stamp(time() if at is None else at), "event": event, **fields}
    with suppress(OSError):  # whoever reads it may be gone, or have no room
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
