"""Runs one stage of a job, and says how it ended.

What a stage returns, or why it failed, goes to the container's termination message: one line for
people, shown in `ModelVariant.status.stages` and by `kubectl describe pod`.
"""

from __future__ import annotations

import logging
import pkgutil

from skerry.api.termination import MESSAGE_BYTES
from skerry.artifacts.stage import end
from skerry_optimizer import BUILDING
from skerry_optimizer.errors import StageError, first_line
from skerry_optimizer.workspace import Workspace

logger = logging.getLogger("skerry_optimizer")

STAGES = {
    "assess": "skerry_optimizer.stages.assess:assess",
    "find-finished": "skerry_optimizer.stages.find_finished:find_finished",
    "convert": "skerry_optimizer.stages.convert:convert",
    "quantize": "skerry_optimizer.stages.quantize:quantize",
    "accelerate": "skerry_optimizer.stages.accelerate:accelerate",
    "pack": "skerry_optimizer.stages.pack:pack",
}
"""Imported when run: the quantisers take seconds to import, and most stages don't need them."""

LONGEST_ASSESSMENT = 4096
"""The assessing pod has one container, whose message the kubelet cuts at this many bytes."""


def main(arguments: list[str]) -> int:
    """Run the named stage; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    workspace = Workspace.from_environment()
    workspace.work.parent.joinpath("tmp").mkdir(exist_ok=True)
    limit = LONGEST_ASSESSMENT if arguments[:1] == ["assess"] else MESSAGE_BYTES
    try:
        message = run_stage(workspace, arguments)
    except StageError as error:
        return end(f"{error}", limit, error.exit_status)
    except Exception as error:
        logger.exception("the stage %s failed", arguments)
        told = f"{type(error).__name__}: {first_line(error)}"
        return end(
            f"{arguments[0]} failed unexpectedly ({told}); see the container's log", limit, 1
        )
    return end(message, limit, 0)


def run_stage(workspace: Workspace, arguments: list[str]) -> str:
    """Run a stage, unless candidates of before make it needless; return its message."""
    match arguments:
        case [name] if name in BUILDING and workspace.built.exists():
            return "candidates of an earlier job with the same build key"
        case [name] if name in STAGES:
            return str(pkgutil.resolve_name(STAGES[name])(workspace))
        case ["build-recipes", *recipes]:
            build = pkgutil.resolve_name("skerry_optimizer.stages.quantize:build_recipes")
            return str(build(workspace, recipes))
    raise StageError(f"no stage {' '.join(arguments)!r}: one of {', '.join(STAGES)}")
