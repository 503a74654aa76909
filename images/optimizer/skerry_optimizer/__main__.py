"""`python -m skerry_optimizer STAGE`: runs one stage of a job, or none where an earlier job has done its work.

Whatever a stage needs is imported by `program`, after that is known: a job that finds finished work
starts eight containers for nothing, and imports would be most of what they take.
"""

from __future__ import annotations

import pkgutil
import sys

from skerry.jobs.ending import FOUND, end, finished_before
from skerry.jobs.stages import StageImage, stages_in


def main(arguments: list[str]) -> int:
    """Run the named stage; return the exit status."""
    stage = stages_in(StageImage.OPTIMIZER).get(arguments[0]) if arguments else None
    if stage is not None and stage.needs_new_work and finished_before():
        return end(FOUND, len(FOUND), 0)
    return int(pkgutil.resolve_name("skerry_optimizer.program:main")(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
