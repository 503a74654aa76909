"""Reads the source once: format, size, parameters, operators, what can be quantised.

Its answer, for the operator, is the JSON of `skerry.api.edgemodel.Assessment`; it lies in the registry
too, so that the same source is not read again for an EdgeModel that is applied anew.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from skerry.artifacts.finished import (
    ANNOTATION_PART,
    ANNOTATION_RESULT,
    PART_ASSESSMENT,
    assessment_tag,
)
from skerry.artifacts.images import Image, RegistryClient, RegistryError, pack_files
from skerry_optimizer.engine import engine_of
from skerry_optimizer.errors import StageError
from skerry_optimizer.models.describing import describe
from skerry_optimizer.models.reading import model_bytes, read_model
from skerry_optimizer.models.running import NotRunnable, load
from skerry_optimizer.workspace import MODEL, Workspace, read_assess_plan

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.api.job import AssessPlan
    from skerry.engines import EnginePlugin
    from skerry_runtime.engine import LoadedModel

logger = logging.getLogger(__name__)


def assess(workspace: Workspace) -> str:
    """Return the assessment as JSON.

    Raises:
        StageError: The source can't be used.
    """
    plan = read_assess_plan()
    file = workspace.source / MODEL
    model = read_model(file)
    open_source(engine_of(plan.engine), file)
    assessment = describe(model, plan.source_digest, model_bytes(file))
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
