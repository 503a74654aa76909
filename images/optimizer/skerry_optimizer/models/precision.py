"""In which number format a source comes: what it is called, and which recipes have nothing left to do."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING

from onnx import TensorProto

from skerry.precision import Precision
from skerry_optimizer.models.graphs import nodes_of

if TYPE_CHECKING:
    from onnx import ModelProto

QUANTIZED = frozenset(
    {
        "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger",
        "QLinearMatMul", "QLinearConv", "QGemm", "QAttention", "MatMulIntegerToFloat", "DynamicQuantizeMatMul",
        "DynamicQuantizeLSTM", "QLinearAdd", "QLinearMul",
    }
)  # fmt: skip
"""Operators of ONNX and of ONNX Runtime that only a quantized model has."""

INTEGERS = frozenset({Precision.INT8, Precision.INT4})
BY_BITS = {4: Precision.INT4, 8: Precision.INT8}
BLOCKS = "MatMulNBits"
FLOATS: dict[int, Precision] = {
    TensorProto.FLOAT: Precision.FLOAT32,
    TensorProto.FLOAT16: Precision.FLOAT16,
    TensorProto.BFLOAT16: Precision.BFLOAT16,
    TensorProto.DOUBLE: Precision.FLOAT64,
}


def precision_of(model: ModelProto) -> Precision:
    """Return the format of a model's weights: integers where it is quantized, else what most floats are."""
    nodes = list(nodes_of(model.graph))
    for node in nodes:
        if node.op_type == BLOCKS:
            bits = next((one.i for one in node.attribute if one.name == "bits"), 4)
            return BY_BITS.get(bits, Precision.INT8)
    if any(node.op_type in QUANTIZED for node in nodes):
        return Precision.INT8
    counts: Counter[Precision] = Counter()
    for tensor in model.graph.initializer:
        if tensor.data_type in FLOATS:
            counts[FLOATS[tensor.data_type]] += prod(tensor.dims)
    return counts.most_common(1)[0][0] if counts else Precision.FLOAT32
