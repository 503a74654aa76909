"""Builds a random ONNX graph: values of known type and shape, constants in every form, nodes of any opset.

`None` in a shape is the axis of samples: open, or fixed to one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Shape = tuple[int | None, ...]

KINDS = {
    "f4": TensorProto.FLOAT, "f2": TensorProto.FLOAT16, "f8": TensorProto.DOUBLE, "i8": TensorProto.INT64,
    "i4": TensorProto.INT32, "i1": TensorProto.INT8, "u1": TensorProto.UINT8, "?": TensorProto.BOOL,
    "O": TensorProto.STRING,
}  # fmt: skip
"""Number types by numpy's short names; O is text."""

FLOATS = ("f4", "f2", "f8")
REALS = ("f4", "f8")
INTEGERS = ("i8", "i4")
BYTES = ("i1", "u1")
NUMBERS = (*FLOATS, *INTEGERS)
WORDS = ("Zürich", "Łódź", "東京", "", "a b", "7")
CONSTANT_VALUES = 12
"""From this opset on, Constant takes values that are no tensors."""
LEAST_OWN_WEIGHTS = 4
"""Of the IR: below it, each initializer is also an input."""
NEWEST_IR = 10


@dataclass(frozen=True)
class Value:
    """What a node, an input or a constant gives."""

    name: str
    kind: str
    shape: Shape

    @property
    def rank(self) -> int:
        """Count of axes."""
        return len(self.shape)

    @property
    def is_rows(self) -> bool:
        """Whether the first axis, and no other, is the samples."""
        return self.shape[:1] == (None,) and None not in self.shape[1:]


