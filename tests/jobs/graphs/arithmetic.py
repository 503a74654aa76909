"""Arithmetic of a random graph: each function adds a node or a few, or nothing where none fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.jobs.graphs.builder import (
    BYTES,
    FLOATS,
    KINDS,
    NUMBERS,
    REALS,
    WORDS,
    Graph,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.jobs.graphs.builder import Shape

    Operator = Callable[[Graph], Any]

UNARY: dict[str, tuple[int, tuple[str, ...]]] = {
    "Relu": (1, FLOATS), "Sigmoid": (1, FLOATS), "Tanh": (1, FLOATS), "Abs": (7, NUMBERS), "Neg": (7, NUMBERS),
    "Identity": (1, tuple(KINDS)), "Softplus": (1, REALS), "Softsign": (1, ("f4",)), "LeakyRelu": (6, FLOATS),
    "Elu": (6, ("f4",)), "HardSigmoid": (6, ("f4",)), "Floor": (1, REALS), "Ceil": (1, REALS),
    "Round": (11, FLOATS), "Sign": (9, NUMBERS), "Erf": (9, ("f4",)), "Sin": (7, REALS), "Not": (1, ("?",)),
    "HardSwish": (14, ("f4",)), "Gelu": (20, ("f4",)), "Mish": (18, ("f4",)), "Atan": (7, ("f4",)),
    "Sqrt": (6, REALS), "Log": (6, REALS),
}  # fmt: skip
BINARY: dict[str, tuple[int, tuple[str, ...]]] = {
    "Add": (7, NUMBERS), "Sub": (7, NUMBERS), "Mul": (7, NUMBERS), "Max": (8, REALS), "Min": (8, REALS),
    "And": (7, ("?",)), "Or": (7, ("?",)), "Xor": (7, ("?",)),
}  # fmt: skip
COMPARING = {"Greater": (9, NUMBERS), "Less": (9, NUMBERS), "Equal": (11, (*NUMBERS, "?")),
             "GreaterOrEqual": (12, NUMBERS), "LessOrEqual": (12, NUMBERS)}  # fmt: skip


def unary(g: Graph) -> None:
    operator, (since, kinds) = g.one_of(list(UNARY.items()))
    value = g.pick(kinds)
    if value and g.opset >= since:
        g.one(operator, [value], value.kind, value.shape)


def binary(g: Graph) -> None:
    """Combine a value with a constant that may be a scalar or a row, or with one of the same shape."""
    operator, (since, kinds) = g.one_of([*BINARY.items(), *COMPARING.items()])
    value = g.pick(kinds)
    if not value or g.opset < since:
        return
    other = g.pick((value.kind,), lambda one: one.shape == value.shape)
    sizes: list[int] = [axis or 1 for axis in value.shape[-g.size() :]]
    operand: Value | str
    if other is None or g.chance(0.5):
        operand = g.constant(g.drawn(value.kind, sizes if g.chance(0.7) else []), value.kind)
    else:
        operand = other
    pair = [value, operand] if g.chance(0.7) else [operand, value]
    g.one(operator, pair, "?" if operator in COMPARING else value.kind, value.shape)


def divided(g: Graph) -> None:
    value = g.pick(REALS)
    if value:
        g.one(
            "Div", [value, g.constant(g.random.uniform(1, 3), value.kind)], value.kind, value.shape
        )


def cast(g: Graph) -> None:
    """Change the type, but for floats to bytes: what is out of their range, ONNX leaves to each engine."""
    value = g.pick([kind for kind in KINDS if kind != "O"])
    if not value:
        return
    kinds = [
        kind for kind in KINDS if kind != "O" and not (value.kind in NUMBERS and kind in BYTES)
    ]
    if g.opset >= 9 and value.kind not in FLOATS and g.chance(0.05):
        kinds = ["O"]
    kind = g.one_of(kinds)
    g.one("Cast", [value], kind, value.shape, to=KINDS[kind])


def chosen(g: Graph) -> None:
    """Add Where: by a condition, of a value and a constant."""
    value = g.pick(NUMBERS)
    condition = value and g.pick(("?",), lambda one: one.shape == value.shape)
    if value and condition and g.opset >= 9:
        other = g.constant(g.drawn(value.kind, []), value.kind)
        g.one("Where", [condition, value, other], value.kind, value.shape)


def clipped(g: Graph) -> None:
    value = g.pick(("f4",))
    if not value:
        return
    if g.opset >= 11:
        limits = [g.constant(-0.7, "f4"), g.constant(0.9, "f4") if g.chance(0.7) else ""]
        g.one("Clip", [value, *limits], "f4", value.shape)
    else:
        g.one("Clip", [value], "f4", value.shape, min=-0.7, max=0.9)


def softmax(g: Graph) -> None:
    value = g.pick(REALS, lambda one: one.rank > 1)
    if value:
        axis = None if g.chance(0.5) else value.rank - 1
        g.one(g.one_of(["Softmax", "LogSoftmax"]), [value], value.kind, value.shape, axis=axis)


REDUCING = {"ReduceSum": 13, "ReduceMean": 18, "ReduceMax": 18, "ReduceMin": 18, "ReduceL2": 18,
            "ReduceLogSumExp": 18, "ReduceSumSquare": 18}  # fmt: skip
"""The opset from which on each takes its axes as an input."""


def reduced(g: Graph) -> None:
    """Reduce the last axis, all axes, or the axis of samples."""
    operator, since = g.one_of(list(REDUCING.items()))
    value = g.pick(REALS, lambda one: one.rank > 0)
    if not value:
        return
    keep = int(g.chance(0.5))
    if g.chance(0.15):
        shape: Shape = (1,) * value.rank if keep else ()
        g.one(operator, [value], value.kind, shape, keepdims=keep)
        return
    axis = 0 if g.chance(0.1) else value.rank - 1
    left = [1 if place == axis else one for place, one in enumerate(value.shape)]
    shape = tuple(one for place, one in enumerate(left) if keep or place != axis)
    written = axis if g.opset < 11 or g.chance(0.5) else axis - value.rank
    g.with_axes(operator, value, [written], shape, since, keepdims=keep)


def best(g: Graph) -> None:
    """Add ArgMax or TopK, along the last axis."""
    value = g.pick(REALS, lambda one: one.rank > 1 and one.shape[-1] is not None)
    if not value:
        return
    if g.chance(0.5):
        keep = int(g.chance(0.5))
        shape = (*value.shape[:-1], 1) if keep else value.shape[:-1]
        g.one(
            g.one_of(["ArgMax", "ArgMin"]), [value], "i8", shape, axis=value.rank - 1, keepdims=keep
        )
        return
    count = g.size(value.shape[-1] or 1)
    into: list[Value | str] = [value]
    attributes: dict[str, Any] = {"axis": -1} if g.opset >= 11 else {"axis": value.rank - 1}
    if g.opset >= 10:
        into.append(g.constant([count], "i8"))
    else:
        attributes["k"] = count
    made = (*value.shape[:-1], count)
    g.add("TopK", into, [(value.kind, made), ("i8", made)], **attributes)


def product(g: Graph) -> None:
    """Multiply rows by constant weights, as MatMul or Gemm."""
    value = g.pick(("f4", "f4", "f2"), lambda one: one.rank > 1 and one.shape[-1] is not None)
    if not value:
        return
    width = int(value.shape[-1] or 1)
    wide = int(g.one_of([1, 3, 8, 70]))
    weight = g.drawn(value.kind, (width, wide)) / np.sqrt(width).astype(value.kind)
    shape = (*value.shape[:-1], wide)
    if value.rank == 2 and g.chance(0.5):
        turned = g.chance(0.5)
        names = [g.constant(weight.T if turned else weight, value.kind)]
        if g.opset < 11 or g.chance(0.7):
            names.append(g.constant(g.drawn(value.kind, (wide,)), value.kind))
        g.one("Gemm", [value, *names], value.kind, shape, transB=int(turned))
    else:
        g.one("MatMul", [value, g.constant(weight, value.kind)], value.kind, shape)


def convolved(g: Graph) -> None:
    """Convolve, normalize or pool images."""
    value = g.pick(("f4",), lambda one: one.rank == 4 and one.is_rows and _is_image(one))
    if not value:
        return
    _rows, channels, height, width = (int(axis or 1) for axis in value.shape)
    kind = g.one_of(["conv", "norm", "pool", "mean"])
    if kind == "conv":
        made = g.size()
        kernel = g.constant(g.drawn("f4", (made, channels, 3, 3)), "f4")
        g.one("Conv", [value, kernel], "f4", (None, made, height, width), pads=[1, 1, 1, 1])
    elif kind == "norm":
        four = [g.constant(abs(g.drawn("f4", (channels,))) + 0.5, "f4") for _ in range(4)]
        g.one("BatchNormalization", [value, *four], "f4", value.shape)
    elif kind == "pool":
        shape = (None, channels, height // 2, width // 2)
        operator = g.one_of(["MaxPool", "AveragePool"])
        g.one(operator, [value], "f4", shape, kernel_shape=[2, 2], strides=[2, 2])
    else:
        g.one("GlobalAveragePool", [value], "f4", (None, channels, 1, 1))


def _is_image(value: Value) -> bool:
    return min(int(axis or 0) for axis in value.shape[2:]) > 2


def normalized(g: Graph) -> None:
    value = g.pick(("f4",), lambda one: one.rank > 1 and one.shape[-1] not in (None, 1))
    if value and g.opset >= 17:
        both = [g.constant(g.drawn("f4", (int(value.shape[-1] or 1),)), "f4") for _ in range(2)]
        g.one("LayerNormalization", [value, *both], "f4", value.shape)


def summed_up(g: Graph) -> None:
    value = g.pick(("f4", "i8"), lambda one: one.rank > 1)
    if value and g.opset >= 11:
        g.one("CumSum", [value, g.constant(value.rank - 1, "i8")], value.kind, value.shape)


def one_hot(g: Graph) -> None:
    value = g.pick(("i8",), lambda one: one in g.inputs and one.rank < 4)
    if value and g.opset >= 9:
        kind = g.one_of(["f4", "i8"])
        pair = [g.constant(5, "i8"), g.constant([0, 1], kind)]
        g.one("OneHot", [value, *pair], kind, (*value.shape, 5), axis=-1)


def quantized(g: Graph) -> None:
    """Round to eight bits and back."""
    value = g.pick(("f4",))
    if value and g.opset >= 10:
        pair = [g.constant(0.03, "f4"), g.constant(3, g.one_of(["u1", "i1"]))]
        kind = "u1" if g.chance(0.5) else "i1"
        pair[1] = g.constant(3, kind)
        small = g.one("QuantizeLinear", [value, *pair], kind, value.shape)
        g.one("DequantizeLinear", [small, *pair], "f4", value.shape)


def constant(g: Graph) -> None:
    """Let a constant be a value like others, so that it may become an output."""
    kind = g.one_of([*KINDS])
    shape = g.one_of([(), (3,), (1, 2), (2, 0)])
    g.values.append(Value(g.constant(g.drawn(kind, shape), kind), kind, shape))


def words(g: Graph) -> None:
    """Turn text into numbers, or numbers into text."""
    g.domains["ai.onnx.ml"] = 2
    value = g.pick(("O",))
    keys: dict[str, Any]
    if value and g.chance(0.6):
        if g.chance(0.5):
            keys = {"keys_strings": list(WORDS), "values_int64s": [*range(len(WORDS))]}
            g.one("LabelEncoder", [value], "i8", value.shape, domain="ai.onnx.ml", **keys)
        else:
            shape = (*value.shape, len(WORDS))
            g.one(
                "OneHotEncoder", [value], "f4", shape, domain="ai.onnx.ml", cats_strings=list(WORDS)
            )
        return
    number = g.pick(("i8",))
    if number:
        keys = {
            "keys_int64s": [0, 1, 2, 3],
            "values_strings": list(WORDS[:4]),
            "default_string": "?",
        }
        g.one("LabelEncoder", [number], "O", number.shape, domain="ai.onnx.ml", **keys)
