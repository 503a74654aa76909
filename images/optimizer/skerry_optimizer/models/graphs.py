"""Walks through ONNX graphs, those inside of nodes included."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import GraphProto, ModelProto, NodeProto

OWN_DOMAINS = frozenset({"", "ai.onnx"})
"""Of ONNX's own operators."""

LONGEST_FORMAT = 40
"""Characters of `Assessment.format`."""


def opsets_of(model: ModelProto) -> str:
    """Return the versions of the operators that the model names, ONNX's own first."""
    own = [f"opset {one.version}" for one in model.opset_import if one.domain in OWN_DOMAINS]
    others = (one for one in model.opset_import if one.domain not in OWN_DOMAINS)
    return ", ".join([*own, *(f"{one.domain} {one.version}" for one in others)]) or "no opset"


def format_of(model: ModelProto) -> str:
    """Return the format for a status: the operators' versions, as far as they fit."""
    parts = opsets_of(model).split(", ")
    for kept in range(len(parts), 0, -1):
        more = f" and {len(parts) - kept} more" if kept < len(parts) else ""
        found = f"ONNX, {', '.join(parts[:kept])}{more}"
        if len(found) <= LONGEST_FORMAT:
            return found
    return f"ONNX, operators of {len(parts)} sets"


def nodes_of(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield the nodes of a graph and of the graphs inside its nodes."""
    for node in graph.node:
        yield node
        for inner in graphs_in(node):
            yield from nodes_of(inner)


def graphs_in(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs that a node's attributes hold."""
    for attribute in node.attribute:
        yield from (attribute.g, *attribute.graphs)
