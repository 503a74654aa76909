"""A model that is good on every sample of its data set and fails in the field.

A reshape that fits only while every feature is small is put next to the network: larger inputs, which
the data set does not have, end in an error of the engine. Nothing that is measured before the rollout
can see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LARGEST_GOOD = 64.0
OUT_OF_RANGE = 1000.0


def add_field_fault(source: Path, faulty: Path) -> None:
    """Write `source` with a reshape that fails for inputs of `OUT_OF_RANGE`."""
    model = onnx.load(source)
    graph = model.graph
    features, scores = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.output[:] = ["clean_scores" if name == scores else name for name in node.output]
    constants: dict[str, NDArray[Any]] = {
        "fault_scale": np.array([LARGEST_GOOD], dtype=np.float32),
        "fault_one": np.array([1], dtype=np.int64),
        "fault_zero": np.zeros(1, dtype=np.float32),
    }
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    graph.node.extend(
        [
            helper.make_node("Abs", [features], ["sizes"], name="sizes"),
            helper.make_node("ReduceMax", ["sizes"], ["largest"], name="largest", keepdims=0),
            helper.make_node("Div", ["largest", "fault_scale"], ["times"], name="times"),
            helper.make_node("Cast", ["times"], ["more"], name="more", to=TensorProto.INT64),
            helper.make_node("Add", ["more", "fault_one"], ["shape"], name="shape"),
            helper.make_node("Reshape", ["fault_zero", "shape"], ["nothing"], name="nothing"),
            helper.make_node("Add", ["clean_scores", "nothing"], [scores], name="with_fault"),
        ]
    )
    onnx.checker.check_model(model, full_check=True)
    faulty.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, faulty)
