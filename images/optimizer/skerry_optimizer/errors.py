"""The errors that end a stage."""

from __future__ import annotations

from skerry.artifacts.stage import StageError, first_line

__all__ = ["EvaluationError", "StageError", "first_line"]


class EvaluationError(StageError):
    """The data set can't be used, or not with the metric; the message says what and what to do."""
