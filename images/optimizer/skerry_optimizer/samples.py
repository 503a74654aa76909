"""The calibration samples of the data set: what building may look at, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry_runtime.dataset import Dataset, Split
from skerry_runtime.measure.files import samples_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skerry.jobs.scratch import Workspace
    from skerry_runtime.measure.files import Samples

Sample = dict[str, "NDArray[Any]"]


def calibration_samples(workspace: Workspace) -> list[Sample]:
    """Return the calibration split, each sample as the inputs of one inference.

    Raises:
        StageError: The stage that measures the baseline, which splits the data set, did not run.
    """
    samples = _calibration(workspace)
    part = Dataset(samples.inputs(), whole=samples.whole)
    return [part.sample(row) for row in range(part.samples)]


def whole_inputs(workspace: Workspace) -> frozenset[str]:
    """Return the inputs whose samples are whole inputs, not rows of one; raises as `calibration_samples`."""
    return _calibration(workspace).whole


def calibration_sample(workspace: Workspace) -> Sample:
    """Return one of them, reading no other; raises as `calibration_samples`."""
    return _calibration(workspace).first()


def _calibration(workspace: Workspace) -> Samples:
    return samples_of(workspace, Split.CALIBRATION, workspace.read_baseline().inputs)
