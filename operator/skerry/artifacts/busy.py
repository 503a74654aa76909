"""What passes by itself at a registry, and how long it asks to be left alone.

The standard library alone: the serving image uses it too.
Source: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_PAUSE_SECONDS = 600.0
"""A registry that asks for more is asked again after this."""
BUSY = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses that say: later. Other ones from 500 on may pass too, but have a cause at the registry."""
_SECONDS = re.compile(r"[0-9]+")
_MOST_DIGITS = 9


def may_pass(status: int) -> bool:
    """Return whether another request may succeed without anybody doing anything."""
    return status in BUSY or status >= 500  # noqa: PLR2004 - the server's own errors


def pause_asked(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, in bounds; None where it says nothing readable."""
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return _bounded(float(text) if len(text) <= _MOST_DIGITS else LONGEST_PAUSE_SECONDS)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError):
        return None
    if until.tzinfo is None:  # "-0000": UTC, from an unstated place
        until = until.replace(tzinfo=UTC)
    return _bounded((until - now).total_seconds())


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)
