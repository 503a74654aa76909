"""FormatConversion: the source in the engine's format, from ONNX of an opset that recipes understand.

The result is the candidate `source`: float32, which what the engine makes of its graph may make the
best of all. Converted and original must answer alike; how alike two engines answer is measured
later, against the baseline, as every candidate is.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import onnx
from onnx import version_converter

from skerry.api.modelvariant import RecipeOutcome
from skerry.engines import SOURCE, ModelError
from skerry.jobs.errors import StageError
from skerry.jobs.files import CandidateFile
from skerry.jobs.plans import JobPlan
from skerry.precision import Precision
from skerry_optimizer.engine import engine_of
from skerry_optimizer.models.reading import read_model
from skerry_optimizer.models.running import NotRunnable, likeness, load, run
from skerry_optimizer.samples import calibration_sample
from skerry_optimizer.stages.assess import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

    from skerry.engines import EnginePlugin, LoadedModel
    from skerry.jobs.scratch import Workspace
    from skerry_optimizer.samples import Sample

LEAST_OPSET = 13
"""From here on scales per channel can be written down."""

TARGET_OPSET = 17
LEAST_LIKENESS = 0.9999
"""Cosine of converted to original answers: a conversion changes nothing but rounding."""


def convert(workspace: Workspace) -> str:
    """Write the candidate `source`; return what was done.

    Raises:
        StageError: The source can't be used, or does not survive its conversion.
    """
    plan = JobPlan.from_environment(os.environ)
    engine = engine_of(plan.engine)
    model = read_model(workspace.source_file)
    original = open_source(engine, workspace.source_file)
    sample = calibration_sample(workspace)
    target = engine.model_in(workspace.folder(SOURCE))
    target.parent.mkdir(parents=True, exist_ok=True)
    message = _convert(workspace, engine, model, target)
    _check_same(engine, original, target, sample)
    workspace.write_candidate(
        CandidateFile(
            recipe=SOURCE, precision=Precision.FLOAT32, outcome=RecipeOutcome.MEASURED,
            bytes=workspace.model_bytes(SOURCE), message=message,
        )
    )  # fmt: skip
    return message


def _convert(workspace: Workspace, engine: EnginePlugin, model: ModelProto, target: Path) -> str:
    prepared = workspace.work / workspace.source_file.name
    done = [_prepare(model, workspace.source_file, prepared)]
    try:
        done.append(engine.convert(prepared, target))
    except ModelError as error:
        raise StageError(str(error)) from error
    prepared.unlink(missing_ok=True)
    return "; ".join(filter(None, done))


def _prepare(model: ModelProto, original: Path, target: Path) -> str:
    """Write the source as one ONNX file of a fitting opset; return what was done."""
    version = opset_of(model)
    if version < LEAST_OPSET:
        model = _upgraded(model, version)
        target.write_bytes(model.SerializeToString(deterministic=True))
        return f"converted from opset {version} to {TARGET_OPSET}"
    if sum(1 for _ in original.parent.iterdir()) > 1:
        target.write_bytes(model.SerializeToString(deterministic=True))
        return f"opset {version}, weights gathered into one file"
    shutil.copyfile(original, target)
    return f"opset {version}, taken as it is"


def _upgraded(model: ModelProto, version: int) -> ModelProto:
    try:
        return version_converter.convert_version(model, TARGET_OPSET)
    except (RuntimeError, onnx.checker.ValidationError) as error:
        raise StageError(
            f"the source's opset {version} can't be converted to {TARGET_OPSET}"
            f" ({str(error).splitlines()[0]}): export the model with opset {TARGET_OPSET}"
        ) from error


def _check_same(
    engine: EnginePlugin, original: LoadedModel, converted: Path, sample: Sample
) -> None:
    try:
        before, after = (run(one, sample) for one in (original, load(engine, converted)))
    except NotRunnable as error:
        raise StageError(
            f"the source does not run on a sample of the data set: {error}; do the data set's arrays"
            " hold what the model expects?"
        ) from error
    alike = likeness(before, after)
    if alike < LEAST_LIKENESS:
        raise StageError(
            f"converted, the source answers differently (cosine {alike:.4f}): export the model with"
            f" opset {TARGET_OPSET}, or name another engine"
        )


def opset_of(model: ModelProto) -> int:
    """Return the version of ONNX's own operators."""
    return next((one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}), 1)
