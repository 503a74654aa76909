"""One JSON line per turn of events, with milliseconds: what the demo prints and support reads."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from time import time
from typing import Any


def stamp(at: float) -> str:
    """RFC 3339 with milliseconds, of seconds since the epoch."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def tell(event: str, /, *, at: float | None = None, **fields: Any) -> None:
    """Writes one event to standard output; `at` in seconds since the epoch, now by default.

    Events of a rollback, in order: first_bad, verdict, flipped, reported.
    """
    line = {"at": stamp(time() if at is None else at), "event": event, **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
