"""What a caller exchanges with a source: tensors of known rank, or a reason in words why it can't be served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.jobs.errors import advised
from skerry_optimizer.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

ZIPMAP = "ZipMap"


def check_interface(model: ModelProto) -> None:
    """Check that all inputs and outputs are tensors, and that inputs have a rank.

    Raises:
        SourceError: One is not; names it, with what to do.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    for value in (*inputs_of(graph), *graph.output):
        if value.type.WhichOneof("value") not in {"tensor_type", None}:
            raise SourceError(_no_tensor(value, makers.get(value.name)))
    for value in inputs_of(graph):
        if not value.type.tensor_type.HasField("shape"):
            raise SourceError(
                f"the input `{value.name}` has a type and no shape, so that nobody can tell which requests fit:"
                " export it with one, such as [batch, 16]; an axis may be open"
            )


def inputs_of(graph: GraphProto) -> Iterable[ValueInfoProto]:
    """Return the inputs that callers give: older models list their weights among them."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def optional_inputs(graph: GraphProto) -> frozenset[str]:
    """Return the inputs that have a default, which is always taken; older models list their weights among them."""
    weights = {tensor.name for tensor in graph.initializer}
    return frozenset(value.name for value in graph.input if value.name in weights)


def name_axes(model: ModelProto, ranks: dict[str, int]) -> None:
    """Give outputs without a shape as many open axes as their answers have.

    An engine describes such an output as it does a scalar.
    """
    for value in model.graph.output:
        kind = value.type.tensor_type
        if kind.HasField("shape") or value.name not in ranks:
            continue
        kind.shape.SetInParent()
        for axis in range(ranks[value.name]):
            kind.shape.dim.add().dim_param = f"{value.name}_{axis}"


def _no_tensor(value: ValueInfoProto, maker: NodeProto | None) -> str:
    kind = (value.type.WhichOneof("value") or "").removesuffix("_type")
    if maker is not None and maker.op_type == ZIPMAP:
        return advised(
            f"the output `{value.name}` is a list of dictionaries (made by {ZIPMAP}), which no request can carry",
            "convert the model without it (skl2onnx: options={'zipmap': False})",
        )
    return advised(
        f"`{value.name}` is of the type {kind}, and requests carry tensors alone",
        "export a tensor in its place (a sequence: ConcatFromSequence; an optional: OptionalGetElement)",
    )
