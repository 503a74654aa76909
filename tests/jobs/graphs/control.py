"""Nodes that hold graphs, sequences or states, and functions of a model's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.jobs.graphs.builder import Graph, info

if TYPE_CHECKING:
    from tests.jobs.graphs.builder import Value


def branched(g: Graph) -> None:
    """Add If: its condition follows from the values, its branches read them."""
    value = g.pick(("f4",), lambda one: one.rank > 0)
    if not value or g.opset < 11:
        return
    largest = g.one("ReduceMax", [value], "f4", (), keepdims=0)
    condition = g.one("Greater", [largest, g.constant(0.5, "f4")], "?", ())
    branches = {}
    for key, operator in (("then_branch", "Neg"), ("else_branch", "Relu")):
        out = g.name()
        shape = g.sized(value.shape) if g.chance(0.5) else None
        node = helper.make_node(operator, [value.name], [out])
        branches[key] = helper.make_graph([node], key, [], [info(out, TensorProto.FLOAT, shape)])
    g.used.add(value.name)
    g.one("If", [condition], "f4", value.shape, **branches)


def looped(g: Graph) -> None:
    """Add Loop: a state that is halved thrice, and what it was after each turn."""
    value = g.pick(("f4",), lambda one: one.rank < 4)
    if not value or g.opset < 11:
        return
    turn, going, state, after, seen = (g.name() for _ in range(5))
    half = numpy_helper.from_array(np.array(0.5, "f4"), g.name())
    shape = g.sized(value.shape) if g.chance(0.5) else None
    still = g.name()
    body = helper.make_graph(
        [
            helper.make_node("Identity", [going], [still]),
            helper.make_node("Mul", [state, half.name], [after]),
            helper.make_node("Identity", [after], [seen]),
        ],
        "turn",
        [
            info(turn, TensorProto.INT64, []),
            info(going, TensorProto.BOOL, []),
            info(state, 1, shape),
        ],
        [info(still, TensorProto.BOOL, []), info(after, 1, shape), info(seen, 1, shape)],
        [half],
    )
    count, yes = g.constant(3, "i8"), g.constant(1, "?")
    made = [("f4", value.shape), ("f4", (3, *value.shape))]
    g.add("Loop", [count, yes, value], made, body=body)


def recurrent(g: Graph) -> None:
    """Add LSTM or GRU: its states have the samples on the second axis."""
    value = g.pick(("f4",), lambda one: one.rank == 2 and one.is_rows)
    if not value:
        return
    width, hidden = int(value.shape[1] or 1), 3
    time = g.with_axes("Unsqueeze", value, [0], (1, None, width), 13)
    operator, gates = g.one_of([("LSTM", 4), ("GRU", 3), ("RNN", 1)])
    weights = [
        g.constant(g.drawn("f4", (1, gates * hidden, size)) / 4, "f4") for size in (width, hidden)
    ]
    made = [("f4", (1, 1, None, hidden)), ("f4", (1, None, hidden))]
    g.add(operator, [time, *weights], made, hidden_size=hidden)


def in_sequence(g: Graph) -> None:
    """Divide a value into a sequence and take one of its parts, or all."""
    value = g.pick(("f4", "i8"), lambda one: one.rank > 1 and (one.shape[-1] or 1) > 1)
    if not value or g.opset < 11:
        return
    axis = value.rank - 1
    parts = g.name()
    g.used.add(value.name)
    node = helper.make_node("SplitToSequence", [value.name], [parts], axis=axis)
    g.nodes.append(node)
    if g.chance(0.5):
        g.one("ConcatFromSequence", [parts], value.kind, value.shape, axis=axis)
    else:
        shape = (*value.shape[:-1], 1)
        g.one("SequenceAt", [parts, g.constant(0, "i8")], value.kind, shape)


def own_function(g: Graph) -> None:
    """Call a function that the model brings."""
    value = g.pick(("f4",))
    if not value or g.opset < 15:
        return
    g.domains["local"] = 1
    name = f"Twice{len(g.functions)}"
    nodes = [helper.make_node("Add", ["a", "a"], ["b"]), helper.make_node("Tanh", ["b"], ["c"])]
    imports = [helper.make_opsetid("", g.opset)]
    g.functions.append(helper.make_function("local", name, ["a"], ["c"], nodes, imports))
    g.one(name, [value], "f4", value.shape, domain="local")


def foreign(g: Graph) -> None:
    """Add an operator of ONNX Runtime's own."""
    value = g.pick(("f4",))
    if value:
        g.domains["com.microsoft"] = 1
        operator = g.one_of(["Gelu", "QuickGelu"])
        g.one(operator, [value], "f4", value.shape, domain="com.microsoft")


def table_model(g: Graph) -> None:
    """Add what scikit-learn's converters write."""
    value = g.pick(("f4",), lambda one: one.rank == 2 and one.is_rows)
    if not value:
        return
    g.domains["ai.onnx.ml"] = g.domains.get("ai.onnx.ml", 2)
    width, ml = int(value.shape[1] or 1), "ai.onnx.ml"
    kind = g.one_of(["scaler", "normalizer", "classifier", "regressor", "binarizer", "trees"])
    if kind == "scaler":
        g.one(
            "Scaler",
            [value],
            "f4",
            value.shape,
            domain=ml,
            offset=[0.5] * width,
            scale=[2.0] * width,
        )
    elif kind == "normalizer":
        g.one("Normalizer", [value], "f4", value.shape, domain=ml, norm="L2")
    elif kind == "binarizer":
        g.one("Binarizer", [value], "f4", value.shape, domain=ml, threshold=0.1)
    elif kind == "regressor":
        factors = [float(one) for one in g.drawn("f4", (2 * width,))]
        g.one(
            "LinearRegressor", [value], "f4", (None, 2), domain=ml, coefficients=factors, targets=2
        )
    elif kind == "trees":
        g.one("TreeEnsembleRegressor", [value], "f4", (None, 2), domain=ml, **_tree())
    else:
        factors = [float(one) for one in g.drawn("f4", (3 * width,))]
        labels: dict[str, Any] = (
            {"classlabels_ints": [4, 7, 9]}
            if g.chance(0.5)
            else {"classlabels_strings": ["x", "y", "ü"]}
        )
        made = [("i8" if "classlabels_ints" in labels else "O", (None,)), ("f4", (None, 3))]
        g.add("LinearClassifier", [value], made, domain=ml, coefficients=factors,
              intercepts=[0.1, 0.2, 0.3], **labels)  # fmt: skip


def _tree() -> dict[str, Any]:
    return {
        "n_targets": 2, "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [0.1, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0], "target_treeids": [0, 0],
        "target_nodeids": [1, 2], "target_ids": [0, 1], "target_weights": [1.0, 2.0],
    }  # fmt: skip


def no_tensor(g: Graph, value: Value, what: str) -> onnx.ValueInfoProto:
    """Add an output that is a sequence, or a list of dictionaries as ZipMap makes it."""
    name = g.name()
    g.used.add(value.name)
    if what == "sequence":
        g.nodes.append(helper.make_node("SplitToSequence", [value.name], [name], axis=1))
        part = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        return helper.make_value_info(name, helper.make_sequence_type_proto(part))
    g.domains["ai.onnx.ml"] = g.domains.get("ai.onnx.ml", 2)
    classes = [*range(int(value.shape[1] or 1))]
    node = helper.make_node(
        "ZipMap", [value.name], [name], domain="ai.onnx.ml", classlabels_int64s=classes
    )
    g.nodes.append(node)
    one = helper.make_map_type_proto(
        TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    return helper.make_value_info(name, helper.make_sequence_type_proto(one))
