"""Runs on this machine what the operator's first job runs, with the same code, and compares with the original."""

from __future__ import annotations

import hashlib
import warnings
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.api.modelvariant import EvaluationPlan, PinnedArtifact
from skerry.cli.errors import CliError
from skerry.engines import ModelError, first_line, installed_engines
from skerry.engines.plugin import baseline_among
from skerry.jobs.errors import StageError
from skerry_optimizer.stages.assess import assess_files
from skerry_runtime.datatypes import as_row, is_whole, one_sample, usable
from skerry_runtime.engine import load_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.api.edgemodel import Assessment, EdgeModel
    from skerry.cli.importing.contract import Arrays, Original
    from skerry.cli.importing.fitting import Fitted
    from skerry.cli.importing.writing import Layout
    from skerry.engines import EnginePlugin, LoadedModel

COMPARED = 128
"""Samples that the original is asked."""
LEAST_SAME = 0.95
"""As the gate of quality asks by default."""
ORDER = "check the order of the columns, update the exporter, and leave out scalers before trees"
WHOLE = "check that the file is whole, update the exporter, or export it to ONNX yourself and import that"
ROUNDED = (
    "the others lie where float32 rounds to the other side of a split; trees need no scaler before"
)
RELATIVE, ABSOLUTE = 1e-3, 1e-5
"""How far a float32 answer may be from the library's own, which often computes in float64."""


@cache
def _engine() -> EnginePlugin:
    """Return the engine that all builds are compared with: it runs a source as it came."""
    engines = installed_engines()
    return engines[baseline_among(engines, "")]


def open_model(file: Path, named: Path) -> LoadedModel:
    """Open the exported model as a device does.

    Raises:
        CliError: The engine can't run it.
    """
    try:
        return load_model(_engine().name, file, threads=1)
    except ModelError as error:
        raise CliError(
            f"{_engine().title} can't load what was exported: {first_line(error)[:120]}",
            str(named),
            "update the exporter and skerry, or export it to ONNX yourself and import that",
        ) from error


def compare(model: LoadedModel, data: Fitted, original: Original, named: Path) -> str:
    """Compare the exported model with the original on a few samples; returns the finding, for people.

    Raises:
        CliError: they differ, or can't be asked.
    """
    few, asked = _samples(model, data, original)
    with _asking(f"{original.library} and the exported model can't be compared", named):
        wanted = _joined([original.answer(part) for part in asked])
        found = _joined([_output(model, part, original.output) for part in few])
    same, largest = _sameness(_alike(wanted, found), found)
    if same < LEAST_SAME:
        raise CliError(
            f"the exported model answers {1 - same:.0%} of {len(found)} samples otherwise than {original.library}",
            str(named),
            ORDER if original.exact else WHOLE,
        )
    said = f"{same:.1%} of {len(found)} samples as {original.library} does"
    return f"{said} (largest difference {largest:.1e})" + (
        f"; {ROUNDED}" if same < 1 and original.exact else ""
    )


def answers(model: LoadedModel, data: Fitted, original: Original, named: Path) -> NDArray[Any]:
    """Return the original's answers to all samples, asked as the exported model takes them.

    Raises:
        CliError: it can't be asked.
    """
    with _asking(f"{original.library} can't be asked", named):
        parts = _parts(model, data.exact if original.exact else data.arrays)
        return _joined([original.answer(part) for part in parts])


