"""Whether a recipe has stored anything in fewer bits: a copy of the source is no build of that precision."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto

from skerry.engines import NotSupported
from skerry_optimizer.models.graphs import nodes_of
from skerry_optimizer.models.precision import QUANTIZED

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from onnx import ModelProto

INTEGERS = frozenset({TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4})
HALVES = frozenset({TensorProto.FLOAT16})


def require_integers(source: Path, target: Path) -> None:
    """Check that a build has more weights in 8 bits or fewer, or more quantizing operators, than its source.

    Raises:
        NotSupported: It is a copy.
    """
    before, after = (onnx.load(file) for file in (source, target))
    if _elements(after, INTEGERS) > _elements(before, INTEGERS):
        return
    if _quantizing(after) <= _quantizing(before):
        raise NotSupported(
            "this recipe finds no weights and no operators in the model that it can quantize"
        )


def count_halves(model: ModelProto) -> int:
    """Return how many weights a model stores in float16."""
    return _elements(model, HALVES)


def _elements(model: ModelProto, kinds: Collection[int]) -> int:
    tensors = [*model.graph.initializer]
    tensors += [
        one.t for node in nodes_of(model.graph) for one in node.attribute if one.HasField("t")
    ]
    return sum(prod(tensor.dims) for tensor in tensors if tensor.data_type in kinds)


def _quantizing(model: ModelProto) -> int:
    return sum(node.op_type in QUANTIZED for node in nodes_of(model.graph))