@dataclass
class Graph:
    """A graph that grows.

    Attributes:
        random: What all is drawn from.
        opset: Of ONNX's own operators.
        open_rows: Whether the axis of samples is open; else it is 1.
        unservable: Whether an input or output is none that requests can carry.
    """

    random: np.random.Generator
    opset: int
    open_rows: bool
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    weights_as_inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    functions: list[onnx.FunctionProto] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    domains: dict[str, int] = field(default_factory=dict)
    count: int = 0
    unservable: bool = False

    # Drawing

    def chance(self, share: float) -> bool:
        """Return true with this probability."""
        return bool(self.random.random() < share)

    def one_of(self, choices: Sequence[Any]) -> Any:
        """Return one of several."""
        return choices[int(self.random.integers(len(choices)))]

    def size(self, most: int = 4) -> int:
        """Return a small size, of one at least."""
        return int(self.random.integers(1, most + 1))

    def pick(
        self, kinds: Sequence[str] = tuple(KINDS), fits: Callable[[Value], bool] = lambda _: True
    ) -> Value | None:
        """Return a value that fits, rather one that nothing reads yet; None where there is none."""
        found = [one for one in self.values if one.kind in kinds and fits(one)]
        fresh = [one for one in found if one.name not in self.used]
        if fresh and self.chance(0.7):
            found = fresh
        return self.one_of(found) if found else None

    def drawn(self, kind: str, shape: Sequence[int]) -> NDArray[Any]:
        """Return numbers as a weight or an input has them; floats are never near a tie of rounding."""
        size = tuple(shape)
        if kind == "O":
            return np.array(WORDS, object)[self.random.integers(len(WORDS), size=size)]
        if kind == "?":
            return np.asarray(self.random.integers(2, size=size).astype(bool))
        if kind in FLOATS:
            return np.asarray(self.random.normal(size=size).astype(kind))
        return np.asarray(self.random.integers(0, 4, size=size).astype(kind))

    def samples(self, value: Value, count: int) -> NDArray[Any]:
        """Return samples of an input: rows, or whole inputs; floats may have gaps."""
        rest = value.shape[1:] if value.shape[:1] == (None,) else value.shape
        made = self.drawn(value.kind, [count, *(axis or 1 for axis in rest)])
        if value.kind in FLOATS and self.chance(0.1):
            gaps = self.random.random(made.shape) < 0.02
            made[gaps] = self.one_of([np.nan, np.inf, -np.inf])
        return made

    # Growing

    def name(self) -> str:
        """Return a name that nothing has yet, in one of the ways of exporters."""
        self.count += 1
        form = self.one_of(["v{}", "v{}", "/layer/v{}_output_0", "v.{}", "v:{}"])
        return str(form.format(self.count))

    def add_input(self, kind: str, shape: Shape) -> Value:
        """Add what callers give."""
        value = Value(self.name(), kind, shape)
        self.inputs.append(value)
        self.values.append(value)
        return value

    def constant(self, array: NDArray[Any] | Any, kind: str | None = None) -> str:
        """Add a constant as an initializer, an initializer that callers may give, or a node."""
        made = np.asarray(array, dtype=object if kind == "O" else kind)
        name = self.name()
        tensor = numpy_helper.from_array(made, name)
        form = self.one_of(["initializer", "initializer", "input", "node", "number"])
        plain = made.dtype in (np.float32, np.int64) and made.ndim < 2
        if form == "number" and plain and self.opset >= CONSTANT_VALUES:
            what = "float" if made.dtype == np.float32 else "int"
            attribute = {f"value_{what}{'s' * made.ndim}": made.tolist()}
            self.nodes.append(helper.make_node("Constant", [], [name], **attribute))
        elif form == "node":
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.weights.append(tensor)
            if form == "input":
                self.weights_as_inputs.append(info(name, tensor.data_type, made.shape))
        return name

    def add(
        self,
        operator: str,
        inputs: Sequence[Value | str],
        outputs: Sequence[tuple[str, Shape]],
        *,
        domain: str = "",
        **attributes: Any,
    ) -> list[Value]:
        """Add a node; returns its outputs, which other nodes may read from now on."""
        names = [one.name if isinstance(one, Value) else one for one in inputs]
        made = [Value(self.name(), kind, shape) for kind, shape in outputs]
        self.used.update(names)
        given = {key: value for key, value in attributes.items() if value is not None}
        label = self.name() if self.chance(0.8) else ""
        self.nodes.append(
            helper.make_node(
                operator, names, [one.name for one in made], name=label, domain=domain, **given
            )
        )
        self.values.extend(made)
        return made

    def one(
        self,
        operator: str,
        inputs: Sequence[Value | str],
        kind: str,
        shape: Shape,
        **attributes: Any,
    ) -> Value:
        """Add a node with one output."""
        return self.add(operator, inputs, [(kind, shape)], **attributes)[0]

    def with_axes(
        self,
        operator: str,
        value: Value,
        axes: Sequence[int],
        shape: Shape,
        since: int,
        **attributes: Any,
    ) -> Value:
        """Add a node whose axes are an attribute before the opset `since`, and an input from it on."""
        if self.opset >= since:
            names: list[Value | str] = [value, self.constant(list(axes), "i8")]
            return self.one(operator, names, value.kind, shape, **attributes)
        return self.one(operator, [value], value.kind, shape, axes=list(axes), **attributes)

    # Ending

    def sized(self, shape: Shape) -> list[int | str | None]:
        """Return a shape as a graph declares it."""
        axis = self.one_of(["batch", "N", None, "batch"]) if self.open_rows else 1
        return [axis if one is None else one for one in shape]

    def declared(self, value: Value) -> onnx.ValueInfoProto:
        """Return an output as some exporter would declare it: with its shape, with open axes, or without."""
        shape: list[int | str | None] | None = self.sized(value.shape)
        if self.chance(0.1):
            shape = [None] * value.rank
        elif self.chance(0.07):
            shape = None
        return info(value.name, KINDS[value.kind], shape)

    def model(self, outputs: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """Return the model."""
        inputs = [info(one.name, KINDS[one.kind], self.sized(one.shape)) for one in self.inputs]
        imports = [helper.make_opsetid("ai.onnx" if self.chance(0.05) else "", self.opset)]
        imports += [helper.make_opsetid(*one) for one in sorted(self.domains.items())]
        least = max(3, min(helper.find_min_ir_version_for(imports, ignore_unknown=True), NEWEST_IR))
        version = 8 if self.functions else least
        known = {one.name for one in self.weights_as_inputs}
        if version < LEAST_OWN_WEIGHTS:
            for tensor in self.weights:
                if tensor.name not in known:
                    self.weights_as_inputs.append(info(tensor.name, tensor.data_type, tensor.dims))
        graph = helper.make_graph(
            self.nodes, "random", [*inputs, *self.weights_as_inputs], outputs, self.weights
        )
        return helper.make_model(
            graph, opset_imports=imports, ir_version=version, functions=self.functions
        )


def info(name: str, kind: int, shape: Sequence[Any] | None) -> onnx.ValueInfoProto:
    """Return a declaration; without a shape, its rank is open."""
    return helper.make_tensor_value_info(name, kind, None if shape is None else list(shape))
