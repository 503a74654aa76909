"""Models of unusual forms go the whole way: assessed, built, measured, certified, served, replayed by an agent."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from skerry.api.edgemodel import Gates
from skerry.engines import find_engine
from skerry.jobs.errors import EXIT_EVALUATION
from skerry.judging import gates
from skerry_agent.golden import Golden, Target
from skerry_optimizer.__main__ import main
from skerry_runtime.measure.__main__ import main as measure
from tests.model_kinds import shows
from tests.unit.optimizer.models import CLASSES, FEATURES, SAMPLES, classifier, start_job
from tests.unit.runtime import measuring
from tests.unit.runtime.conftest import servers
from tests.waiting import HTTP, TLS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.unit.optimizer.models import Job
    from tests.unit.optimizer.registries import Registry

pytestmark = pytest.mark.timeout(180)  # dozens of processes
HIDDEN = 4
random = np.random.default_rng(11)
ROWS = random.normal(size=(SAMPLES, FEATURES)).astype("f4")


@dataclass(frozen=True)
class Case:
    """A model, its data set without labels, and what a request of three rows may hold."""

    model: onnx.ModelProto
    arrays: dict[str, NDArray[Any]]
    asked: dict[str, NDArray[Any]]


def recurrent(layers: str) -> Case:
    """Return a bidirectional LSTM whose states have the batch on their second axis."""
    shapes = {"W": (2, 4 * HIDDEN, 8), "R": (2, 4 * HIDDEN, HIDDEN), "out": (2 * HIDDEN, CLASSES)}
    model = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        lstm (float[batch, 6, 8] x, float[{layers}, batch, {HIDDEN}] h0, float[{layers}, batch, {HIDDEN}] c0)
          => (float[batch, {CLASSES}] y, float[{layers}, batch, {HIDDEN}] hn, float[{layers}, batch, {HIDDEN}] cn)
        {{
            steps = Transpose <perm = [1, 0, 2]> (x)
            all, hn, cn = LSTM <hidden_size = {HIDDEN}, direction = "bidirectional"> (steps, W, R, , , h0, c0)
            last = Transpose <perm = [1, 0, 2]> (hn)
            flat = Flatten <axis = 1> (last)
            y = MatMul (flat, out)
        }}"""
    )
    for name, shape in shapes.items():
        weight = random.normal(size=shape).astype("f4")
        model.graph.initializer.append(numpy_helper.from_array(weight, name))
    given = random.normal(size=(SAMPLES, 6, 8)).astype("f4")
    states = random.normal(size=(2, SAMPLES, 2, 1, HIDDEN)).astype("f4")
    asked = random.normal(size=(2, 2, 3, HIDDEN)).astype("f4")
    return Case(
        model,
        {"x": given, "h0": states[0], "c0": states[1]},
        {"x": given[:3], "h0": asked[0], "c0": asked[1]},
    )


def finding() -> Case:
    """Return the classifier with outputs of as many entries as a sample has numbers above one."""
    model = classifier()
    model.graph.node.extend(
        [
            helper.make_node("Greater", ["x", "one"], ["above"]),
            helper.make_node("NonZero", ["above"], ["turned"]),
            helper.make_node("Transpose", ["turned"], ["places"], perm=[1, 0]),
            helper.make_node("GatherND", ["x", "places"], ["values"]),
        ]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, "f4"), "one"))
    model.graph.output.extend(
        [
            helper.make_tensor_value_info("places", TensorProto.INT64, ["found", 2]),
            helper.make_tensor_value_info("values", TensorProto.FLOAT, ["found"]),
        ]
    )
    return Case(model, {"x": ROWS}, {"x": ROWS[:3]})


def tempered() -> Case:
    """Return the classifier with an input that is a scalar."""
    model = classifier()
    model.graph.node[-1].output[0] = "scores"
    model.graph.node.append(helper.make_node("Div", ["scores", "temperature"], ["y"]))
    model.graph.input.append(helper.make_tensor_value_info("temperature", TensorProto.FLOAT, []))
    heat = random.uniform(1, 2, SAMPLES).astype("f4")
    return Case(
        model, {"x": ROWS, "temperature": heat}, {"x": ROWS[:3], "temperature": np.array(heat[0])}
    )


