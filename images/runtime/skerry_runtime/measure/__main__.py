"""`python -m skerry_runtime.measure baseline|quality|validate`: the stages that measure.

Where an earlier job has done the work they end at once, before anything is imported: see
`skerry_optimizer.__main__`.
"""

from __future__ import annotations

import pkgutil
import sys

from skerry.jobs.ending import FOUND, end, finished_before


def main(arguments: list[str]) -> int:
    """Run the stage that `arguments` name; returns the exit code."""
    if finished_before():
        return end(FOUND, len(FOUND), 0)
    return int(pkgutil.resolve_name("skerry_runtime.measure.program:main")(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
