"""Runs one of the stages that measure.

Each leaves one line for people as its termination message, on failure too, and exits 0 or 1; or with
EXIT_EVALUATION where the data set can't be used, which another pod would not mend.
"""

from __future__ import annotations

import logging
import os
import pkgutil

from skerry.engines import ModelError
from skerry.jobs.ending import end
from skerry.jobs.errors import EXIT_EVALUATION, StageError
from skerry.jobs.plans import JobPlan
from skerry.jobs.results import MESSAGE_BYTES
from skerry.jobs.scratch import Workspace
from skerry.jobs.stages import StageImage, stages_in
from skerry_runtime.dataset import DatasetError
from skerry_runtime.measure.bench import Bench
from skerry_runtime.measure.candidate import BaselineError
from skerry_runtime.measure.process import WorkerError

STAGES = stages_in(StageImage.RUNTIME)


def main(arguments: list[str]) -> int:
    """Run the stage that `arguments` name; returns the exit code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        message = _run(arguments)
    except DatasetError as error:
        return end(str(error), MESSAGE_BYTES, EXIT_EVALUATION)
    except (StageError, ModelError, WorkerError, BaselineError, OSError) as error:
        return end(str(error), MESSAGE_BYTES, 1)
    return end(message, MESSAGE_BYTES, 0)


def _run(arguments: list[str]) -> str:
    if len(arguments) != 1 or arguments[0] not in STAGES:
        raise StageError(f"name one stage: {', '.join(STAGES)}")
    stage = STAGES[arguments[0]]
    workspace = Workspace.from_environment(os.environ)
    bench = Bench(JobPlan.from_environment(os.environ), workspace, stage.name)
    return str(pkgutil.resolve_name(stage.program)(bench))
