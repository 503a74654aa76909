"""The one error that ends a stage: its message is for people and becomes the termination message."""

from __future__ import annotations


class StageError(Exception):
    """A stage cannot go on; the message says what, where and what to do."""


def first_line(error: BaseException) -> str:
    """Return the telling part of a library's error, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:400] if lines else type(error).__name__
