"""Refuses indices that a table does not have.

The CPU plug-in shortens them to 32 bits (2026.4). For those outside `Gather` answers zeros, `GatherND` what lies
in memory there, and ONNX's `ScatterElements` writes there. Indices that a model's input holds are compared before
the inference. For those that are computed, and for tables whose size follows from what the caller sends, the graph
gets an output of its own that says whether one of them was outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from openvino import opset13 as ops

from skerry.engines import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import openvino as ov
    from numpy.typing import NDArray

AXIS_INPUT = {"Gather": 2, "ScatterElementsUpdate": 3}
"""Operators whose indices go along one axis, and the input that says along which."""

ROWS = {"GatherND", "ScatterNDUpdate"}
"""Operators that take a row of indices as one index into several axes."""

RESHAPING = {"Broadcast", "Reshape", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
"""Operators that move numbers, but leave none out."""

WIDE = {"i32", "i64"}
"""Types that an index keeps its value in."""


class _Bounds(NamedTuple):
    """The sizes that an input's indices must be below: several where a row is one index into several axes."""

    name: str
    sizes: tuple[int, ...]

    def check(self, indices: NDArray[Any]) -> None:
        if not indices.size:
            return
        for column, size in zip(indices.reshape(-1, len(self.sizes)).T, self.sizes, strict=True):
            for index in (column.min(), column.max()):
                if not -size - 1 < index < size:
                    raise InputError(
                        f"{self.name} has the index {index}, and its table has {size} entries"
                    )


class IndexCheck:
    """The indices of a model."""

    def __init__(self, model: ov.Model) -> None:
        """Look for them; adds outputs to the model, which must not be compiled yet."""
        bounds: set[_Bounds] = set()
        self._first = len(model.outputs)
        self._computed: list[str] = []
        for operator in model.get_ordered_ops():
            axes = _axes(operator)
            if axes is None or _is_constant(operator):
                continue
            name, sizes = _input(operator, len(axes)), _sizes(operator, axes)
            if name is not None and sizes is not None:
                bounds.add(_Bounds(name, sizes))
            else:
                model.add_outputs(_flag(operator, axes, sizes).output(0))
                self._computed.append(operator.get_friendly_name())
        self._bounds = sorted(bounds)

    def check(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        """Compare the indices that the caller sent.

        Raises:
            InputError: One is outside of its table.
        """
        for bounds in self._bounds:
            bounds.check(inputs[bounds.name])

    def check_computed(self, answer: Any) -> None:
        """Look at what the graph itself found, in `answer`.

        Raises:
            InputError: An index that it computed is outside of its table.
        """
        for number, node in enumerate(self._computed, self._first):
            if answer[number].any():
                raise InputError(f"the inputs lead to an index that {node} has no entry for")


def _is_constant(operator: Any) -> bool:
    """Return whether the indices are the model's own."""
    node = operator.input_value(1).get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")


def _axes(operator: Any) -> tuple[int, ...] | None:
    """Return which axes of the table are indexed; None for none, or where that is not known before."""
    kind = operator.get_type_name()
    if kind in AXIS_INPUT:
        axis = operator.input_value(AXIS_INPUT[kind]).get_node()
        return (int(axis.data.item()),) if axis.get_type_name() == "Constant" else None
    if kind not in ROWS:
        return None
    shape = operator.input_value(1).get_partial_shape()
    if shape.rank.is_dynamic or shape[-1].is_dynamic:
        return None
    first = int(operator.get_attributes().get("batch_dims", 0))
    return tuple(range(first, first + shape[-1].get_length()))


def _sizes(operator: Any, axes: Iterable[int]) -> tuple[int, ...] | None:
    """Return how long the axes are; None where that follows from the inputs."""
    shape = operator.input_value(0).get_partial_shape()
    if shape.rank.is_dynamic or any(shape[axis].is_dynamic for axis in axes):
        return None
    return tuple(shape[axis].get_length() for axis in axes)


def _input(operator: Any, columns: int) -> str | None:
    """Return the model's input that holds just the indices; None where they are computed."""
    port = operator.input_value(1)
    while (node := port.get_node()).get_type_name() != "Parameter":
        kind = node.get_type_name()
        wide = kind == "Convert" and node.get_element_type().get_type_name() in WIDE
        if not wide and not (kind in RESHAPING and columns == 1):
            return None
        port = node.input_value(0)
    return str(port.get_any_name())


def _flag(operator: Any, axes: tuple[int, ...], sizes: tuple[int, ...] | None) -> Any:
    """Return a node that says whether one of the indices is outside."""
    if sizes is not None:
        bounds = _integers(sizes)
    else:
        shape = ops.shape_of(operator.input_value(0), "i64")
        bounds = ops.gather(shape, _integers(axes), _integers(0))
    index = ops.convert(operator.input_value(1), "i64")
    outside = ops.logical_or(
        ops.less(index, ops.negative(bounds)), ops.greater_equal(index, bounds)
    )
    flat = ops.reshape(outside, _integers([-1]), special_zero=False)
    return ops.reduce_logical_or(flat, _integers([0]))


def _integers(values: int | Sequence[int]) -> Any:
    return ops.constant(np.array(values, np.int64))