@contextmanager
def _asking(failed: str, named: Path) -> Iterator[None]:
    """Report what fails while a library is asked, and keep its warnings out of sight."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that columns have lost on the way
            yield
    except Exception as error:  # the library's errors share no base but Exception
        raise CliError(
            f"{failed}: {first_line(error)[:120]}",
            str(named),
            "check that the data is what the model was trained with",
        ) from error


def assess(layout: Layout, manifest: EdgeModel, cure: str) -> Assessment:
    """Return the assessment, as the operator's job finds it.

    Args:
        layout: of what was written.
        manifest: says how it is measured.
        cure: for people, where it can't be.

    Raises:
        CliError: source or data set can't be used; with the job's own words.
    """
    digest = f"sha256:{hashlib.sha256(layout.model_file.read_bytes()).hexdigest()}"
    data = f"sha256:{hashlib.sha256(layout.dataset_file.read_bytes()).hexdigest()}"
    asked = manifest.spec.evaluation
    evaluation = EvaluationPlan(
        dataset=PinnedArtifact(uri=asked.dataset.uri, digest=data),
        metric=asked.metric,
        calibration_samples=asked.calibration_samples,
        golden_samples=asked.golden_samples,
    )
    files = (layout.model_file, layout.dataset_file)
    try:
        return assess_files(_engine(), files, digest, evaluation)
    except StageError as error:
        raise CliError(f"the assessment refuses it: {error}", layout.name, cure) from error


def _samples(
    model: LoadedModel, data: Fitted, original: Original
) -> tuple[list[Arrays], list[Arrays]]:
    """Return what the exported model is asked, and the original."""
    if original.arrays:
        return [original.arrays], [original.arrays]
    few = {name: array[:COMPARED] for name, array in data.arrays.items()}
    exact = {name: array[:COMPARED] for name, array in data.exact.items()}
    return _parts(model, few), _parts(model, exact if original.exact else few)


def _parts(model: LoadedModel, arrays: Arrays) -> list[Arrays]:
    """Return samples as the model takes them: together where it takes any count, else one by one."""
    count = len(next(iter(arrays.values())))
    given = [(info, arrays[info.name]) for info in model.inputs]
    if all(i.shape[:1] in ((-1,), (count,)) and not is_whole(a, i) for i, a in given):
        return [arrays]
    return [{i.name: one_sample(a, row, i) for i, a in given} for row in range(count)]


def _joined(answers: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the answers to all parts: a part that is answered alone is one sample."""
    if len(answers) == 1:
        return np.atleast_1d(answers[0])
    return np.concatenate([as_row(one) for one in answers])


def _output(model: LoadedModel, arrays: Arrays, name: str) -> NDArray[Any]:
    given = {key: usable(value) for key, value in arrays.items()}
    return np.asarray(model.run([name], given)[0])


def _alike(wanted: NDArray[Any], found: NDArray[Any]) -> NDArray[Any]:
    """Return the original's answers with the axes of the exported one's: a score of two is the second's."""
    if wanted.ndim == 1 and found.ndim == 2 and found.shape[1] == 2:  # noqa: PLR2004
        return np.stack([1 - wanted, wanted], axis=1)
    return wanted.reshape(found.shape) if wanted.size == found.size else wanted


def _sameness(wanted: NDArray[Any], found: NDArray[Any]) -> tuple[float, float]:
    """Return the share of samples with the same answer, and the largest difference."""
    if wanted.shape != found.shape:
        return 0.0, float("inf")
    rows = len(found)
    if not {found.dtype.kind, wanted.dtype.kind} <= set("biuf"):
        equal = (wanted.astype(str) == found.astype(str)).reshape(rows, -1).all(axis=1)
        return float(equal.mean()), float(not equal.all())
    given, got = (array.astype("f8").reshape(rows, -1) for array in (wanted, found))
    with np.errstate(invalid="ignore"):
        apart = np.abs(given - got)
    apart[(given == got) | (np.isnan(given) & np.isnan(got))] = 0.0  # the same infinity, or NaN
    apart[np.isnan(apart)] = np.inf
    most = np.zeros((rows, 1))
    if found.dtype.kind == "f":
        finite = np.where(np.isfinite(given), np.abs(given), 0.0)
        most = ABSOLUTE + RELATIVE * finite.max(axis=1, keepdims=True, initial=0.0)
    return float((apart <= most).all(axis=1).mean()), float(apart.max(initial=0.0))
