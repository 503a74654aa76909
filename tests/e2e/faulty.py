"""A model that is good on every sample of its data set and fails in the field.

A look-up indexed by the largest feature is put beside the network: inputs beyond the table, which the
data set does not have, end in an error of the engine. Nothing that is measured before the rollout can
see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

TABLE_ROWS = 64
OUT_OF_RANGE = 1000.0


def add_field_fault(source: Path, faulty: Path) -> None:
    """Write `source` with a look-up that fails for inputs of `OUT_OF_RANGE`."""
    model = onnx.load(source)
    graph = model.graph
    features, scores = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.output[:] = ["clean_scores" if name == scores else name for name in node.output]
    table = np.zeros((TABLE_ROWS, 1), dtype=np.float32)
    graph.initializer.append(numpy_helper.from_array(table, "fault_table"))
    graph.node.extend(
        [
            helper.make_node(
                "ReduceMax", [features], ["largest"], name="largest", axes=[1], keepdims=0
            ),
            helper.make_node("Abs", ["largest"], ["largest_abs"], name="largest_abs"),
            helper.make_node("Cast", ["largest_abs"], ["row"], name="row", to=TensorProto.INT64),
            helper.make_node("Gather", ["fault_table", "row"], ["nothing"], name="nothing", axis=0),
            helper.make_node("Add", ["clean_scores", "nothing"], [scores], name="with_fault"),
        ]
    )
    onnx.checker.check_model(model, full_check=True)
    faulty.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, faulty)
