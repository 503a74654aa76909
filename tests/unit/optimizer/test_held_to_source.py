"""A conversion is held to what the source answers with the baseline's engine, alone and together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import helper

from skerry.engines import SOURCE, find_engine
from skerry_optimizer.__main__ import main
from skerry_optimizer.models.running import likeness, load, run
from skerry_optimizer.samples import answered_samples
from skerry_runtime.dataset import Split
from skerry_runtime.engine import load_model
from skerry_runtime.measure.files import Samples, samples_of
from skerry_runtime.measure.source_answers import (
    read_source_answers,
    source_answers,
    write_source_answers,
)
from skerry_runtime.session import Session
from tests.model_kinds import shows
from tests.unit.optimizer.models import start_job
from tests.unit.optimizer.test_field_models import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnx

    from skerry_runtime.datatypes import Arrays
    from tests.unit.optimizer.models import Job
    from tests.unit.optimizer.registries import Registry

OPENVINO = find_engine("OpenVINO")
SOFTMAX = text(
    "old (float[batch, 3, 2] x) => (float[batch, 3, 2] y) { y = Softmax (x) }", '"" : 11'
)
"""Over all axes from the second on; OpenVINO takes the last one (2026.4), and reads the newer form right."""
REDUCED = text(
    "reduced (float[batch, 32] x) => (float[batch, 1] y)"
    " { y = ReduceLogSumExp <axes = [-1], keepdims = 1> (x) }"
)
"""OpenVINO reduces all axes, whatever it is asked (2026.4): of one sample alone, that is the same."""


@pytest.fixture
def converted(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[onnx.ModelProto], tuple[int, Job]]:
    """Return a function that converts a model for OpenVINO after its baseline has answered."""

    def convert(model: onnx.ModelProto) -> tuple[int, Job]:
        access = registry.access("t/held")
        job = start_job(tmp_path, monkeypatch, access, model, engine="OpenVINO")
        inputs = job.workspace.read_baseline().inputs
        samples = samples_of(job.workspace, Split.CALIBRATION, inputs)
        source = Session(load_model("ONNXRuntime", job.workspace.source_file, threads=1))

        def ask(rows: list[int]) -> Arrays:
            return source.run({name: array[rows] for name, array in samples.inputs().items()})

        write_source_answers(samples, source_answers(ask, samples.count))
        return main(["convert"]), job

    return convert


def test_the_form_that_an_engine_reads_right_is_taken(
    converted: Callable[[onnx.ModelProto], tuple[int, Job]],
) -> None:
    code, job = converted(SOFTMAX)
    assert code == 0, job.message
    assert job.message.startswith("converted from opset 11 to 17")
    built = load(OPENVINO, OPENVINO.model_in(job.workspace.folder(SOURCE)))
    for sample, wanted in answered_samples(job.workspace):
        np.testing.assert_allclose(run(built, sample)["y"], wanted["y"], rtol=1e-4, atol=1e-6)


@shows("read otherwise")
def test_an_engine_that_reads_a_model_otherwise_is_refused_with_the_output(
    converted: Callable[[onnx.ModelProto], tuple[int, Job]],
) -> None:
    code, job = converted(REDUCED)
    assert code != 0
    assert "with OpenVINO, `y` is not what the source answers" in job.message
    assert "name another" in job.message


@shows("functions")
def test_a_model_with_functions_of_its_own_is_built_without_them(
    converted: Callable[[onnx.ModelProto], tuple[int, Job]],
) -> None:
    model = text(
        "calls (float[batch, 32] x) => (float[batch, 32] y) { y = local.Twice (x) }",
        '"" : 17, "local" : 1',
    )
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    imports = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("local", "Twice", ["a"], ["b"], body, imports))
    code, job = converted(model)
    assert code == 0, job.message
    assert "its functions inlined" in job.message


@pytest.mark.parametrize(
    ("first", "second", "most"),
    [
        (np.array([[2.0]], "f4"), np.array([[4.0]], "f4"), 0.9),
        (np.array(3, "i8"), np.array(1, "i8"), 0.9),
        (np.array([2], "i8"), np.array([2.0], "f4"), 0.0),
        (np.array([True]), np.array([1.0], "f4"), 0.0),
    ],
    ids=["one number", "one index", "another type", "no longer a truth"],
)
def test_one_number_is_compared_too(
    first: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    second: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    most: float,
) -> None:
    assert likeness({"y": first}, {"y": second}) <= most
    assert likeness({"y": first}, {"y": first.copy()}) == 1.0


def test_text_and_scalars_are_kept_as_they_are(tmp_path: Path) -> None:
    samples = Samples(tmp_path, Split.CALIBRATION, ())
    answers = [([0], {"a/b": np.array(["Łódź", ""], object), "n": np.array(3, "i8")})]
    write_source_answers(samples, answers)
    ((rows, read),) = read_source_answers(samples)
    assert rows == [0]
    assert list(read) == ["a/b", "n"]
    assert read["a/b"].tolist() == ["Łódź", ""]
    assert read["n"].shape == ()
