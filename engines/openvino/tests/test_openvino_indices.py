"""An index that a table does not have is refused, as by ONNX Runtime: no answer holds what lies in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from skerry.engines import InputError
from skerry_openvino.building import convert
from skerry_runtime.engine import load_model
from tests.unit.optimizer.candidates import encoder
from tests.unit.runtime.conftest import model_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.engines import LoadedModel

ENGINES = ("ONNXRuntime", "OpenVINO")
ROWS = 5
TABLE = np.arange(ROWS * 4, dtype=np.float32).reshape(ROWS, 4)
OUTSIDE = (ROWS, ROWS + 1, -ROWS - 1, 1000, -1000, 2**31, 2**32 + 1, -(2**32) - 1)
node = helper.make_node

GRAPHS: dict[str, list[Any]] = {
    "sent": [node("Gather", ["table", "ids"], ["y"])],
    "reshaped": [
        node("Cast", ["ids"], ["narrow"], to=TensorProto.INT32),
        node("Unsqueeze", ["narrow", "one"], ["column"]),
        node("Transpose", ["column"], ["row"]),
        node("Gather", ["table", "row"], ["y"]),
    ],
    "computed": [
        node("Neg", ["ids"], ["negative"]),
        node("Neg", ["negative"], ["same"]),
        node("Gather", ["table", "same"], ["y"]),
    ],
    "rows": [
        node("Unsqueeze", ["ids", "one"], ["column"]),
        node("GatherND", ["table", "column"], ["y"]),
    ],
    "along": [node("Gather", ["turned", "ids"], ["y"], axis=-1)],
    "free": [node("Tanh", ["x"], ["moved"]), node("Gather", ["moved", "ids"], ["y"])],
    "free rows": [
        node("Tanh", ["x"], ["moved"]),
        node("Unsqueeze", ["ids", "one"], ["column"]),
        node("GatherND", ["moved", "column"], ["y"]),
    ],
}


def loaded(engine: str, graph: list[Any], folder: Path) -> LoadedModel:
    """Return a model with the graph; `x` is a table that the caller sends."""
    constants: dict[str, NDArray[Any]] = {
        "table": TABLE,
        "turned": np.ascontiguousarray(TABLE.T),
        "one": np.ones(1, np.int64),
    }
    used = {name for one in graph for name in one.input}
    axes: list[str | int | None] = ["N", 2] if graph is PAIRS else ["N"]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, axes)]
    if "x" in used:
        inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["M", 4]))
    answer: list[str | int | None] = [None] * (1 if graph is PAIRS else 2 + ("row" in used))
    model = model_of(
        graph,
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, answer)],
        [numpy_helper.from_array(constants[name], name) for name in constants if name in used],
    )
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    if engine == "OpenVINO":
        convert(file, folder / "model.xml")
        file = folder / "model.xml"
    return load_model(engine, file, 1)


PAIRS = [node("GatherND", ["table", "ids"], ["y"])]


def sent(model: LoadedModel, ids: list[int]) -> dict[str, Any]:
    """Return what is sent with the indices."""
    more = {"x": np.arctanh(TABLE / 100)} if len(model.inputs) > 1 else {}
    return {"ids": np.array(ids, np.int64), **more}


def wanted(name: str, ids: list[int]) -> Any:
    """Return what the graph must answer."""
    right = TABLE[ids]
    return {"along": right.T, "reshaped": right[None]}.get(
        name, right / (100 if "free" in name else 1)
    )


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("engine", ENGINES)
def test_an_index_outside_is_the_caller_s_fault_and_one_inside_is_answered(
    engine: str, name: str, tmp_path: Path
) -> None:
    model = loaded(engine, GRAPHS[name], tmp_path)
    assert [one.name for one in model.outputs] == ["y"]
    for index in OUTSIDE if name in {"sent", "rows"} else OUTSIDE[:5]:
        right = [0, ROWS - 1, -1, -ROWS, index % ROWS]
        with pytest.raises(InputError, match=r"index|indices"):
            model.run(["y"], sent(model, [1, index, 0, 0, 0]))
        answer = model.run(["y"], sent(model, right))[0]
        np.testing.assert_allclose(answer, wanted(name, right), rtol=1e-5, atol=1e-6)


WRITTEN: dict[str, list[Any]] = {
    "ScatterElements": [
        node("Unsqueeze", ["ids", "one"], ["column"]),
        node("Cast", ["column"], ["updates"], to=TensorProto.FLOAT),
        node("ScatterElements", ["table", "column", "updates"], ["y"], axis=0),
    ],
    "ScatterND": [
        node("Unsqueeze", ["ids", "one"], ["column"]),
        node("Gather", ["table", "ids"], ["updates"]),
        node("ScatterND", ["table", "column", "updates"], ["y"]),
    ],
}


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_written_outside_of_a_table(engine: str, name: str, tmp_path: Path) -> None:
    model = loaded(engine, WRITTEN[name], tmp_path)
    for index in OUTSIDE[:5]:
        with pytest.raises(InputError, match=r"index|indices"):
            model.run(["y"], sent(model, [1, index]))
        expected = TABLE.copy()
        if name == "ScatterElements":
            expected[[1, -1], 0] = [1, -1]
        np.testing.assert_array_equal(model.run(["y"], sent(model, [1, -1]))[0], expected)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return loaded("OpenVINO", PAIRS, tmp_path_factory.mktemp("model"))


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(st.integers(-7, 6), st.integers(-6, 5)), min_size=1, max_size=6))
def test_an_index_into_two_axes_is_compared_with_the_size_of_each(
    pairs: LoadedModel, rows: list[tuple[int, int]]
) -> None:
    try:
        expected = [TABLE[row] for row in rows]
    except IndexError:
        with pytest.raises(InputError, match="has the index"):
            pairs.run(["y"], {"ids": np.array(rows)})
    else:
        np.testing.assert_array_equal(pairs.run(["y"], {"ids": np.array(rows)})[0], expected)


@pytest.mark.parametrize("name", ["sent", "computed", "rows"])
def test_no_index_at_all_is_none_outside(name: str, tmp_path: Path) -> None:
    model = loaded("OpenVINO", GRAPHS[name], tmp_path)
    assert model.run(["y"], sent(model, []))[0].shape == (0, 4)


def test_a_quantized_table_of_tokens_is_no_exception(tmp_path: Path) -> None:
    made = encoder(tmp_path, layers=1)
    for file in (made.source, made.make("weight-int8")):
        model = load_model("OpenVINO", file, 1)
        right = made.samples[0]
        model.run(["embedding"], right)
        for wrong in (10**6, -(10**6), 2**32 + 1):
            ids = right["input_ids"].copy()
            ids[0, -1] = wrong
            with pytest.raises(InputError, match=f"input_ids has the index {wrong}, and its table"):
                model.run(["embedding"], {**right, "input_ids": ids})
