"""Reads source and data set once: what the model is made of, and whether it can be measured with that data.

Its answer, for the operator, is the JSON of `skerry.api.edgemodel.Assessment`; it lies in the registry
too, so that the same source is not read again for an EdgeModel that is applied anew.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.artifacts.finished import (
    ANNOTATION_PART,
    ANNOTATION_RESULT,
    PART_ASSESSMENT,
    assessment_tag,
)
from skerry.artifacts.images import Image, RegistryClient, RegistryError, pack_files
from skerry_optimizer.engine import engine_of
from skerry_optimizer.errors import EvaluationError, StageError
from skerry_optimizer.models.describing import describe
from skerry_optimizer.models.reading import model_bytes, read_model
from skerry_optimizer.models.running import NotRunnable, load, run
from skerry_optimizer.workspace import MODEL, Workspace, read_assess_plan
from skerry_runtime.dataset import (
    DATASET_FILE,
    DatasetError,
    load_dataset,
    sizes_for,
    split_indices,
)
from skerry_runtime.measure.quality import QualityError, check_answers

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.api.job import AssessPlan
    from skerry.api.modelvariant import EvaluationPlan
    from skerry.engines import EnginePlugin
    from skerry_runtime.dataset import Dataset
    from skerry_runtime.engine import LoadedModel

logger = logging.getLogger(__name__)

ASKED = 4
"""Samples that the source answers, to see whether its answers suit the metric."""


def assess(workspace: Workspace) -> str:
    """Return the assessment as JSON.

    Raises:
        StageError: The source can't be used.
        EvaluationError: The data set can't, or not with the metric.
    """
    plan = read_assess_plan()
    file = workspace.source / MODEL
    model = read_model(file)
    source = open_source(engine_of(plan.engine), file)
    described = describe(model, plan.source_digest, model_bytes(file))
    samples = check_dataset(workspace.dataset / DATASET_FILE.name, plan.evaluation, source)
    assessment = described.model_copy(
        update={
            "dataset": plan.evaluation.assessed(samples),
            "message": f"{described.message}; {samples:,} samples to measure it with",
        }
    )
    found = assessment.model_dump_json(by_alias=True)
    _keep(workspace, plan, found)
    return found


def open_source(engine: EnginePlugin, file: Path) -> LoadedModel:
    """Open the source, which checks that the engine loads it and that its inputs can be sent to a server.

    Raises:
        StageError: It does not.
    """
    try:
        return load(engine, file)
    except NotRunnable as error:
        raise StageError(
            f"{error}; export it with operators and an opset that {engine.title}"
            f" {engine.version()} has"
        ) from error


def check_dataset(file: Path, plan: EvaluationPlan, source: LoadedModel) -> int:
    """Check that the source can be measured with the data set: inputs, labels, count, and the metric.

    Returns:
        How many samples it has.

    Raises:
        EvaluationError: It can't.
    """
    try:
        dataset = load_dataset(file, source.inputs, metric=plan.metric)
        sizes = sizes_for(plan.metric, plan.golden_samples, plan.calibration_samples)
        split_indices(dataset.samples, plan.dataset.digest, sizes)
    except DatasetError as error:
        raise EvaluationError(f"{plan.dataset.uri}: {error}") from error
    try:
        check_answers(plan.metric, answers_of(source, dataset), dataset.labels)
    except QualityError as error:
        raise EvaluationError(
            f"spec.evaluation.metric {plan.metric} does not suit model and data set"
            f" {plan.dataset.uri}: {error}"
        ) from error
    return dataset.samples


def answers_of(source: LoadedModel, dataset: Dataset) -> NDArray[Any]:
    """Return the source's first output for the first samples, each asked alone.

    Raises:
        StageError: It can't compute one of them.
    """
    first = source.outputs[0].name
    asked = range(min(ASKED, dataset.samples))
    try:
        answers = [run(source, dataset.sample(row))[first] for row in asked]
    except NotRunnable as error:
        raise StageError(f"the source can't answer a sample of the data set: {error}") from error
    if any(answer.shape[:1] != (1,) for answer in answers):
        raise StageError(
            f"the source answers one sample with {first} of shape {answers[0].shape}: the first axis of"
            " inputs and outputs must be the samples, so export it so"
        )
    return np.concatenate(answers)


def _keep(workspace: Workspace, plan: AssessPlan, found: str) -> None:
    """Push the answer; it is given all the same where that fails, and the job that builds will say why."""
    file = workspace.work / "assessment.json"
    file.write_text(found)
    annotations = {ANNOTATION_PART: PART_ASSESSMENT, ANNOTATION_RESULT: found}
    try:
        layer = pack_files({file.name: file}, workspace.work / "assessment.tar", annotations)
        client = RegistryClient(plan.registry)
        client.push(Image((layer,)), assessment_tag(plan.assessment_key))
    except RegistryError as error:
        logger.warning("the assessment is not kept for the next time: %s", error)
