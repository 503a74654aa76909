"""Chooses what the manifest asks for: the metric, the labels in the model's terms, and the limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.cli.errors import CliError
from skerry.tasks import TENSOR_INFERENCE, Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry.cli.importing.contract import Imported
    from skerry.cli.importing.samples import Samples
    from skerry.engines import TensorSpec

RARE = 0.05
"""A class with fewer of the samples than this: accuracy would say little of it."""
MEBIBYTE = 1 << 20
LEAST_MEMORY = 256
SHOWN = 5


@dataclass(frozen=True)
class Choice:
    """A choice with its reason, for people."""

    value: str
    why: str


def choose_metric(
    asked: str | None, labels: NDArray[Any] | None, imported: Imported, first: TensorSpec
) -> Choice:
    """Return the metric that suits labels and model.

    Args:
        asked: the user's own choice.
        labels: as the user gave them.
        imported: the model.
        first: its first output.
    """
    if asked:
        return Choice(asked, "as asked")
    if labels is None:
        return _without_labels(imported)
    scores = first.datatype.startswith("INT") or (
        len(first.shape) > 1 and first.shape[-1] not in (1, -1)
    )
    classifies = imported.classes is not None or (not imported.values and scores)
    if not classifies or (labels.dtype.kind == "f" and not _integral(labels)):
        return Choice(Metric.RMSE, "the model predicts numbers")
    _, counts = np.unique(_flat(labels), return_counts=True)
    rarest = counts.min() / counts.sum()
    if rarest < RARE:
        return Choice(
            Metric.F1, f"the rarest class has {rarest:.1%} of the samples, and F1 counts it too"
        )
    return Choice(Metric.ACCURACY, f"the model names one of {len(counts)} classes")


def _without_labels(imported: Imported) -> Choice:
    """Return the metric of a model without labels; where it needs them, `choose_labels` asks for them."""
    if imported.classes is not None:
        return Choice(Metric.ACCURACY, "the model names classes")
    if imported.values:
        return Choice(Metric.RMSE, "the model predicts numbers")
    return Choice(Metric.NEAREST_NEIGHBORS, "there are no labels: answers are compared as vectors")


def choose_labels(
    metric: str, samples: Samples, imported: Imported, first: TensorSpec
) -> tuple[NDArray[Any] | None, str]:
    """Return the labels as the metric needs them, and what was done to them, for people.

    A model whose first output is scores names a class by its place among them, so labels become places.

    Raises:
        CliError: the metric needs labels and there are none, or they name no class of the model.
    """
    labels = samples.labels
    if not TENSOR_INFERENCE.metrics[metric].labels:
        return None, ""
    if labels is None:
        raise CliError(
            f"the metric {metric} needs labels, and there are none among {samples.names}",
            samples.place,
            "name the column or array of the labels by --labels",
        )
    if metric == Metric.RMSE:
        return _numbers(labels, samples), ""
    flat = _flat(labels)
    plain = flat.astype(np.int64) if flat.dtype.kind in "fb" and _integral(flat) else flat
    scored = first.datatype.startswith("FP")
    if imported.classes is None or not (scored or plain.dtype.kind not in "iu"):
        return _integers(plain, samples), ""
    return _places(plain, imported.classes, samples)


def memory_limit(size: int) -> Choice:
    """Return a memory limit for a model of `size` bytes: a server, and the model four times."""
    needed = LEAST_MEMORY + 4 * size // MEBIBYTE
    limit = 1 << (needed - 1).bit_length()
    return Choice(f"{limit}Mi", f"the server, and four times the model's {size / 1e6:.1f} MB")


def is_text(infos: Sequence[TensorSpec]) -> bool:
    """Return whether the first output is text, which no metric compares."""
    return infos[0].datatype == "BYTES"


def _flat(labels: NDArray[Any]) -> NDArray[Any]:
    """Return one label for each sample, also of a column and of one-hot rows."""
    if labels.ndim != 2:  # noqa: PLR2004 - rows
        return labels
    if labels.shape[1] == 1:
        return labels[:, 0]
    one_hot = labels.dtype.kind in "biuf" and (np.sort(labels, axis=1)[:, -2:] == [0, 1]).all()
    return labels.argmax(axis=1) if one_hot else labels


def _places(
    labels: NDArray[Any], classes: tuple[Any, ...], samples: Samples
) -> tuple[NDArray[Any], str]:
    text = labels.dtype.kind in "UO" or any(isinstance(one, str) for one in classes)
    key = str if text else int
    places = {key(one): place for place, one in enumerate(classes)}
    unknown = sorted({key(one) for one in labels} - places.keys())
    if unknown:
        raise CliError(
            f"the labels name {', '.join(map(str, unknown[:SHOWN]))}, and the model's classes are"
            f" {', '.join(map(str, classes[:SHOWN]))}",
            samples.place,
            "name the right column by --labels, or write the labels as the model's classes are written",
        )
    found = np.array([places[key(one)] for one in labels], dtype=np.int64)
    same = not text and list(classes) == list(range(len(classes)))
    shown = ", ".join(f"{one} is {n}" for n, one in enumerate(classes[:SHOWN]))
    return found, "" if same else f"the place of the class among the scores: {shown}"


def _numbers(labels: NDArray[Any], samples: Samples) -> NDArray[Any]:
    if labels.dtype.kind not in "biuf":
        raise CliError(
            f"the labels are text, and {Metric.RMSE} needs numbers",
            samples.place,
            "name the column of the values by --labels",
        )
    return labels.astype(np.float32)


def _integers(labels: NDArray[Any], samples: Samples) -> NDArray[Any]:
    if labels.dtype.kind not in "iu":
        raise CliError(
            f"the labels hold {labels.dtype}, and the model does not say what its classes are named",
            samples.place,
            "save the labels as the class numbers that the model answers with",
        )
    return labels


def _integral(labels: NDArray[Any]) -> bool:
    return bool(np.isfinite(labels).all() and (labels == np.round(labels)).all())
