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


LONGEST_MESSAGE = 200
"""Characters of what people read first; the log has the rest."""


class StageError(Exception):
    """A stage cannot continue; the message says what, where and what to do."""

    exit_status = 1


def advised(reason: str, cure: str) -> str:
    """Return what is wrong and what to do about it; a long reason loses its end, and never the cure."""
    room = LONGEST_MESSAGE - len("; ") - len(cure)
    cut = reason if len(reason) <= room else f"{reason[: room - 1].rstrip()}…"
    return f"{cut}; {cure}"
