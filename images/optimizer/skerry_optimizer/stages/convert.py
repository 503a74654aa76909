"""FormatConversion: the source in the engine's format, from ONNX of an opset that recipes understand.

The result is the candidate `source`: in its own precision, which what the engine makes of its graph may make
the best of all. Converted and original must answer alike, else the source stays at its own opset: a recipe
that does not know it says so. The original's answers are those of the baseline's engine: another engine may read
it in another way. How alike two engines answer in detail is measured later, as of every candidate.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx
from onnx import ModelProto, helper, version_converter
from onnx.inliner import inline_local_functions

from skerry.api.modelvariant import RecipeOutcome
from skerry.engines import SOURCE, WHOLE_INPUTS, ModelError
from skerry.jobs.errors import StageError, advised
from skerry.jobs.files import CandidateFile
from skerry.jobs.plans import JobPlan
from skerry_optimizer.engine import engine_of
from skerry_optimizer.models.folding import fold_weights
from skerry_optimizer.models.graphs import OWN_DOMAINS, opsets_of
from skerry_optimizer.models.interface import name_axes
from skerry_optimizer.models.precision import precision_of
from skerry_optimizer.models.reading import has_external_data, is_large, read_model, write_large
from skerry_optimizer.models.running import NotRunnable, likeness, load, run
from skerry_optimizer.samples import answered_samples, calibration_sample, whole_inputs

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
ANOTHER_ENGINE = "leave the engine to Skerry (no `engine` in the target), or name another"
LEAST_LIKENESS = 0.9999
"""Of converted to original answers: a conversion changes nothing but rounding."""

LEAST_ACROSS_ENGINES = 0.99
"""The same where another engine gave the original's: how alike they are in detail is measured later."""


@dataclass(frozen=True)
class _Wanted:
    """What the source answers to some samples, and how alike a converted one has to answer."""

    pairs: list[tuple[Sample, Arrays]]
    least: float

    @property
    def ranks(self) -> dict[str, int]:
        """Count of axes of each output."""
        return {name: array.ndim for name, array in self.pairs[0][1].items()}


def convert(workspace: Workspace) -> str:
    """Write the candidate `source`; return what was done.

    Raises:
        StageError: The source can't be used, or does not survive its conversion.
    """
    plan = JobPlan.from_environment(os.environ)
    engine = engine_of(plan.engine)
    wanted = _wanted(workspace, engine, plan)
    engine.model_in(workspace.folder(SOURCE)).parent.mkdir(parents=True, exist_ok=True)
    model = read_model(workspace.source_file)
    precision = precision_of(model)
    message = _convert(workspace, engine, model, wanted)
    workspace.write_candidate(
        CandidateFile(
            recipe=SOURCE, precision=precision, outcome=RecipeOutcome.MEASURED,
            bytes=workspace.model_bytes(SOURCE), message=message,
        )
    )  # fmt: skip
    return message


def _wanted(workspace: Workspace, engine: EnginePlugin, plan: JobPlan) -> _Wanted:
    """Return the baseline's answers; the engine's own to the source as it came, where these were not kept."""
    if pairs := answered_samples(workspace):
        same = engine.name == plan.baseline_engine
        return _Wanted(pairs, LEAST_LIKENESS if same else LEAST_ACROSS_ENGINES)
    original = _opened(engine, workspace.source_file)
    sample = calibration_sample(workspace)
    return _Wanted([(sample, _answers(original, sample))], LEAST_LIKENESS)


def _convert(workspace: Workspace, engine: EnginePlugin, model: ModelProto, wanted: _Wanted) -> str:
    """Convert the best prepared form that answers as the original does; return what was done."""
    target = engine.model_in(workspace.folder(SOURCE))
    prepared = workspace.work / workspace.source_file.name
    refused: list[str] = []
    for form, done in _forms(model, workspace.source_file, wanted.ranks):
        _name_whole(form, workspace)
        try:
            _write(form, workspace.source_file, prepared)
            said = engine.convert(prepared, target)
            _check_same(engine, target, wanted)
        except ModelError as error:
            refused.append(advised(str(error), ANOTHER_ENGINE))
            continue
        except StageError as error:
            refused.append(str(error))
            continue
        finally:
            for file in prepared.parent.glob(f"{prepared.name}*"):
                file.unlink()
        return "; ".join(filter(None, [done, said]))
    log.info("no form of the source was converted: %s", " | ".join(refused))
    raise StageError(refused[0])


def _write(form: ModelProto, source: Path, prepared: Path) -> None:
    if is_large(source):
        write_large(form, source, prepared)
    else:
        prepared.write_bytes(form.SerializeToString(deterministic=True))


def _name_whole(form: ModelProto, workspace: Workspace) -> None:
    """Name the inputs whose first axis is not the samples, for engines that have to know."""
    if whole := whole_inputs(workspace):
        kept = {one.key: one.value for one in form.metadata_props}
        helper.set_model_props(form, kept | {WHOLE_INPUTS: json.dumps(sorted(whole))})


def _opened(engine: EnginePlugin, file: Path) -> LoadedModel:
    try:
        return load(engine, file)
    except NotRunnable as error:
        log.info("%s", error)
        raise StageError(advised(str(error), ANOTHER_ENGINE)) from error


def _forms(
    model: ModelProto, file: Path, ranks: dict[str, int]
) -> Iterator[tuple[ModelProto, str]]:
    """Yield the source as most recipes understand it, then as it came, each with what was done for it.

    Last comes one without functions of the model's own, which not every engine reads.
    """
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
    if model.functions:
        yield inline_local_functions(model), f"{opsets_of(model)}, its functions inlined"


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
        reason = f"the source does not run on a sample of the data set: {error}"
        raise StageError(
            advised(reason, "do the data set's arrays hold what the model expects?")
        ) from error


def _check_same(engine: EnginePlugin, converted: Path, wanted: _Wanted) -> None:
    """Check that the converted source has the source's outputs, and answers alike.

    Raises:
        StageError: It does not; names the output.
    """
    try:
        loaded = load(engine, converted)
    except NotRunnable as error:
        raise StageError(advised(str(error), ANOTHER_ENGINE)) from error
    for sample, before in wanted.pairs:
        try:
            after = run(loaded, sample)
        except NotRunnable as error:
            reason = f"{engine.title} does not run the source on samples of the data set: {error}"
            raise StageError(advised(reason, ANOTHER_ENGINE)) from error
        if list(before) != list(after):
            reason = f"{engine.title} gives the outputs {', '.join(after)}"
            raise StageError(advised(reason, ANOTHER_ENGINE))
        for name, array in before.items():
            alike = likeness({name: array}, {name: after[name]})
            if alike < wanted.least:
                reason = f"with {engine.title}, `{name}` is not what the source answers (likeness {alike:.2f})"
                raise StageError(advised(reason, ANOTHER_ENGINE))


def opset_of(model: ModelProto) -> int:
    """Return the version of ONNX's own operators."""
    return next((one.version for one in model.opset_import if one.domain in OWN_DOMAINS), 1)
