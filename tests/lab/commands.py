"""Runs the small programs (ip, iptables, mount, kubectl), waits for conditions, writes files."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import tenacity

from tests.lab.errors import LabError

T = TypeVar("T")

POLL_INTERVAL_SECONDS = 0.1
"""How often a condition is looked at again: short compared to any start, cheap compared to its work."""


def run(*command: str | Path, stdin: str | None = None, check: bool = True) -> str:
    """Run a program to its end.

    Returns:
        Its standard output.

    Raises:
        LabError: It is missing, or failed and `check` is set; the message has what it wrote.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise LabError(
            f"the program {words[0]} is not installed; run tests/lab/bootstrap.sh, which installs "
            "what the lab needs"
        ) from error
    if check and done.returncode != 0:
        raise LabError(
            f"`{' '.join(words)}` ended with status {done.returncode}: "
            f"{done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout


def write_whole(file: Path, text: str) -> None:
    """Write a file so that, whenever the writer is killed, a reader finds all of it or none."""
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(text)
    partial.rename(file)


def wait_for(
    condition: Callable[[], T | None],
    what: str,
    seconds: float,
    interval: float = POLL_INTERVAL_SECONDS,
) -> T:
    """Wait until a condition returns something true, and return that.

    Args:
        condition: Looked at every `interval` seconds; what it raises ends the wait.
        what: Is waited for, in words; part of the error.
        seconds: After this long, give up.
        interval: Seconds between two looks.

    Raises:
        LabError: It did not come true in time.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda result: not result),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(interval),
    )
    try:
        result = retrying(condition)
    except tenacity.RetryError as error:
        raise LabError(f"waited {seconds:g} s for {what}, in vain") from error
    assert result is not None
    return result
