"""Everything in bfloat16, where the CPU provider computes in it.

ONNX Runtime's CPU provider has next to no bfloat16 kernels, and unlike for float16 it inserts no
casts: loading shows whether the CPU at hand has them, and its reason is passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from skerry.engines import ModelError, NotSupported
from skerry_onnxruntime.model import load
from skerry_optimizer.models.graphs import nodes_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

    from skerry.engines import Ingredients

NARROW = TensorProto.BFLOAT16
WIDE = TensorProto.FLOAT


def build_bfloat16(ingredients: Ingredients) -> None:
    """Write the candidate; inputs and outputs stay float32.

    Raises:
        NotSupported: This CPU's kernels don't take it.
    """
    model = onnx.load(ingredients.source)
    convert_to_bfloat16(model)
    ingredients.target.write_bytes(model.SerializeToString(deterministic=True))
    try:
        load(ingredients.target, threads=1)
    except ModelError as error:
        raise NotSupported(f"ONNX Runtime does not run it in bfloat16 here: {error}") from error


def convert_to_bfloat16(model: ModelProto) -> None:
    """Turn all float32 weights and values into bfloat16, with casts at inputs and outputs."""
    graph = model.graph
    for tensor in graph.initializer:
        _narrow_tensor(tensor)
    for node in nodes_of(graph):
        _narrow_attributes(node)
    del graph.value_info[:]
    _cast_inputs(graph)
    _cast_outputs(graph)


def _narrow_tensor(tensor: TensorProto) -> None:
    if tensor.data_type == WIDE:
        values = numpy_helper.to_array(tensor).astype(ml_dtypes.bfloat16)
        packed = helper.make_tensor(
            tensor.name, NARROW, values.shape, np.ascontiguousarray(values).tobytes(), raw=True
        )
        tensor.CopyFrom(packed)


def _narrow_attributes(node: NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            _narrow_tensor(attribute.t)
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == WIDE:
            attribute.i = NARROW


def _cast_inputs(graph: GraphProto) -> None:
    for value in graph.input:
        if value.type.tensor_type.elem_type == WIDE:
            inner = f"{value.name}_bfloat16"
            _rename_uses(graph, value.name, inner)
            graph.node.insert(0, helper.make_node("Cast", [value.name], [inner], to=NARROW))


def _cast_outputs(graph: GraphProto) -> None:
    for value in graph.output:
        if value.type.tensor_type.elem_type == WIDE:
            inner = f"{value.name}_bfloat16"
            _rename_uses(graph, value.name, inner)
            graph.node.append(helper.make_node("Cast", [inner], [value.name], to=WIDE))


def _rename_uses(graph: GraphProto, old: str, new: str) -> None:
    for node in nodes_of(graph):
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new
