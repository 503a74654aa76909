"""Decides before anything is built whether a source can be measured as `spec.evaluation` asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skerry_optimizer.errors import EvaluationError, SourceError
from skerry_optimizer.models.drawing import check_repeats
from skerry_optimizer.models.running import NotRunnable, run
from skerry_runtime.dataset import DatasetError, load_evaluation
from skerry_runtime.measure.quality import QualityError, check_answers

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.api.modelvariant import EvaluationPlan
    from skerry.engines import LoadedModel
    from skerry_optimizer.models.running import Arrays
    from skerry_runtime.dataset import Dataset

ASKED = 4
"""Samples that the source answers, to see whether its answers suit the metric."""


def check_evaluation(
    file: Path, plan: EvaluationPlan, source: LoadedModel, drawing: str = ""
) -> int:
    """Check the data set (`file`): inputs, labels, count of samples; and the metric, by a few answers.

    Args:
        file: dataset.npz.
        plan: what is measured.
        source: as its engine opened it.
        drawing: its operators that draw random numbers, for people.

    Returns:
        How many samples it has.

    Raises:
        EvaluationError: The source can't be measured so.
        SourceError: Its answers are not one for each sample, or not the same when asked again.
    """
    try:
        dataset = load_evaluation(file, source.inputs, plan)
    except DatasetError as error:
        raise EvaluationError(str(error)) from error
    found = _answers(source, dataset, plan.dataset.uri)
    check_repeats(source, dataset.sample(0), found[0], drawing)
    first = source.outputs[0].name
    answers = _joined([one[first] for one in found], first)
    try:
        check_answers(plan.metric, answers, dataset.labels)
    except QualityError as error:
        raise EvaluationError(
            f"spec.evaluation.metric {plan.metric} does not suit model and data set"
            f" {plan.dataset.uri}: {error}"
        ) from error
    return dataset.samples


def _answers(source: LoadedModel, dataset: Dataset, uri: str) -> list[Arrays]:
    """Return the source's answers to each of the first samples, asked alone."""
    try:
        return [run(source, dataset.sample(row)) for row in range(min(ASKED, dataset.samples))]
    except NotRunnable as error:
        raise EvaluationError(
            f"{uri}: the source does not run on a sample of it: {error}; do the arrays hold what the"
            " model expects?"
        ) from error


def _joined(answers: list[NDArray[Any]], name: str) -> NDArray[Any]:
    shapes = sorted({answer.shape for answer in answers})
    if len(shapes) > 1 or shapes[0][:1] != (1,):
        found_shapes = ", ".join(map(str, shapes))
        raise SourceError(
            f"the source answers one sample each with {name} of shape {found_shapes}: the first axis must be the"
            " samples, and the others the same for all; export it so, or with another first output"
        )
    return np.concatenate(answers)
