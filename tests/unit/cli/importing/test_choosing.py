"""Metric, labels and limits follow from model and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from skerry.cli.errors import CliError
from skerry.cli.importing.choosing import choose_labels, choose_metric, memory_limit
from skerry.cli.importing.contract import Imported
from skerry.cli.importing.samples import Samples
from skerry.engines import TensorSpec

SCORES, CLASS = TensorSpec("scores", "FP32", (-1, 3)), TensorSpec("label", "INT64", (-1,))
NUMBER = TensorSpec("value", "FP32", (-1, 1))
WORDS = ("cat", "dog", "owl")


def imported(classes: tuple[Any, ...] | None = None, *, values: bool = False) -> Imported:
    """Return a model of which these are known."""
    return Imported(onnx.ModelProto(), "exporter", classes=classes, values=values)


def samples(labels: Any) -> Samples:
    """Return data with these labels."""
    known = None if labels is None else np.array(labels)
    return Samples("data.npz", {"x": np.zeros((4, 1))}, known)


@pytest.mark.parametrize(
    ("labels", "model", "first", "metric"),
    [
        ([0, 1, 2, 1], imported((0, 1, 2)), CLASS, "Accuracy"),
        ([0, 1, 2, 1], imported(), SCORES, "Accuracy"),
        ([0.0, 1.0, 2.0, 1.0], imported(), SCORES, "Accuracy"),
        ([0.5, 1.0, 2.0, 1.0], imported(), SCORES, "RMSE"),
        (np.eye(3)[[0] * 50 + [1] * 50 + [2]], imported(), SCORES, "F1"),
        ([0, 1, 1, 0], imported(), NUMBER, "RMSE"),
        ([0, 1, 2, 1], imported(values=True), NUMBER, "RMSE"),
        ([0] * 99 + [1], imported((0, 1)), CLASS, "F1"),
        (None, imported(), SCORES, "NearestNeighbors"),
        (None, imported((0, 1)), CLASS, "Accuracy"),
        (None, imported(values=True), NUMBER, "RMSE"),
    ],
)
def test_the_metric_suits(labels: Any, model: Imported, first: TensorSpec, metric: str) -> None:
    given = None if labels is None else np.array(labels)
    assert choose_metric(None, given, model, first).value == metric
    assert choose_metric("F1", given, model, first).value == "F1"


@pytest.mark.parametrize(
    ("labels", "classes", "first", "wanted"),
    [
        (["dog", "cat", "owl", "dog"], WORDS, SCORES, [1, 0, 2, 1]),
        ([3, 5, 9, 3], (3, 5, 9), SCORES, [0, 1, 2, 0]),
        ([3, 5, 9, 3], (3, 5, 9), CLASS, [3, 5, 9, 3]),
        ([3.0, 5.0, 9.0, 3.0], (3, 5, 9), CLASS, [3, 5, 9, 3]),
        ([True, False, True, True], (False, True), SCORES, [1, 0, 1, 1]),
        (["True", "False", "True", "True"], (False, True), SCORES, [1, 0, 1, 1]),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]], None, SCORES, [1, 0, 2, 1]),
        ([[1], [0], [2], [1]], None, SCORES, [1, 0, 2, 1]),
    ],
)
def test_labels_become_what_the_model_answers(
    labels: Any, classes: tuple[Any, ...] | None, first: TensorSpec, wanted: list[int]
) -> None:
    found, _ = choose_labels("Accuracy", samples(labels), imported(classes), first)
    assert found is not None
    assert found.tolist() == wanted


@pytest.mark.parametrize(
    ("metric", "labels", "classes", "message"),
    [
        ("Accuracy", None, WORDS, "needs labels, and there are none among x"),
        ("Accuracy", ["cow"] * 4, WORDS, "the labels name cow, and the model's classes are cat, dog, owl"),
        ("Accuracy", ["cow"] * 4, None, "does not say what its classes are named"),
        ("RMSE", ["cow"] * 4, None, "the labels are text"),
    ],
)  # fmt: skip
def test_labels_that_do_not_suit_are_refused(
    metric: str, labels: Any, classes: tuple[Any, ...] | None, message: str
) -> None:
    with pytest.raises(CliError) as caught:
        choose_labels(metric, samples(labels), imported(classes), SCORES)
    assert message in caught.value.what


@pytest.mark.parametrize(
    ("size", "limit"), [(1000, "256Mi"), (20_000_000, "512Mi"), (400_000_000, "2048Mi")]
)
def test_limits_grow_with_the_model(size: int, limit: str) -> None:
    assert memory_limit(size).value == limit