def with_gaps() -> Case:
    """Return the classifier that takes NaN for missing, masks a class by -inf, and gives its input back."""
    model = classifier()
    model.graph.node[0].input[0] = "filled"
    model.graph.node[-1].output[0] = "scores"
    model.graph.node.insert(0, helper.make_node("IsNaN", ["x"], ["missing"]))
    model.graph.node.insert(1, helper.make_node("Where", ["missing", "zero", "x"], ["filled"]))
    model.graph.node.extend(
        [
            helper.make_node("Slice", ["missing", "start", "end", "axis"], ["hidden_classes"]),
            helper.make_node("Where", ["hidden_classes", "low", "scores"], ["y"]),
            helper.make_node("Identity", ["x"], ["echo"]),
        ]
    )
    constants = {"zero": np.array(0, "f4"), "low": np.array(-np.inf, "f4")}
    constants |= {"start": np.array([0]), "end": np.array([CLASSES]), "axis": np.array([1])}
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    model.graph.output.append(
        helper.make_tensor_value_info("echo", TensorProto.FLOAT, ["batch", FEATURES])
    )
    rows = np.where(random.random(ROWS.shape) < 0.1, np.float32(np.nan), ROWS)
    return Case(model, {"x": rows}, {"x": rows[:3]})


def with_unused_input() -> Case:
    """Return the classifier with an input that no node reads, as tokenizers want it."""
    model = classifier()
    unused = helper.make_tensor_value_info("token_type_ids", TensorProto.INT64, ["batch", 5])
    model.graph.input.append(unused)
    kinds = np.zeros((SAMPLES, 5), np.int64)
    return Case(
        model, {"x": ROWS, "token_type_ids": kinds}, {"x": ROWS[:3], "token_type_ids": kinds[:3]}
    )


def with_two_names() -> Case:
    """Return the classifier whose scores have a second name, and which gives an input back."""
    model = classifier()
    model.graph.node.append(helper.make_node("Identity", ["y"], ["confidence"]))
    model.graph.node.append(helper.make_node("Identity", ["row_id"], ["id"]))
    numbers = np.arange(SAMPLES, dtype=np.int64)
    kind, shape = TensorProto.INT64, ["batch"]
    model.graph.input.append(helper.make_tensor_value_info("row_id", kind, shape))
    model.graph.output.append(
        helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["batch", CLASSES])
    )
    model.graph.output.append(helper.make_tensor_value_info("id", kind, shape))
    return Case(model, {"x": ROWS, "row_id": numbers}, {"x": ROWS[:3], "row_id": numbers[:3]})


def with_branches() -> Case:
    """Return the classifier with a score that a traced `squeeze` gives: an If with branches of two ranks."""
    model = classifier(opset=11)
    squeezed = helper.make_node("Squeeze", ["column"], ["row"], axes=[1])
    kept = helper.make_node("Identity", ["column"], ["same"])
    branches: dict[str, Any] = {
        f"{name}_branch": helper.make_graph(
            [one], name, [], [helper.make_tensor_value_info(one.output[0], TensorProto.FLOAT, None)]
        )
        for name, one in (("then", squeezed), ("else", kept))
    }
    model.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["y"], ["column"], axes=[1], keepdims=1),
            helper.make_node("Shape", ["column"], ["sizes"]),
            helper.make_node("Gather", ["sizes", "one"], ["size"], axis=0),
            helper.make_node("Equal", ["size", "one"], ["squeezes"]),
            helper.make_node("If", ["squeezes"], ["value"], **branches),
        ]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(1), "one"))
    model.graph.output.append(helper.make_tensor_value_info("value", TensorProto.FLOAT, None))
    return Case(model, {"x": ROWS}, {"x": ROWS[:3]})


CASES: dict[str, Callable[[], Case]] = {
    "states": lambda: recurrent("2"),
    "states of open layers": lambda: recurrent("layers"),
    "found": finding,
    "scalar": tempered,
    "gaps": with_gaps,
    "unused input": with_unused_input,
    "two names": with_two_names,
    "branches": with_branches,
}


