"""Everything in float16, where the CPU provider computes in it.

Most CPUs have no float16 kernels in ONNX Runtime: the graph still runs, with a cast to float32
before every operator, in float32's time. Such a candidate only seems to be one, so it is tried, and
its graph as ONNX Runtime would run it is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto
from onnxruntime.transformers.float16 import convert_float_to_float16

from skerry.engines import ModelError, NotSupported
from skerry_onnxruntime.building import optimize
from skerry_onnxruntime.narrowing import count_halves
from skerry_optimizer.models.graphs import nodes_of

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

    from skerry.engines import Ingredients

COMPUTING = frozenset({"MatMul", "FusedMatMul", "Gemm", "FusedGemm", "Conv", "FusedConv"})


def build_float16(ingredients: Ingredients) -> None:
    """Write the candidate; inputs and outputs stay float32.

    Raises:
        NotSupported: It would be a copy, or on this CPU computed in float32.
    """
    source = onnx.load(ingredients.source)
    before = count_halves(source)
    model = convert_float_to_float16(source, keep_io_types=True)
    if count_halves(model) <= before:
        raise NotSupported("the model has no weights in float32 that float16 could store")
    ingredients.target.write_bytes(model.SerializeToString(deterministic=True))
    as_run = ingredients.source.with_name("float16-as-run.onnx")
    try:
        optimize(ingredients.target, as_run)
    except ModelError as error:
        raise NotSupported(f"ONNX Runtime refuses it on this CPU: {error}") from error
    widened = operators_in_float32(onnx.load(as_run).graph)
    if widened:
        raise NotSupported(
            "ONNX Runtime's CPU provider has no float16 kernel here for"
            f" {', '.join(sorted(widened))}: it casts to float32, which is slower than the source"
        )


def operators_in_float32(graph: GraphProto) -> set[str]:
    """Return the computing operators that get a cast to float32 as an input."""
    makers = {output: node for node in nodes_of(graph) for output in node.output}
    return {
        node.op_type
        for node in nodes_of(graph)
        if node.op_type in COMPUTING and any(_widens(makers.get(name)) for name in node.input)
    }


def _widens(node: NodeProto | None) -> bool:
    return (
        node is not None
        and node.op_type == "Cast"
        and any(one.name == "to" and one.i == TensorProto.FLOAT for one in node.attribute)
    )
