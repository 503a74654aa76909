"""The evaluation data: read, checked against the model's inputs, and split into disjoint parts.

Jobs that measure the same build at different times must split alike. So the split depends on nothing
but the data set's digest and the sizes in the plan: samples are ordered by a hash of (digest, index),
which stays the same across numpy versions, where a seeded numpy permutation may not.

The best of several candidates is biased upward on the samples that chose it: hence choice and
certification are different halves.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.tasks import TENSOR_INFERENCE, Metric
from skerry_runtime.datatypes import BY_PROTOCOL, is_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.api.modelvariant import EvaluationPlan
    from skerry_runtime.datatypes import TensorLike

LABELS = "labels"

# What numpy and zipfile raise of archives that are broken, encrypted or packed in another way.
UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    TypeError,
    RuntimeError,
    zlib.error,
    zipfile.BadZipFile,
)


class DatasetError(Exception):
    """The data set cannot be used; the message says what is wrong and what to do, for people."""


class Split(StrEnum):
    """What a sample is used for; each has one use."""

    GOLDEN = "golden"
    CALIBRATION = "calibration"
    CHOICE = "choice"
    CERTIFICATION = "certification"


@dataclass(frozen=True)
class SplitSizes:
    """How the samples are shared out: `golden` and `calibration` as asked, the rest in halves."""

    golden: int
    calibration: int
    least_evaluation: int


@dataclass(frozen=True)
class Dataset:
    """Named arrays whose first axis is samples, and labels if the metric needs them."""

    inputs: dict[str, NDArray[Any]]
    labels: NDArray[Any] | None = None
    whole: frozenset[str] = frozenset()
    """Inputs whose samples are whole inputs of the model, not rows of one."""

    @property
    def samples(self) -> int:
        """Count of samples."""
        return len(next(iter(self.inputs.values())))

    def take(self, indices: NDArray[np.intp]) -> Dataset:
        """Return the samples at `indices`, in that order."""
        inputs = {name: array[indices] for name, array in self.inputs.items()}
        return Dataset(inputs, None if self.labels is None else self.labels[indices], self.whole)

    def first(self, count: int) -> Dataset:
        """Return the first `count` samples, or all when there are fewer."""
        return self.take(np.arange(min(count, self.samples)))

    def sample(self, index: int) -> dict[str, NDArray[Any]]:
        """Return one sample as the inputs of an inference: rows keep a first axis of 1."""
        return {
            name: np.asarray(array[index] if name in self.whole else array[index : index + 1])
            for name, array in self.inputs.items()
        }


def split_indices(samples: int, digest: str, sizes: SplitSizes) -> dict[Split, NDArray[np.intp]]:
    """Share out `samples` indices over the four disjoint splits.

    `digest` is the data set's (sha256:...); the same digest and sizes give the same split anywhere.

    Raises:
        DatasetError: There are too few samples.
    """
    _check_count(samples, sizes)
    order = _order(samples, digest)
    calibration_end = sizes.golden + sizes.calibration
    middle = calibration_end + (samples - calibration_end) // 2
    return {
        Split.GOLDEN: order[: sizes.golden],
        Split.CALIBRATION: order[sizes.golden : calibration_end],
        Split.CHOICE: order[calibration_end:middle],
        Split.CERTIFICATION: order[middle:],
    }


def load_dataset(path: Path, inputs: Sequence[TensorLike], *, metric: str | None = None) -> Dataset:
    """Read `path` (dataset.npz) and check it against the model's `inputs` and the metric's labels.

    Arrays come back in the model's number types. Arrays that the model doesn't know are left out.
    Without a metric, labels may be missing or of any sort.

    Raises:
        DatasetError: No such file, not an npz, an input or the labels missing, or shapes or number
            types that don't fit.
    """
    arrays = _read(path)
    found = {info.name: _fitted(info, arrays, path) for info in inputs}
    labels = arrays.get(LABELS)
    if metric is not None and TENSOR_INFERENCE.metrics[metric].labels:
        _check_labels(metric, labels, path)
    _check_lengths(found | ({LABELS: labels} if labels is not None else {}), path)
    whole = frozenset(info.name for info in inputs if is_whole(found[info.name], info))
    return Dataset(found, labels, whole)


def split_dataset(dataset: Dataset, digest: str, sizes: SplitSizes) -> dict[Split, Dataset]:
    """Share out a loaded data set; see `split_indices`."""
    indices = split_indices(dataset.samples, digest, sizes)
    return {split: dataset.take(chosen) for split, chosen in indices.items()}


def load_evaluation(
    path: Path, inputs: Sequence[TensorLike], evaluation: EvaluationPlan
) -> Dataset:
    """Read `path` as the data set of an evaluation: `load_dataset`, and enough samples for every split.

    Raises:
        DatasetError: It can't be used so; the message begins with its uri.
    """
    try:
        dataset = load_dataset(path, inputs, metric=evaluation.metric)
        _check_count(dataset.samples, sizes_for(evaluation))
    except DatasetError as error:
        raise DatasetError(f"{evaluation.dataset.uri}: {error}") from error
    return dataset


def _check_count(samples: int, sizes: SplitSizes) -> None:
    needed = sizes.golden + sizes.calibration + 2 * sizes.least_evaluation
    if samples < needed:
        raise DatasetError(
            f"the data set has {samples} samples and {needed} are needed: {sizes.golden} golden,"
            f" {sizes.calibration} for calibration, and {sizes.least_evaluation} each to choose and"
            " to certify. Add samples to spec.evaluation.dataset, or lower"
            " spec.evaluation.calibrationSamples or goldenSamples"
        )


def _order(samples: int, digest: str) -> NDArray[np.intp]:
    keys = [hashlib.sha256(f"{digest}/{index}".encode()).digest() for index in range(samples)]
    return np.array(sorted(range(samples), key=keys.__getitem__), dtype=np.intp)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise DatasetError(
            f"{path} is missing: the image that spec.evaluation.dataset names must hold"
            " dataset.npz at its root"
        )
    try:
        # Pickled arrays could run code of whoever made the data set.
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except UNREADABLE as error:
        raise DatasetError(
            f"{path} cannot be read as a numpy archive of plain arrays ({error}):"
            " write it with numpy.savez, without object arrays"
        ) from error


def _fitted(info: TensorLike, arrays: dict[str, NDArray[Any]], path: Path) -> NDArray[Any]:
    if info.name not in arrays:
        raise DatasetError(
            f"{path} has no array `{info.name}`, an input of the model; it has"
            f" {', '.join(sorted(arrays)) or 'none'}"
        )
    array = arrays[info.name]
    _check_shape(info, array, path)
    wanted = BY_PROTOCOL[info.datatype]
    if not wanted.is_bytes and not np.can_cast(array.dtype, wanted.numpy, casting="safe"):
        raise DatasetError(
            f"{path}: `{info.name}` holds {array.dtype}, which cannot become the model's"
            f" {wanted.numpy} without loss: save it as {wanted.numpy}"
        )
    return array.astype(wanted.numpy, copy=False)


def _check_shape(info: TensorLike, array: NDArray[Any], path: Path) -> None:
    if is_whole(array, info):
        wanted, given = info.shape, array.shape[1:]
    else:
        wanted, given = info.shape[1:], array.shape[1:]
        if array.ndim == len(info.shape) and info.shape[:1] not in {(), (-1,), (1,)}:
            raise DatasetError(_asks_for_whole(info, array))
    if len(wanted) != len(given) or any(
        a not in (-1, b) for a, b in zip(wanted, given, strict=True)
    ):
        raise DatasetError(
            f"{path}: `{info.name}` has shape {array.shape}, the model takes {info.shape} (-1 is any): its rows"
            " are the samples, or with one axis more each is a whole input"
        )


def _asks_for_whole(info: TensorLike, array: NDArray[Any]) -> str:
    whole = ["1" if axis < 0 else str(axis) for axis in info.shape]
    return (
        f"`{info.name}` has shape {array.shape}, and the model takes {info.shape}, whose first axis is not the"
        f" samples: give each sample a whole input, such as (samples, {', '.join(whole)})"
    )


def _check_labels(metric: str, labels: NDArray[Any] | None, path: Path) -> None:
    wanted = TENSOR_INFERENCE.metrics[metric].labels
    if labels is None:
        raise DatasetError(
            f"{path} has no array `{LABELS}`, which the metric {metric} needs: add {wanted}, or use"
            f" the metric {Metric.NEAREST_NEIGHBORS}"
        )
    if metric == Metric.RMSE:
        fits = labels.ndim > 0 and labels.dtype.kind in "iuf" and bool(np.isfinite(labels).all())
    else:
        fits = labels.ndim == 1 and labels.dtype.kind in "iub"
    if not fits:
        raise DatasetError(
            f"{path}: `{LABELS}` holds {labels.dtype} of shape {labels.shape}; the metric {metric}"
            f" needs {wanted}{', all finite' if metric == Metric.RMSE else ', one each'}"
        )


def _check_lengths(arrays: dict[str, NDArray[Any]], path: Path) -> None:
    single = sorted(name for name, array in arrays.items() if not array.ndim)
    if single:
        raise DatasetError(
            f"{path}: {', '.join(single)} is one value for all samples: repeat it, so that the first axis is"
            " the samples, or export the model with that input as a constant"
        )
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise DatasetError(f"{path}: arrays differ in their count of samples: {lengths}")


def sizes_for(evaluation: EvaluationPlan) -> SplitSizes:
    """Return the split sizes for the metric and the counts of an evaluation."""
    least = TENSOR_INFERENCE.metrics[evaluation.metric].least_samples
    return SplitSizes(evaluation.golden_samples, evaluation.calibration_samples, least)
