"""The last words of a job's program, and the way out when an earlier job has done its work.

A program's last line is the container's termination message: the operator reads it off the pod, and
people see it with `kubectl describe pod`. So a job needs no token for the API server.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from skerry.jobs.names import (
    FOUND_FOLDER,
    SCRATCH_DIRECTORY,
    SCRATCH_VARIABLE,
    TERMINATION_LOG,
    TERMINATION_LOG_VARIABLE,
)

LONGEST_LINE = 400
FOUND = "found finished work"


def first_line(error: BaseException) -> str:
    """Return the telling part of a library's error, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:LONGEST_LINE] if lines else type(error).__name__


def finished_before() -> bool:
    """Return whether the job's first stage has found finished work, so that there is nothing left to do."""
    return (Path(os.environ.get(SCRATCH_VARIABLE, SCRATCH_DIRECTORY)) / FOUND_FOLDER).exists()


def end(message: str, limit: int, status: int) -> int:
    """Write the message, cut to `limit` bytes, where the kubelet looks for it if it can, and to the log.

    Returns:
        The exit status, as given.
    """
    sys.stdout.write(f"{message}\n")
    cut = message.encode()[:limit].decode(errors="ignore")
    file = Path(os.environ.get(TERMINATION_LOG_VARIABLE, TERMINATION_LOG))
    try:
        file.write_text(cut)
    except OSError as error:  # by hand, outside of a pod
        sys.stderr.write(f"{file} can't be written: {error}\n")
    return status
