"""FormatConversion: the source in the engine's format, from ONNX of an opset that recipes understand.

The result is the candidate `source`: in its own precision, which what the engine makes of its graph may make
the best of all. Converted and original must answer alike, else the source stays at its own opset: a recipe
that does not know it says so. How alike two engines answer is measured later, against the baseline, as every
candidate is.
"""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING

import onnx
from onnx import ModelProto, helper, version_converter

from skerry.api.modelvariant import RecipeOutcome
from skerry.engines import SOURCE, WHOLE_INPUTS, ModelError
from skerry.jobs.errors import StageError
from skerry.jobs.files import CandidateFile
from skerry.jobs.plans import JobPlan
from skerry_optimizer.engine import engine_of
from skerry_optimizer.models.folding import fold_weights
from skerry_optimizer.models.graphs import OWN_DOMAINS, opsets_of
from skerry_optimizer.models.interface import name_axes
from skerry_optimizer.models.precision import precision_of
from skerry_optimizer.models.reading import has_external_data, is_large, read_model, write_large
from skerry_optimizer.models.running import NotRunnable, likeness, load, run
from skerry_optimizer.samples import calibration_sample, whole_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from skerry.engines import EnginePlugin, LoadedModel
    from skerry.jobs.scratch import Workspace
    from skerry_optimizer.models.running import Arrays
    from skerry_optimizer.samples import Sample

log = logging.getLogger(__name__)

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
    original = _opened(engine, workspace.source_file)
    sample = calibration_sample(workspace)
    engine.model_in(workspace.folder(SOURCE)).parent.mkdir(parents=True, exist_ok=True)
    model = read_model(workspace.source_file)
    precision = precision_of(model)
    message = _convert(workspace, engine, model, _answers(original, sample))
    workspace.write_candidate(
        CandidateFile(
            recipe=SOURCE, precision=precision, outcome=RecipeOutcome.MEASURED,
            bytes=workspace.model_bytes(SOURCE), message=message,
        )
    )  # fmt: skip
    return message


def _convert(workspace: Workspace, engine: EnginePlugin, model: ModelProto, before: Arrays) -> str:
    """Convert the best prepared form that answers as the original does; return what was done."""
    sample = calibration_sample(workspace)
    target = engine.model_in(workspace.folder(SOURCE))
    prepared = workspace.work / workspace.source_file.name
    refused: list[str] = []
    ranks = {name: array.ndim for name, array in before.items()}
    whole = whole_inputs(workspace)
    for form, done in _forms(model, workspace.source_file, ranks):
        if whole:
            helper.set_model_props(
                form, _properties(form) | {WHOLE_INPUTS: json.dumps(sorted(whole))}
            )
        try:
            _write(form, workspace.source_file, prepared)
            said = engine.convert(prepared, target)
            _check_same(engine, before, target, sample)
        except (ModelError, StageError) as error:
            refused.append(str(error))
            continue
        finally:
            for file in prepared.parent.glob(f"{prepared.name}*"):
                file.unlink()
        return "; ".join(filter(None, [done, said]))
    raise StageError(refused[-1])


def _write(form: ModelProto, source: Path, prepared: Path) -> None:
    if is_large(source):
        write_large(form, source, prepared)
    else:
        prepared.write_bytes(form.SerializeToString(deterministic=True))


def _properties(model: ModelProto) -> dict[str, str]:
    return {one.key: one.value for one in model.metadata_props}


def _opened(engine: EnginePlugin, file: Path) -> LoadedModel:
    try:
        return load(engine, file)
    except NotRunnable as error:
        raise StageError(
            f"{error}; leave the choice of the engine to Skerry (no `engine` in the target), or name one that has"
            " these operators"
        ) from error


def _forms(
    model: ModelProto, file: Path, ranks: dict[str, int]
) -> Iterator[tuple[ModelProto, str]]:
    """Yield the source as most recipes understand it, then as it came, each with what was done for it."""
    name_axes(model, ranks)
    if is_large(file):
        yield model, f"{opsets_of(model)}, taken as it is: above 2 GB nothing is converted"
        return
    gathered = "weights gathered into one file" if has_external_data(file) else "taken as it is"
    as_it_came = f"{opsets_of(model)}, {gathered}"
    lifted = _upgraded(model) if opset_of(model) < LEAST_OPSET else None
    done = f"converted from opset {opset_of(model)} to {TARGET_OPSET}" if lifted else as_it_came
    form = lifted or model
    count = fold_weights(form)
    yield form, f"{done}, {count} weights made initializers" if count else done
    if lifted:
        yield model, as_it_came
    elif count:
        again = read_model(file)
        name_axes(again, ranks)
        yield again, as_it_came


def _upgraded(model: ModelProto) -> ModelProto | None:
    """Return the model with a newer opset; None where ONNX can't convert it, or it names none."""
    if not any(one.domain in OWN_DOMAINS for one in model.opset_import):
        return None
    try:
        return version_converter.convert_version(model, TARGET_OPSET)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        log.info("the source stays at its opset: %s", str(error).splitlines()[0])
        return None


def _answers(model: LoadedModel, sample: Sample) -> Arrays:
    try:
        return run(model, sample)
    except NotRunnable as error:
        raise StageError(
            f"the source does not run on a sample of the data set: {error}; do the data set's arrays"
            " hold what the model expects?"
        ) from error


def _check_same(engine: EnginePlugin, before: Arrays, converted: Path, sample: Sample) -> None:
    try:
        after = run(load(engine, converted), sample)
    except NotRunnable as error:
        raise StageError(
            f"{engine.title} does not run the source on a sample of the data set: {error}; name another engine"
        ) from error
    alike = likeness(before, after)
    if alike < LEAST_LIKENESS:
        raise StageError(
            f"converted, the source answers differently (cosine {alike:.4f}): export the model with"
            f" opset {TARGET_OPSET}, or name another engine"
        )


def opset_of(model: ModelProto) -> int:
    """Return the version of ONNX's own operators."""
    return next((one.version for one in model.opset_import if one.domain in OWN_DOMAINS), 1)
