"""Decides before anything is built whether a source can be measured as `spec.evaluation` asks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skerry.jobs.errors import advised
from skerry_optimizer.errors import EvaluationError, SourceError
from skerry_optimizer.models.drawing import check_repeats
from skerry_optimizer.models.running import NotRunnable, run
from skerry_runtime.dataset import DatasetError, Split, load_evaluation, sizes_for, split_indices
from skerry_runtime.datatypes import as_row
from skerry_runtime.measure.quality import QualityError, check_answers

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.api.modelvariant import EvaluationPlan
    from skerry.engines import LoadedModel
    from skerry_optimizer.models.running import Arrays
    from skerry_runtime.dataset import Dataset

ASKED = 4
"""Samples that the source answers, to see whether its answers suit the metric."""

MOST_SECONDS = 2.0
MOST_LOOKED_AT = 400
"""More samples, beyond the golden ones, are answered within this time, to see whether answers have one shape."""


@dataclass(frozen=True)
class Source:
    """The source as its engine opened it, and what its graph says.

    Attributes:
        model: It.
        drawing: Its operators that draw random numbers, for people.
        optional: Its inputs that have a default.
    """

    model: LoadedModel
    drawing: str = ""
    optional: frozenset[str] = frozenset()


def check_evaluation(file: Path, plan: EvaluationPlan, source: Source) -> int:
    """Check the data set (`file`): inputs, labels, count of samples; and the metric, by a few answers.

    Args:
        file: dataset.npz.
        plan: what is measured.
        source: what is measured with it.

    Returns:
        How many samples it has.

    Raises:
        EvaluationError: The source can't be measured so.
        SourceError: Its answers can't be compared with each other, or are not the same when asked again.
    """
    try:
        dataset = load_evaluation(file, source.model.inputs, plan)
    except DatasetError as error:
        raise EvaluationError(str(error)) from error
    _check_optional(file, plan, source.optional)
    found = _answers(source.model, dataset, plan)
    check_repeats(source.model, dataset.sample(0), found[0], source.drawing)
    first = source.model.outputs[0].name
    answers = np.concatenate([as_row(one[first]) for one in found[:ASKED]])
    try:
        check_answers(plan.metric, answers, dataset.labels)
    except QualityError as error:
        raise EvaluationError(
            f"spec.evaluation.metric {plan.metric} does not suit model and data set"
            f" {plan.dataset.uri}: {error}"
        ) from error
    return dataset.samples


def _check_optional(file: Path, plan: EvaluationPlan, optional: frozenset[str]) -> None:
    """Check that the data set gives no values to inputs that always have their default."""
    with np.load(file, allow_pickle=False) as archive:
        given = sorted(optional.intersection(archive.files))
    if given:
        raise EvaluationError(
            f"{plan.dataset.uri}: `{given[0]}` is an input with a default, which is always taken: leave the array"
            " out, or export the model without the default (the initializer of that name)"
        )


def _answers(model: LoadedModel, dataset: Dataset, plan: EvaluationPlan) -> list[Arrays]:
    """Return the source's answers to the first samples, asked alone; more are looked at for their shapes."""
    golden = split_indices(dataset.samples, plan.dataset.digest, sizes_for(plan))[Split.GOLDEN]
    first = range(min(ASKED, dataset.samples))
    certain = [*first, *golden.tolist()]
    more = range(ASKED, min(MOST_LOOKED_AT, dataset.samples))
    found: list[Arrays] = []
    end = time.monotonic() + MOST_SECONDS
    for place, row in enumerate([*certain, *more]):
        if place >= len(certain) and time.monotonic() > end:
            break
        answer = _answer(model, dataset, row, plan.dataset.uri)
        _check_shapes(model, found[0] if found else answer, answer)
        if len(found) < ASKED:
            found.append(answer)
    return found


def _answer(model: LoadedModel, dataset: Dataset, row: int, uri: str) -> Arrays:
    try:
        return run(model, dataset.sample(row))
    except NotRunnable as error:
        reason = f"{uri}: the source does not run on sample {row} of it: {error}"
        cure = "do the arrays hold what the model expects?"
        raise EvaluationError(advised(reason, cure)) from error


def _check_shapes(model: LoadedModel, one: Arrays, other: Arrays) -> None:
    """Check that a metric can compare the first output, and that golden samples can hold the others."""
    first = model.outputs[0].name
    for name, answer in other.items():
        shapes = f"{one[name].shape} and {answer.shape}"
        if name == first and answer.shape != one[name].shape:
            raise SourceError(
                f"the first output `{name}` has another shape for other samples ({shapes}), which no metric"
                " compares: export the model with an output of one shape first"
            )
        if answer.ndim != one[name].ndim:
            raise SourceError(
                f"the output `{name}` has more axes for some samples than for others ({shapes}): export the model"
                " without it"
            )
