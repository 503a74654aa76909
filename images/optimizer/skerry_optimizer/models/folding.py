"""Weights where quantizers look for them: as initializers, in the form that the multiplication reads.

Exporters also write weights as Constant nodes, or transposed by a node. The quantizers of the engines take
initializers alone, so such a model would come out as large as it went in.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import external_data_helper, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from skerry_optimizer.models.graphs import OWN_DOMAINS, graphs_in, nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

LEAST_ELEMENTS = 64
"""A weight, in contrast to a shape or a scale."""

MOVING = frozenset({"Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten"})
"""Operators that give a weight another form, and no more bytes."""


def fold_weights(model: ModelProto) -> int:
    """Turn weights that nodes make of constants into initializers, in place; returns how many.

    None of a model whose weights are not in memory.
    """
    graph = model.graph
    if any(external_data_helper.uses_external_data(tensor) for tensor in graph.initializer):
        return 0
    known = {tensor.name: tensor for tensor in graph.initializer}
    given = {value.name for value in graph.input}
    made: dict[str, NDArray[Any]] = {}
    readers = Counter(_names_read(graph))

    def value_of(name: str) -> NDArray[Any] | None:
        if name in known and name not in given:
            return numpy_helper.to_array(known[name])
        return made.get(name)

    for node in graph.node:
        array = _constant(node)
        if array is None and node.op_type in MOVING and node.domain in OWN_DOMAINS:
            values = [value_of(name) for name in node.input]
            # A weight that others read as it is would be stored twice.
            if all(value is not None for value in values) and readers[node.input[0]] == 1:
                array = _computed(model, node, values)
        if array is not None:
            made[node.output[0]] = array
    kept = {value.name for value in graph.output}
    weights = {name for name in made.keys() - kept if prod(made[name].shape) >= LEAST_ELEMENTS}
    for node in [node for node in graph.node if weights.intersection(node.output)]:
        graph.node.remove(node)
        graph.initializer.append(numpy_helper.from_array(made[node.output[0]], node.output[0]))
    _drop_unused(graph, (known.keys() | weights) - given)
    return len(weights)


def _constant(node: NodeProto) -> NDArray[Any] | None:
    if node.op_type != "Constant" or node.domain not in OWN_DOMAINS:
        return None
    tensor = next((one.t for one in node.attribute if one.name == "value"), None)
    return None if tensor is None else numpy_helper.to_array(tensor)


def _computed(model: ModelProto, node: NodeProto, values: list[Any]) -> NDArray[Any] | None:
    """Return what a node makes of constants; None where ONNX's reference does not know it."""
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in zip(node.input, values, strict=True)
    ]
    output = helper.make_value_info(node.output[0], helper.make_tensor_type_proto(0, None))
    graph = helper.make_graph([node], "weight", inputs, [output])
    alone = helper.make_model(graph, opset_imports=model.opset_import)
    try:
        answers: Any = ReferenceEvaluator(alone).run(
            None, dict(zip(node.input, values, strict=True))
        )
    except Exception:  # noqa: BLE001 - the node stays as it is, whatever the reference lacks
        return None
    return np.asarray(answers[0])


def _drop_unused(graph: GraphProto, candidates: set[str]) -> None:
    """Remove initializers that nothing reads any more."""
    unused = candidates - set(_names_read(graph))
    for tensor in [one for one in graph.initializer if one.name in unused]:
        graph.initializer.remove(tensor)


def _names_read(graph: GraphProto) -> Iterator[str]:
    """Yield what nodes read and what the graph gives, in graphs inside of nodes too."""
    yield from (value.name for value in graph.output)
    for node in nodes_of(graph):
        yield from node.input
        for inner in graphs_in(node):
            yield from (value.name for value in inner.output)
