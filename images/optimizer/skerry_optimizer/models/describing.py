"""Counts what a model is made of: the facts behind the assessment."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING

from skerry.api.edgemodel import Assessment
from skerry.models.assess import family_of, quantizable_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import GraphProto, ModelProto, NodeProto

MOST_OPERATORS = 20
"""The assessment lies in a status: the most frequent operators are enough."""

UNUSED = "(unused)"


def describe(model: ModelProto, source_digest: str, size: int) -> Assessment:
    """Return the assessment of a model of `size` bytes."""
    operators = Counter(node.op_type for node in nodes_of(model.graph))
    parameters = parameters_by_operator(model)
    share = quantizable_share(parameters)
    family = family_of(operators)
    opset = next((one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}), 0)
    total = sum(parameters.values())
    return Assessment(
        source_digest=source_digest,
        format=f"ONNX, opset {opset}",
        bytes=size,
        parameters=total,
        operators=dict(operators.most_common(MOST_OPERATORS)),
        quantizable=f"{share:.3f}",
        family=family,
        message=f"{family} of {total:,} parameters in {len(operators)} operators;"
        f" {share:.0%} can be quantized",
    )


def nodes_of(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield the nodes of a graph and of the graphs inside its nodes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from nodes_of(inner)


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
