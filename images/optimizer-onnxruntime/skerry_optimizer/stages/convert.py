"""FormatConversion: the source as one ONNX file of an opset that every recipe understands.

The result is the candidate `source`: float32, which what ONNX Runtime makes of its graph may make
the best of all.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import onnx
from onnx import version_converter

from skerry.api.common import Precision
from skerry.api.job import CandidateFile
from skerry.api.modelvariant import TrialOutcome
from skerry.decide.select import SOURCE
from skerry_optimizer.errors import StageError
from skerry_optimizer.models.reading import read_model
from skerry_optimizer.models.running import NotRunnable, likeness, load, run
from skerry_optimizer.samples import calibration_samples
from skerry_optimizer.stages.assess import check_runs
from skerry_optimizer.workspace import MODEL, Workspace, read_plan

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

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
    original = workspace.source / MODEL
    model = read_model(original)
    check_runs(original)
    sample = calibration_samples(workspace, read_plan(), original)[0]
    target = workspace.model(SOURCE)
    target.parent.mkdir(parents=True, exist_ok=True)
    message = _write(model, original, target)
    _check_same(original, target, sample)
    size = target.stat().st_size
    workspace.write_candidate(
        CandidateFile(
            recipe=SOURCE, precision=Precision.FLOAT32, outcome=TrialOutcome.MEASURED, bytes=size,
            message=message,
        )
    )  # fmt: skip
    return message


def _write(model: ModelProto, original: Path, target: Path) -> str:
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


def _check_same(original: Path, converted: Path, sample: Sample) -> None:
    try:
        alike = likeness(run(load(original), sample), run(load(converted), sample))
    except NotRunnable as error:
        raise StageError(
            f"the source does not run on a sample of the data set: {error}; do the data set's arrays"
            " hold what the model expects?"
        ) from error
    if alike < LEAST_LIKENESS:
        raise StageError(
            f"converted to opset {TARGET_OPSET} the source answers differently (cosine"
            f" {alike:.4f}): export the model with opset {TARGET_OPSET}"
        )


def opset_of(model: ModelProto) -> int:
    """Return the version of ONNX's own operators."""
    return next((one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}), 1)
