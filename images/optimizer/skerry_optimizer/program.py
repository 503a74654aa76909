"""Runs one stage of a job, and says how it ended.

What a stage returns, or why it failed, goes to the container's termination message: one line for
people, shown in `ModelVariant.status.stages` and by `kubectl describe pod`.
"""

from __future__ import annotations

import logging
import os
import pkgutil

from skerry.jobs.ending import end, first_line
from skerry.jobs.errors import StageError
from skerry.jobs.results import MESSAGE_BYTES
from skerry.jobs.scratch import Workspace
from skerry.jobs.stages import StageImage, message_bytes, stages_in

logger = logging.getLogger("skerry_optimizer")

STAGES = stages_in(StageImage.OPTIMIZER)
"""Imported when run: the quantizers take seconds to import, and most stages don't need them."""


def main(arguments: list[str]) -> int:
    """Run the named stage; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    workspace = Workspace.from_environment(os.environ)
    workspace.temporary.mkdir(parents=True, exist_ok=True)
    stage = STAGES.get(arguments[0]) if arguments else None
    limit = message_bytes(stage) if stage else MESSAGE_BYTES
    try:
        message = run_stage(workspace, arguments)
    except StageError as error:
        return end(f"{error}", limit, error.exit_status)
    except Exception as error:
        logger.exception("the stage %s failed", arguments)
        text = f"{type(error).__name__}: {first_line(error)}"
        return end(
            f"{arguments[0]} failed unexpectedly ({text}); see the container's log", limit, 1
        )
    return end(message, limit, 0)


def run_stage(workspace: Workspace, arguments: list[str]) -> str:
    """Run a stage, unless earlier candidates make it needless; return its message."""
    match arguments:
        case [name] if name in STAGES and STAGES[name].builds and workspace.built.exists():
            return "candidates of an earlier job with the same build key"
        case [name] if name in STAGES:
            return str(pkgutil.resolve_name(STAGES[name].program)(workspace))
        case ["build-recipes", *recipes]:
            build = pkgutil.resolve_name("skerry_optimizer.stages.quantize:build_recipes")
            return str(build(workspace, recipes))
    raise StageError(f"no stage {' '.join(arguments)!r}: one of {', '.join(STAGES)}")
