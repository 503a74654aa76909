"""Nodes of a random graph that move, join or divide numbers, or say how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper

from tests.jobs.graphs.builder import INTEGERS, KINDS, NUMBERS

if TYPE_CHECKING:
    from tests.jobs.graphs.builder import Graph, Shape


def reshaped(g: Graph) -> None:
    """Flatten rows, or divide their last axis."""
    value = g.pick([*KINDS], lambda one: one.is_rows and one.rank > 1)
    if not value:
        return
    size = int(np.prod([axis or 1 for axis in value.shape[1:]]))
    if g.chance(0.3):
        g.one("Flatten", [value], value.kind, (None, size))
        return
    shape: Shape = (None, 2, size // 2) if size % 2 == 0 and g.chance(0.5) else (None, size)
    first = g.one_of([-1, 0])
    form = g.constant([first, *shape[1:]], "i8")
    g.one("Reshape", [value, form], value.kind, shape)


def turned(g: Graph) -> None:
    """Transpose; now and then the samples go to another axis."""
    value = g.pick([*KINDS], lambda one: one.rank > 1)
    if not value:
        return
    order = [0, *(1 + g.random.permutation(value.rank - 1))]
    if g.chance(0.2):
        order = list(g.random.permutation(value.rank))
    order = [int(place) for place in order]
    g.one(
        "Transpose", [value], value.kind, tuple(value.shape[place] for place in order), perm=order
    )


def squeezed(g: Graph) -> None:
    """Add or remove an axis of one."""
    value = g.pick([*KINDS], lambda one: one.rank < 5)
    if not value:
        return
    ones = [place for place, axis in enumerate(value.shape) if axis == 1]
    if ones and g.chance(0.5):
        place = g.one_of(ones)
        shape = value.shape[:place] + value.shape[place + 1 :]
        g.with_axes("Squeeze", value, [place], shape, 13)
        return
    place = int(g.random.integers(value.rank + 1)) if g.chance(0.4) else value.rank
    g.with_axes("Unsqueeze", value, [place], (*value.shape[:place], 1, *value.shape[place:]), 13)


def joined(g: Graph) -> None:
    value = g.pick([*KINDS], lambda one: one.rank > 1)
    if not value:
        return
    axis = value.rank - 1
    other = g.pick(
        (value.kind,), lambda one: one.rank > axis and one.shape[:-1] == value.shape[:-1]
    )
    sizes = (value.shape[-1], other.shape[-1] if other else None)
    if other and None not in sizes:
        g.one("Concat", [value, other], value.kind, (*value.shape[:-1], sum(sizes)), axis=axis)  # type: ignore[arg-type]


def divided_up(g: Graph) -> None:
    value = g.pick(NUMBERS, lambda one: one.rank > 1 and (one.shape[-1] or 1) > 1)
    if not value:
        return
    size = int(value.shape[-1] or 1)
    first = g.size(size - 1)
    parts = [first, size - first]
    made = [(value.kind, (*value.shape[:-1], part)) for part in parts]
    axis = value.rank - 1
    if g.opset >= 13:
        g.add("Split", [value, g.constant(parts, "i8")], made, axis=axis)
    else:
        g.add("Split", [value], made, axis=axis, split=parts)


def sliced(g: Graph) -> None:
    value = g.pick([*KINDS], lambda one: one.rank > 1 and (one.shape[-1] or 1) > 1)
    if not value:
        return
    axis, size = value.rank - 1, int(value.shape[-1] or 1)
    shape = (*value.shape[:-1], size - 1)
    if g.opset >= 10:
        limits = [g.constant([one], "i8") for one in (1, 2**31 if g.chance(0.5) else size, axis)]
        g.one("Slice", [value, *limits], value.kind, shape)
    else:
        g.one("Slice", [value], value.kind, shape, starts=[1], ends=[size], axes=[axis])


def gathered(g: Graph) -> None:
    """Look rows of a table up, by values within it, or columns of a value, by constants."""
    index = g.pick(INTEGERS, lambda one: one in g.inputs)
    if index and g.chance(0.5):
        kind = g.one_of(["f4", "i8", "O", "f2"])
        table = g.constant(g.drawn(kind, (4, 3)), kind)
        g.one("Gather", [table, index], kind, (*index.shape, 3))
        return
    value = g.pick([*KINDS], lambda one: one.rank > 1 and (one.shape[-1] or 1) > 1)
    if value:
        size, axis = int(value.shape[-1] or 1), value.rank - 1
        places: Any = g.random.integers(-size, size, size=2) if g.chance(0.5) else 0
        shape = (*value.shape[:-1], *np.shape(places))
        g.one("Gather", [value, g.constant(places, "i8")], value.kind, shape, axis=axis)


def widened(g: Graph) -> None:
    """Pad the last axis with zeros, or repeat it."""
    value = g.pick(("f4", "i8", "f8"), lambda one: one.rank > 1 and one.shape[-1] is not None)
    if not value:
        return
    size = int(value.shape[-1] or 1)
    if g.chance(0.5):
        repeats = g.constant([*[1] * (value.rank - 1), 2], "i8")
        g.one("Tile", [value, repeats], value.kind, (*value.shape[:-1], 2 * size))
        return
    pads, shape = [*[0] * (2 * value.rank - 1), 2], (*value.shape[:-1], size + 2)
    if g.opset >= 11:
        g.one("Pad", [value, g.constant(pads, "i8")], value.kind, shape)
    elif value.kind == "f4":
        g.one("Pad", [value], value.kind, shape, pads=pads)


def measured(g: Graph) -> None:
    """Add what follows from a value's shape alone."""
    value = g.pick()
    if not value:
        return
    if g.chance(0.4):
        g.one("Shape", [value], "i8", (value.rank,))
    elif g.chance(0.5):
        g.one("Size", [value], "i8", ())
    elif g.opset >= 9:
        shape = g.one("Shape", [value], "i8", (value.rank,))
        filler = helper.make_tensor("filler", TensorProto.FLOAT, [1], [0.5])
        g.one("ConstantOfShape", [shape], "f4", value.shape, value=filler)
