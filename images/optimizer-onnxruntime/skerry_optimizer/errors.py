"""The one error that ends a stage: its message is for people and becomes the termination message."""

from __future__ import annotations


class StageError(Exception):
    """A stage cannot go on; the message says what, where and what to do."""