def answers_of(case: Case, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return what ONNX Runtime answers."""
    session = onnxruntime.InferenceSession(case.model.SerializeToString())
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def labels_of(case: Case) -> NDArray[Any]:
    """Return the model's own classes."""
    found = []
    session = onnxruntime.InferenceSession(case.model.SerializeToString())
    ranks = {one.name: len(one.shape) for one in session.get_inputs()}
    for row in range(SAMPLES):
        sample = {
            name: np.asarray(array[row]) if array.ndim > ranks[name] else array[row : row + 1]
            for name, array in case.arrays.items()
        }
        found.append(int(session.run(["y"], sample)[0].argmax()))
    return np.array(found)


@pytest.fixture
def job_of(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Job]:
    """Return a function that lays out a pod with a model and a data set."""
    measuring.with_short_blocks(monkeypatch)
    measuring.with_one_memory_process(monkeypatch)
    # Memory is not what these tests are about, and OpenVINO needs more than a small model gains.
    monkeypatch.setattr(gates, "NOT_HUNGRIER", "-99")

    def start(case: Case, engine: str = "ONNXRuntime", **more: NDArray[Any]) -> Job:
        access = registry.access("t/forms")
        placeholder = classifier()  # for what start_job writes of a data set, which is written over
        job = start_job(tmp_path, monkeypatch, access, placeholder, engine=engine, recipe_results=1)
        onnx.save(case.model, job.workspace.source_file)
        np.savez(job.workspace.dataset_file, **case.arrays, labels=labels_of(case), **more)  # type: ignore[arg-type]
        plan = job.plan.model_copy(update={"gates": Gates(speedup="0.1x")})
        monkeypatch.setenv("SKERRY_PLAN", plan.model_dump_json(by_alias=True))
        return job

    return start


def certified(job: Job, folder: Path) -> Path:
    """Run all stages of a job, and return its artifact."""
    for stage in ("assess", "find-finished"):
        assert main([stage]) == 0, job.message
    assert measure(["baseline"]) == 0, job.message
    for stage in ("convert", "quantize"):
        assert main([stage]) == 0, job.message
    for stage in ("quality", "validate"):
        assert measure([stage]) == 0, job.message
    validation = job.workspace.read_validation()
    assert validation.served is not None, validation.message
    shutil.copytree(job.workspace.folder(validation.served.recipe), folder)
    shutil.copy(job.workspace.golden, folder)
    (folder / "skerry.json").write_text(validation.served.model_dump_json(by_alias=True))
    return folder


def request_of(inputs: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return a request in JSON, NaN as null."""
    tensors = []
    for name, array in inputs.items():
        flat = np.asarray(array).ravel().tolist()
        data = [None if value != value else value for value in flat]  # noqa: PLR0124 - NaN
        shape = list(np.asarray(array).shape)
        kind = "INT64" if np.asarray(array).dtype.kind == "i" else "FP32"
        tensors.append({"name": name, "datatype": kind, "shape": shape, "data": data})
    return {"inputs": tensors}


@shows("states", "output that depends on the sample", "not finite")
@shows("unused input", "two names", "branches")
@pytest.mark.parametrize(
    ("name", "engine"),
    [
        *((name, "ONNXRuntime") for name in CASES),
        *(
            (name, "OpenVINO")
            for name in ("states of open layers", "scalar", "gaps", "unused input", "two names")
        ),
    ],
)
async def test_it_is_certified_served_and_replayed(
    job_of: Callable[..., Job], tmp_path: Path, name: str, engine: str
) -> None:
    find_engine(engine)
    case = CASES[name]()
    folder = certified(job_of(case, engine), tmp_path / "artifact")
    with servers() as start:
        served = start(folder)
        asked = HTTP.post(f"{served.url}/v2/models/encoder/infer", json=request_of(case.asked))
        answer = {one["name"]: one for one in asked.json()["outputs"]}
        for output, wanted in answers_of(case, case.asked).items():
            found = np.array(answer[output]["data"], np.float64).reshape(answer[output]["shape"])
            np.testing.assert_allclose(found, wanted, atol=0.2, err_msg=output)
        target = Target("r", "127.0.0.1", "encoder", port=served.port, golden_port=served.port)
        async with httpx.AsyncClient(verify=TLS) as client:
            golden = Golden(tmp_path, client)
            known = await golden.get(target)
            assert len(known.samples) == 2
            for sample in known.samples:
                assert (await golden.replay(target, sample, known.tolerance)).wrong is None


@shows("default")
def test_values_for_an_input_that_always_has_its_default_are_refused(
    job_of: Callable[..., Job],
) -> None:
    case = tempered()
    case.model.graph.initializer.append(numpy_helper.from_array(np.array(1, "f4"), "temperature"))
    job = job_of(Case(case.model, {"x": ROWS}, {}), temperature=np.ones(SAMPLES, "f4"))
    assert main(["assess"]) == EXIT_EVALUATION
    assert "`temperature` is an input with a default, which is always taken" in job.message


def test_an_input_whose_first_axis_is_not_the_samples_is_named_with_the_shape_to_give(
    job_of: Callable[..., Job],
) -> None:
    case = recurrent("2")
    job = job_of(case)
    rows = {name: case.arrays[name][:, 0] for name in ("h0", "c0")}
    labels = np.zeros(SAMPLES, int)
    np.savez(job.workspace.dataset_file, x=case.arrays["x"], **rows, labels=labels)  # type: ignore[arg-type]
    assert main(["assess"]) == EXIT_EVALUATION
    assert "`h0` has shape (600, 1, 4), and the model takes (2, -1, 4)" in job.message
    assert "such as (samples, 2, 1, 4)" in job.message
