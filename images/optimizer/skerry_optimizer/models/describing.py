"""Counts what a model is made of: the facts behind the assessment."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING

from skerry.api.edgemodel import Assessment
from skerry.models.assess import family_of, quantizable_share
from skerry.precision import Precision
from skerry_optimizer.models.graphs import format_of, nodes_of
from skerry_optimizer.models.precision import INTEGERS, precision_of

if TYPE_CHECKING:
    from onnx import ModelProto

MOST_OPERATORS = 20
"""The assessment lies in a status: the most frequent operators are enough."""

UNUSED = "(unused)"


def describe(model: ModelProto, source_digest: str, size: int) -> Assessment:
    """Return the assessment of a model of `size` bytes."""
    operators = Counter(node.op_type for node in nodes_of(model.graph))
    parameters = parameters_by_operator(model)
    share = quantizable_share(parameters)
    family = family_of(operators)
    total = sum(parameters.values())
    return Assessment(
        source_digest=source_digest,
        format=format_of(model),
        bytes=size,
        parameters=total,
        operators=dict(operators.most_common(MOST_OPERATORS)),
        quantizable=f"{share:.3f}",
        family=family,
        message=f"{family} of {total:,} parameters in {len(operators)} operators; {_potential(model, share)}",
    )


def _potential(model: ModelProto, share: float) -> str:
    """Return what is left to quantize, for people."""
    precision = precision_of(model)
    if precision in INTEGERS:
        return f"quantized already ({precision})"
    if precision is Precision.FLOAT32:
        return f"{share:.0%} can be quantized"
    return f"in {precision}, {share:.0%} can be quantized"


def parameters_by_operator(model: ModelProto) -> dict[str, int]:
    """Count the weights by the operator that uses them; a shared one counts for its first user."""
    sizes = {tensor.name: prod(tensor.dims) for tensor in model.graph.initializer}
    users: dict[str, str] = {}
    for node in nodes_of(model.graph):
        for name in node.input:
            if name in sizes:
                users.setdefault(name, node.op_type)
    counts: Counter[str] = Counter()
    for name, size in sizes.items():
        counts[users.get(name, UNUSED)] += size
    return dict(counts)
