"""A data set that can't be used is found by the assessment, before anything is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from skerry.api.edgemodel import Metric
from skerry.api.termination import EXIT_EVALUATION
from skerry_optimizer.__main__ import main
from skerry_optimizer.workspace import read_assess_plan
from tests.unit.optimizer.models import CLASSES, SAMPLES, Job, classifier, start_job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.optimizer.registries import Registry

SAMPLE = np.zeros((SAMPLES, 32), "f4")
LABELS = np.arange(SAMPLES) % CLASSES


@pytest.fixture
def job(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """An assessing pod with a classifier and a data set that fits."""
    return start_job(tmp_path, monkeypatch, registry.access("t/unfit"), classifier())


@pytest.mark.parametrize(
    ("arrays", "metric", "words"),
    [
        ({"x": SAMPLE}, Metric.ACCURACY, "no array `labels`, which the metric accuracy needs"),
        ({"y": SAMPLE, "labels": LABELS}, Metric.ACCURACY, "no array `x`, an input of the model"),
        ({"x": SAMPLE[:, :31], "labels": LABELS}, Metric.ACCURACY, "`x` has shape (600, 31)"),
        ({"x": SAMPLE.astype("f8"), "labels": LABELS}, Metric.ACCURACY, "`x` holds float64"),
        ({"x": SAMPLE[:417], "labels": LABELS[:417]}, Metric.F1, "417 samples and 418 are needed"),
        ({"x": SAMPLE, "labels": LABELS[:500]}, Metric.F1, "arrays differ in their count"),
        ({"x": SAMPLE, "labels": LABELS + 1}, Metric.ACCURACY, "classes 0 to 3, and the labels go from 1 to 4"),
        ({"x": SAMPLE, "labels": LABELS}, Metric.RMSE, "4 numbers a sample and the labels have 1"),
        ({"x": SAMPLE, "labels": LABELS * 0.5}, Metric.ACCURACY, "`labels` holds float64"),
    ],
)  # fmt: skip
def test_a_data_set_that_does_not_fit_is_refused_with_its_name(
    job: Job, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, Any], metric: Metric, words: str
) -> None:
    np.savez(job.workspace.dataset / "dataset.npz", **arrays)
    plan = read_assess_plan()
    evaluation = plan.evaluation.model_copy(update={"metric": metric})
    changed = plan.model_copy(update={"evaluation": evaluation})
    monkeypatch.setenv("SKERRY_ASSESS_PLAN", changed.model_dump_json(by_alias=True))
    assert main(["assess"]) == EXIT_EVALUATION
    assert words in job.message
    assert plan.evaluation.dataset.uri in job.message
