"""The error that ends a stage, and the exit statuses by which the operator knows what it means."""

from __future__ import annotations

EXIT_FINAL = 3
"""The exit status of a container whose fault no further try can mend: it ends the whole job."""
EXIT_EVALUATION = 4
"""The same, where the data set can't be used, or not with the metric."""
EXIT_SOURCE = 5
"""The same, where the source can't be used."""
FINAL = (EXIT_FINAL, EXIT_EVALUATION, EXIT_SOURCE)
"""The exit statuses that end the whole job."""


class StageError(Exception):
    """A stage cannot continue; the message says what, where and what to do."""

    exit_status = 1
