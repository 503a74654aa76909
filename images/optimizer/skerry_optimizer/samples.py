"""The calibration samples of the mounted data set: what building may look at, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry_optimizer.errors import StageError
from skerry_optimizer.models.running import inputs_of
from skerry_runtime.dataset import (
    DATASET_FILE,
    DatasetError,
    Split,
    load_dataset,
    sizes_for,
    split_dataset,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skerry.api.job import JobPlan
    from skerry_optimizer.workspace import Workspace
    from skerry_runtime.engine import LoadedModel

Sample = dict[str, "NDArray[Any]"]


def calibration_samples(workspace: Workspace, plan: JobPlan, model: LoadedModel) -> list[Sample]:
    """Return the calibration split, each sample as the inputs of one inference of `model`.

    Raises:
        StageError: The data set does not fit the model, or has too few samples.
    """
    evaluation = plan.evaluation
    sizes = sizes_for(evaluation.metric, evaluation.golden_samples, evaluation.calibration_samples)
    try:
        dataset = load_dataset(workspace.dataset / DATASET_FILE.name, inputs_of(model))
        part = split_dataset(dataset, evaluation.dataset.digest, sizes)[Split.CALIBRATION]
    except DatasetError as error:
        raise StageError(f"{evaluation.dataset.uri}: {error}") from error
    return [part.sample(index) for index in range(part.samples)]
