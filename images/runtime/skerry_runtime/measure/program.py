"""Runs one of the stages that measure.

Each leaves one line for people as its termination message, on failure too, and exits 0 or 1; or with
EXIT_EVALUATION where the data set can't be used, which another pod would not mend.
"""

from __future__ import annotations

import logging
import os

from pydantic import ValidationError

from skerry.api.job import JobPlan
from skerry.api.termination import EXIT_EVALUATION, MESSAGE_BYTES
from skerry.artifacts.stage import end
from skerry.decide.stages import BASELINE_MEASUREMENT, QUALITY, VALIDATION
from skerry_runtime.dataset import DatasetError
from skerry_runtime.errors import ModelError
from skerry_runtime.measure.answers import judge_candidates
from skerry_runtime.measure.baseline import measure_baseline
from skerry_runtime.measure.bench import Bench
from skerry_runtime.measure.candidate import BaselineError
from skerry_runtime.measure.files import places_from_environment
from skerry_runtime.measure.process import WorkerError
from skerry_runtime.measure.validate import validate

# By the command's argument: the container that it runs in, and what it does.
STAGES = {
    "baseline": (BASELINE_MEASUREMENT, measure_baseline),
    "quality": (QUALITY, judge_candidates),
    "validate": (VALIDATION, validate),
}


class PlanError(Exception):
    """The stage was started wrongly; the message is for people."""


def main(arguments: list[str]) -> int:
    """Run the stage that `arguments` name; returns the exit code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        message = _run(arguments)
    except DatasetError as error:
        return end(str(error), MESSAGE_BYTES, EXIT_EVALUATION)
    except (PlanError, ModelError, WorkerError, BaselineError, OSError) as error:
        return end(str(error), MESSAGE_BYTES, 1)
    return end(message, MESSAGE_BYTES, 0)


def _run(arguments: list[str]) -> str:
    if len(arguments) != 1 or arguments[0] not in STAGES:
        raise PlanError(f"name one stage: {', '.join(STAGES)}")
    places = places_from_environment()
    container, stage = STAGES[arguments[0]]
    return stage(Bench(_plan(), places, container))


def _plan() -> JobPlan:
    text = os.environ.get("SKERRY_PLAN")
    if not text:
        raise PlanError("SKERRY_PLAN is not set: the operator passes the job's plan in it")
    try:
        return JobPlan.model_validate_json(text)
    except ValidationError as error:
        raise PlanError(f"SKERRY_PLAN can't be read: {error}") from error
