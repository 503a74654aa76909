"""Runs the programs that a build needs, and says what failed in words for people."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

TAIL_LINES = 25
"""Lines of a failed program's output that its error shows."""


class BuildError(Exception):
    """An image could not be built; the message says which, why, and what to do."""


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    given: str | None = None,
) -> str:
    """Run a program to its end, with `given` as its standard input.

    Returns:
        What it wrote to its standard output.

    Raises:
        BuildError: The program is missing or failed; the message ends with the tail of its output.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=env,
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise BuildError(
            f"the program {words[0]} is not installed; run tests/lab/bootstrap.sh, which installs "
            "what the builds need"
        ) from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-TAIL_LINES:])
        raise BuildError(f"`{' '.join(words)}` ended with status {done.returncode}:\n{tail}")
    return done.stdout
