"""What loads and makes the engine's models."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from skerry.engines import Ingredients, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class Model:
    """A model in the reference implementation."""

    version: str = onnx.__version__

    def __init__(self, file: Path) -> None:
        model = onnx.load(file)
        self._evaluator = ReferenceEvaluator(model)
        self.inputs = tuple(map(_spec, model.graph.input))
        self.outputs = tuple(map(_spec, model.graph.output))

    def run(self, names: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Compute the named outputs."""
        return list(self._evaluator.run(list(names), dict(inputs)))


def _spec(value: Any) -> TensorSpec:
    dims = value.type.tensor_type.shape.dim
    return TensorSpec(value.name, "FP32", tuple(dim.dim_value or -1 for dim in dims))


def load(file: Path, _threads: int) -> Model:
    """Open a model."""
    return Model(file)


def convert(source: Path, target: Path) -> str:
    """Take the source as it is."""
    shutil.move(source, target)
    return "as it is"


def build_rounded(ingredients: Ingredients) -> None:
    """Round the weights to float16."""
    model = onnx.load(ingredients.source)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, ingredients.target)
