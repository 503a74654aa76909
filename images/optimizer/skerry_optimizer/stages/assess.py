"""Reads source and data set once: what the model is made of, and whether it can be measured with that data.

Its answer, for the operator, is the JSON of `skerry.api.edgemodel.Assessment`; it lies in the registry
too, so that the same source is not read again for an EdgeModel that is applied again.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from skerry.artifacts.images import Image, RegistryClient, RegistryError, pack_files
from skerry.jobs.errors import StageError, advised
from skerry.jobs.plans import AssessPlan
from skerry.jobs.registry import (
    ANNOTATION_PART,
    ANNOTATION_RESULT,
    PART_ASSESSMENT,
    assessment_tag,
)
from skerry_optimizer.engine import engine_of
from skerry_optimizer.errors import SourceError
from skerry_optimizer.evaluation import Source, check_evaluation
from skerry_optimizer.models.describing import describe
from skerry_optimizer.models.drawing import drawing_operators
from skerry_optimizer.models.folding import fold_weights
from skerry_optimizer.models.interface import check_interface, optional_inputs
from skerry_optimizer.models.reading import model_bytes, read_model
from skerry_optimizer.models.running import NotRunnable, load

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

    from skerry.api.edgemodel import Assessment
    from skerry.api.modelvariant import EvaluationPlan
    from skerry.engines import EnginePlugin, LoadedModel
    from skerry.jobs.scratch import Workspace

logger = logging.getLogger(__name__)


def assess(workspace: Workspace) -> str:
    """Return the assessment as JSON.

    Raises:
        SourceError: The source can't be used.
        EvaluationError: The data set can't, or not with the metric.
        StageError: The plan can't be followed by this image.
    """
    plan = AssessPlan.from_environment(os.environ)
    assessment = assess_files(
        engine_of(plan.engine),
        (workspace.source_file, workspace.dataset_file),
        plan.source_digest,
        plan.evaluation,
    )
    found = assessment.model_dump_json(by_alias=True)
    _keep(workspace, plan, found)
    return found


def assess_files(
    engine: EnginePlugin, files: tuple[Path, Path], digest: str, evaluation: EvaluationPlan
) -> Assessment:
    """Return the assessment of a source and its data set, wherever they lie; nothing is pushed.

    Args:
        engine: opens the source.
        files: the source's model.onnx, and dataset.npz.
        digest: the source's.
        evaluation: what is measured.

    Raises:
        SourceError: The source can't be used.
        EvaluationError: The data set can't, or not with the metric.
    """
    file, dataset = files
    model, described, source = _read(engine, file, digest)
    opened = Source(source, drawing_operators(model), optional_inputs(model.graph))
    samples = check_evaluation(dataset, evaluation, opened)
    return described.model_copy(update={"dataset": evaluation.assessed(samples)})


def _read(
    engine: EnginePlugin, file: Path, digest: str
) -> tuple[ModelProto, Assessment, LoadedModel]:
    """Read, describe and open the source; what is wrong with it is its own fault, on every node."""
    try:
        model = read_model(file)
        check_interface(model)
        source = open_source(engine, file)
        fold_weights(model)
        return model, describe(model, digest, model_bytes(file)), source
    except StageError as error:
        raise SourceError(str(error)) from error


def open_source(engine: EnginePlugin, file: Path) -> LoadedModel:
    """Open the source, which checks that the engine loads it and that its inputs can be sent to a server.

    Raises:
        StageError: It does not.
    """
    try:
        return load(engine, file)
    except NotRunnable as error:
        logger.info("%s", error)
        cure = f"export it with operators and an opset that {engine.title} {engine.version()} has"
        raise StageError(advised(str(error), cure)) from error


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
