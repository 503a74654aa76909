"""Every output of a build is held to the source's: alone, in batches, and outside of the data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from skerry.api.modelvariant import RecipeOutcome, RecipeResult
from skerry.precision import Precision
from skerry.tasks import Metric
from skerry_runtime.measure import answers as measured_answers
from tests.jobs.stage_job import Job, plan
from tests.unit.runtime import measuring
from tests.unit.runtime.conftest import model_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

WEIGHTS = np.random.default_rng(8).normal(size=(6, 3)).astype(np.float32)


def classifier(*second: Any, first: Sequence[Any] = (), name: str = "score", **weights: Any) -> Any:
    """Return a model with the outputs `scores` and, of the same samples, another; `second` reads `scores`."""
    begin = first or [helper.make_node("MatMul", ["x", "w"], ["scores"])]
    arrays = {"w": WEIGHTS, **weights}
    return model_of(
        [*begin, *(second or (helper.make_node("Softplus", ["scores"], [name]),))],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 6])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]),
        ],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in arrays.items()],
    )


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def doubled() -> Any:
    """Return a build whose second output alone is wrong."""
    return classifier(
        node("Softplus", "scores", "right"),
        node("Mul", "right two", "score"),
        two=np.float32(2),
    )


def spread_over_the_batch() -> Any:
    """Return a build whose second output is the source's for a sample alone, and another one in a batch."""
    return classifier(
        node("Softplus", "scores", "right"),
        node("ReduceMean", "right", "mean", axes=[0], keepdims=1),
        node("Sub", "right mean", "distance"),
        node("Mul", "distance tenth", "some"),
        node("Add", "right some", "score"),
        tenth=np.float32(0.1),
    )


def scaled_over_the_batch() -> Any:
    """Return a build that quantizes its input with one scale for the whole batch, as dynamic quantization does."""
    return classifier(
        node("Softplus", "scores", "score"),
        first=[
            node("DynamicQuantizeLinear", "x", "q scale zero"),
            node("DequantizeLinear", "q scale zero", "near"),
            node("MatMul", "near w", "scores"),
        ],
    )


def overflowing() -> Any:
    """Return a build whose second output is the source's, by a formula that overflows."""
    return classifier(
        node("Exp", "scores", "power"),
        node("Add", "power one", "above"),
        node("Log", "above", "score"),
        one=np.float32(1),
    )


@pytest.fixture(scope="module", autouse=True)
def quick() -> Any:
    """Measure few blocks in one process: no speed is judged here."""
    with pytest.MonkeyPatch.context() as patched:
        measuring.with_short_blocks(patched)
        measuring.with_one_memory_process(patched)
        yield


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RecipeResult]:
    """Return what the race found of each build."""
    job = made(tmp_path_factory.mktemp("whole") / "job", classifier())
    job.add("source", classifier())
    job.add("wrong-second", doubled())
    job.add("renamed", classifier(name="other"))
    job.add("of-the-batch", spread_over_the_batch())
    job.add("of-the-mates", scaled_over_the_batch())
    code, message = job.run("quality")
    assert code == 0, message
    results = job.workspace.read_screening().recipe_results
    return {one.result.recipe: one.result for one in results}


def made(root: Path, source: Any) -> Job:
    """Return a job for a classifier, after its first stage."""
    for name in ("source", "dataset", "scratch"):
        (root / name).mkdir(parents=True)
    onnx.save(source, root / "source/model.onnx")
    rows = np.random.default_rng(4).normal(size=(450, 6)).astype(np.float32)
    np.savez(root / "dataset/dataset.npz", x=rows, labels=(rows @ WEIGHTS).argmax(axis=1))
    job = Job(root, plan(Metric.ACCURACY, gates={"speedup": "0.01", "allowMarginal": True}))
    code, message = job.run("baseline")
    assert code == 0, message
    return job


def test_the_source_does_not_move(found: dict[str, RecipeResult]) -> None:
    source = found["source"]
    assert source.movement is not None
    assert (source.movement.high, source.batching) == ("0", True)


def test_a_second_output_that_is_wrong_fails_the_gate(found: dict[str, RecipeResult]) -> None:
    wrong = found["wrong-second"]
    assert wrong.quality is not None
    assert wrong.movement is not None
    assert (wrong.quality.value, float(wrong.movement.low) > 0.5) == ("1", True)
    assert "movement of the outputs" in wrong.message


def test_a_renamed_output_is_named(found: dict[str, RecipeResult]) -> None:
    renamed = found["renamed"]
    assert renamed.outcome is RecipeOutcome.FAILED
    assert renamed.message == "its tensors are scores, other, the source's are scores, score"


@pytest.mark.parametrize("recipe", ["of-the-batch", "of-the-mates"])
def test_a_build_whose_answers_depend_on_others_is_not_batched(
    found: dict[str, RecipeResult], recipe: str
) -> None:
    assert found[recipe].outcome is RecipeOutcome.MEASURED
    assert not found[recipe].batching


def test_a_build_that_overflows_where_the_source_does_not_is_not_certified(tmp_path: Path) -> None:
    job = made(tmp_path / "job", classifier())
    job.add("overflowing", overflowing())
    code, message = job.validate()
    assert code == 0, message
    validation = job.validation()
    assert validation.chosen is None
    assert (
        "its output `score` is NaN or infinite when a sample's numbers are multiplied by 100"
        in validation.message
    )


def test_what_the_source_can_not_answer_either_is_no_fault_of_the_build(tmp_path: Path) -> None:
    job = made(tmp_path / "job", overflowing())
    job.add("source", overflowing(), precision=Precision.FLOAT16)
    code, message = job.validate()
    assert code == 0, message
    validation = job.validation()
    assert validation.chosen == "source"
    assert validation.baseline == "ONNXRuntime 1.32.0, Float16, the source as it came"


def test_great_outputs_are_compared_on_fewer_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_answers, "COMPARED_BYTES", 1)
    job = made(tmp_path / "job", classifier())
    job.add("wrong-second", doubled())
    code, message = job.run("quality")
    assert code == 0, message
    assert len(np.load(job.workspace.samples / "choice.others.npz")["score"]) == 2
    (result,) = [one.result for one in job.workspace.read_screening().recipe_results]
    assert "movement of the outputs" in result.message
