"""The errors that end a stage."""

from __future__ import annotations

from skerry.jobs.errors import EXIT_EVALUATION, EXIT_SOURCE, StageError


class SourceError(StageError):
    """The source can't be used, on whatever node; the message says what and what to do."""

    exit_status = EXIT_SOURCE


class EvaluationError(StageError):
    """The data set can't be used, or not with the metric; the message says what and what to do."""

    exit_status = EXIT_EVALUATION
