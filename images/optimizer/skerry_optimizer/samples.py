"""The calibration samples of the data set: what building may look at, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry_optimizer.errors import StageError
from skerry_runtime.dataset import Split
from skerry_runtime.measure.files import Places, read_baseline, samples_of
from skerry_runtime.measure.process import WorkerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skerry_optimizer.workspace import Workspace

Sample = dict[str, "NDArray[Any]"]


def calibration_samples(workspace: Workspace) -> list[Sample]:
    """Return the calibration split, each sample as the inputs of one inference.

    Raises:
        StageError: The stage that measures the baseline, which splits the data set, did not run.
    """
    places = Places(workspace.source, workspace.dataset, workspace.scratch)
    try:
        samples = samples_of(places, Split.CALIBRATION, read_baseline(places).inputs)
    except WorkerError as error:
        raise StageError(str(error)) from error
    arrays = samples.inputs()
    return [
        {name: array[row : row + 1] for name, array in arrays.items()}
        for row in range(samples.count)
    ]
