"""Whether a recipe has stored anything in fewer bits: a copy of the source is no build of that precision."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto

from skerry.engines import NotSupported
from skerry_optimizer.models.graphs import OWN_DOMAINS, nodes_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from onnx import ModelProto

HALVES = frozenset({TensorProto.FLOAT16})
FLOATS = HALVES | {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BFLOAT16}


def require_own_operators(source: Path) -> None:
    """Check that the model imports operators of ONNX's own, which quantizers look for.

    Raises:
        NotSupported: It has those of other domains alone, as trees have.
    """
    model = onnx.load(source, load_external_data=False)
    if not any(one.domain in OWN_DOMAINS for one in model.opset_import):
        raise NotSupported(
            "the model has no operators of ONNX's own, so this recipe finds no weights"
        )


def require_fewer_floats(source: Path, target: Path) -> None:
    """Check that a build stores fewer floating-point numbers than its source, its scales included.

    Raises:
        NotSupported: It does not, as a copy does, or one in which a lone factor was quantized.
    """
    before, after = (onnx.load(file, load_external_data=False) for file in (source, target))
    if _elements(after, FLOATS) >= _elements(before, FLOATS):
        raise NotSupported("this recipe finds no weights in the model that it can quantize")


def count_halves(model: ModelProto) -> int:
    """Return how many weights a model stores in float16."""
    return _elements(model, HALVES)


def _elements(model: ModelProto, kinds: Collection[int]) -> int:
    tensors = [*model.graph.initializer]
    tensors += [
        one.t for node in nodes_of(model.graph) for one in node.attribute if one.HasField("t")
    ]
    return sum(prod(tensor.dims) for tensor in tensors if tensor.data_type in kinds)
