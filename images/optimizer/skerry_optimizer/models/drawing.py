"""Models that draw random numbers: their answers can't be certified, as each call gives another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skerry_optimizer.errors import SourceError
from skerry_optimizer.models.graphs import nodes_of
from skerry_runtime.nonfinite import finite, kinds

if TYPE_CHECKING:
    from onnx import ModelProto

    from skerry.engines import LoadedModel
    from skerry_optimizer.models.running import Arrays
    from skerry_optimizer.samples import Sample

RANDOM = frozenset(
    {
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Multinomial",
        "Bernoulli",
        "Dropout",
    }
)
MOST_RELATIVE = 1e-4
"""Of an output's largest value: what threads may round otherwise from call to call."""


def check_repeats(model: LoadedModel, sample: Sample, first: Arrays, drawing: str) -> None:
    """Check that the model answers a sample as it did before.

    Args:
        model: The source.
        sample: A sample of the data set.
        first: What it has answered.
        drawing: The operators of the graph that draw random numbers, for people.

    Raises:
        SourceError: It does not; says by how much, and which operators do it.
    """
    names = [output.name for output in model.outputs]
    again = dict(zip(names, model.run(names, sample), strict=True))
    for name, before in first.items():
        difference = _difference(before, again[name])
        if difference > MOST_RELATIVE:
            raise SourceError(
                f"the source answers one sample differently from call to call (`{name}` by {difference:.0%} of its"
                f" largest value), so nothing can be certified: export it without"
                f" {drawing or 'operators that draw random numbers'}"
            )


def drawing_operators(model: ModelProto) -> str:
    """Return the operators that draw random numbers, for people."""
    return ", ".join(sorted({node.op_type for node in nodes_of(model.graph)} & RANDOM))


def _difference(one: Any, other: Any) -> float:
    """Return how far two answers are apart, relative to the largest value; infinite for other shapes."""
    if one.shape != other.shape:
        return float("inf")
    if not np.issubdtype(one.dtype, np.number):
        return 0.0 if np.array_equal(one, other) else float("inf")
    if (kinds(one) != kinds(other)).any():
        return float("inf")
    first, second = finite(one), finite(other)
    largest = float(np.abs(first).max(initial=0.0)) or 1.0
    return float(np.abs(first - second).max(initial=0.0)) / largest
