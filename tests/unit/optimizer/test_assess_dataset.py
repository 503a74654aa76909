"""A data set that can't be used is found by the assessment, before anything is built."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from skerry.jobs.errors import EXIT_EVALUATION, EXIT_SOURCE
from skerry.jobs.plans import AssessPlan
from skerry.tasks import Metric
from skerry_optimizer.__main__ import main
from tests.unit.optimizer.models import CLASSES, SAMPLES, Job, classifier, start_job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.optimizer.registries import Registry

SAMPLE = np.zeros((SAMPLES, 32), "f4")
LABELS = np.arange(SAMPLES) % CLASSES


@pytest.fixture
def job(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return an assessing pod with a classifier and a data set that fits."""
    return start_job(tmp_path, monkeypatch, registry.access("t/unfit"), classifier())


@pytest.mark.parametrize(
    ("arrays", "metric", "words"),
    [
        ({"x": SAMPLE}, Metric.ACCURACY, "no array `labels`, which the metric Accuracy needs"),
        ({"y": SAMPLE, "labels": LABELS}, Metric.ACCURACY, "no array `x`, an input of the model"),
        ({"x": SAMPLE[:, :31], "labels": LABELS}, Metric.ACCURACY, "`x` has shape (600, 31)"),
        ({"x": SAMPLE.astype("f8"), "labels": LABELS}, Metric.ACCURACY, "`x` holds float64"),
        ({"x": SAMPLE[:417], "labels": LABELS[:417]}, Metric.F1, "417 samples and 418 are needed"),
        ({"x": SAMPLE, "labels": LABELS[:500]}, Metric.F1, "arrays differ in their count"),
        ({"x": SAMPLE, "labels": LABELS + 1}, Metric.ACCURACY, "classes 0 to 3, and the labels go from 1 to 4"),
        ({"x": SAMPLE, "labels": LABELS}, Metric.RMSE, "4 numbers a sample and the labels have 1"),
        ({"x": SAMPLE, "labels": LABELS * 0.5}, Metric.ACCURACY, "`labels` holds float64"),
        ({"x": SAMPLE, "labels": np.array(1)}, Metric.NEAREST_NEIGHBORS, "labels is one value for all samples"),
        ({"x": SAMPLE + np.nan, "labels": LABELS}, Metric.F1, "do the arrays hold what the model expects?"),
    ],
)  # fmt: skip
def test_a_data_set_that_does_not_fit_is_refused_with_its_name(
    job: Job, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, Any], metric: Metric, words: str
) -> None:
    np.savez(job.workspace.dataset / "dataset.npz", **arrays)
    plan = AssessPlan.from_environment(os.environ)
    evaluation = plan.evaluation.model_copy(update={"metric": metric})
    changed = plan.model_copy(update={"evaluation": evaluation})
    monkeypatch.setenv("SKERRY_ASSESS_PLAN", changed.model_dump_json(by_alias=True))
    assert main(["assess"]) == EXIT_EVALUATION
    assert words in job.message
    assert plan.evaluation.dataset.uri in job.message


def test_an_archive_of_another_sort_is_refused(job: Job) -> None:
    file = job.workspace.dataset / "dataset.npz"
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\x01\x02") + 10] = 99  # a way of packing that there is not
    file.write_bytes(content)
    assert main(["assess"]) == EXIT_EVALUATION
    assert "cannot be read as a numpy archive" in job.message


def test_a_first_output_that_no_metric_compares_is_the_source_s_fault(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = classifier()
    last = model.graph.node[-1]
    answer, last.output[0] = last.output[0], "scores"
    model.graph.node.append(helper.make_node("Relu", ["scores"], ["positive"]))
    model.graph.node.append(helper.make_node("Cast", ["positive"], ["is_it"], to=TensorProto.BOOL))
    model.graph.node.append(helper.make_node("Compress", ["scores", "is_it_flat"], [answer]))
    model.graph.node.insert(-1, helper.make_node("Flatten", ["is_it"], ["is_it_row"], axis=0))
    model.graph.node.insert(-1, helper.make_node("Squeeze", ["is_it_row"], ["is_it_flat"]))
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_param = "found"
    job = start_job(tmp_path, monkeypatch, registry.access("t/sum"), model)
    assert main(["assess"]) == EXIT_SOURCE
    assert "the first output `y` has another shape for other samples" in job.message
    assert "an output of one shape first" in job.message


def test_a_plan_of_another_release_may_be_tried_again(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_ASSESS_PLAN", "{}")
    assert main(["assess"]) == 1
    assert "must be of the same release" in job.message
