"""Draws a whole graph from a seed: its opset, inputs, operators and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.jobs.graphs import arithmetic, control, shaping
from tests.jobs.graphs.builder import KINDS, REALS, Graph
from tests.jobs.graphs.control import no_tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    from tests.jobs.graphs.builder import Value

OPERATORS: list[tuple[Callable[[Graph], None], float]] = [
    (arithmetic.unary, 5),
    (arithmetic.binary, 5),
    (arithmetic.divided, 1),
    (arithmetic.cast, 2),
    (arithmetic.chosen, 1),
    (arithmetic.clipped, 1),
    (arithmetic.softmax, 1),
    (arithmetic.reduced, 2),
    (arithmetic.best, 1),
    (arithmetic.product, 3),
    (arithmetic.convolved, 3),
    (arithmetic.normalized, 1),
    (shaping.reshaped, 2),
    (shaping.turned, 1),
    (shaping.squeezed, 1.5),
    (shaping.joined, 1),
    (shaping.divided_up, 1),
    (shaping.sliced, 1),
    (shaping.gathered, 1.5),
    (shaping.widened, 1),
    (shaping.measured, 0.7),
    (arithmetic.summed_up, 0.5),
    (arithmetic.one_hot, 0.5),
    (arithmetic.quantized, 0.7),
    (arithmetic.constant, 0.4),
    (arithmetic.words, 0.7),
    (control.branched, 0.8),
    (control.looped, 0.8),
    (control.recurrent, 0.5),
    (control.in_sequence, 0.5),
    (control.own_function, 0.3),
    (control.foreign, 0.3),
    (control.table_model, 1),
]
"""With the weight that each is drawn with."""

OLDEST, NEWEST, UNKNOWN = 7, 23, 28
"""Of opsets: ONNX Runtime promises those up to NEWEST, and ONNX has those up to UNKNOWN."""
USUAL = (11, 13, 14, 15, 17, 18, 20, 21)


def random_model(seed: int) -> tuple[Graph, onnx.ModelProto]:
    """Return a graph and its model; a few can be served in no way."""
    g, outputs = random_graph(seed)
    declared = [g.declared(one) for one in outputs]
    value = g.pick(("f4",), lambda one: one.rank == 2 and one.is_rows)
    what = g.one_of(["sequence", "map", "rank"]) if value and g.chance(0.04) else ""
    if what in {"sequence", "map"} and value:
        declared.append(no_tensor(g, value, what))
    model = g.model(declared)
    if what == "rank":
        model.graph.input[0].type.tensor_type.ClearField("shape")
    g.unservable = bool(what)
    return g, model


def random_graph(seed: int) -> tuple[Graph, list[Value]]:
    """Return a graph and the values that it gives."""
    g = Graph(np.random.default_rng(seed), opset=17, open_rows=True)
    g.opset = g.one_of(USUAL) if g.chance(0.6) else int(g.random.integers(OLDEST, NEWEST + 1))
    if g.chance(0.02):
        g.opset = int(g.random.integers(1, UNKNOWN + 1))
    g.open_rows = g.chance(0.75)
    for _ in range(g.one_of([1, 1, 1, 2, 2, 3])):
        kind = g.one_of(["f4", "f4", "f4", "f4", "i8", "i4", "O", "?", "f2", "f8"])
        inner = g.one_of([(4,), (8,), (1,), (), (3, 2), (2, 5, 4), (1, 6, 6)])
        g.add_input(kind, (None, *inner))
    if not any(one.kind == "f4" for one in g.inputs) and g.chance(0.8):
        g.add_input("f4", (None, g.one_of([2, 6])))
    if g.chance(0.12):
        g.add_input("f4", g.one_of([(), (1, None, 4), (3, 4), (2, 1, 3)]))
    functions, shares = zip(*OPERATORS, strict=True)
    drawn = np.array(shares) / sum(shares)
    for _ in range(int(g.random.integers(2, 14))):
        functions[int(g.random.choice(len(functions), p=drawn))](g)
    return g, _outputs(g)


def _outputs(g: Graph) -> list[Value]:
    """Return what the graph gives: first, mostly, scores for each sample, then anything."""
    first = None
    if g.chance(0.9):
        rows = g.pick(REALS, lambda one: one.is_rows and one.rank == 2 and (one.shape[1] or 1) > 1)
        wide = rows or _scores(g)
        first = wide if wide not in g.inputs else g.one("Relu", [wide], wide.kind, wide.shape)
    constants = {tensor.name for tensor in g.weights}
    others = [one for one in g.values if one != first and (one not in g.inputs or g.chance(0.05))]
    # What no node reads would be no part of the graph.
    ends = [one for one in others if one.name not in g.used and one.name not in constants]
    kept = [one for one in ends if g.chance(0.6)]
    kept += [one for one in others if one not in ends and g.chance(0.08)]
    chosen = [*([first] if first else []), *kept[:5]]
    if not chosen:
        chosen = [g.one("Identity", [g.inputs[0]], g.inputs[0].kind, g.inputs[0].shape)]
    return chosen


def _scores(g: Graph) -> Value:
    """Return two numbers for each sample, of some value that has rows."""
    source = g.pick(("f4", "i8", "?", "f8", "i4", "f2"), lambda one: one.is_rows) or g.inputs[0]
    if source.kind == "O":
        keys = {"keys_strings": ["7"], "values_int64s": [1]}
        g.domains["ai.onnx.ml"] = 2
        source = g.one("LabelEncoder", [source], "i8", source.shape, domain="ai.onnx.ml", **keys)
    number = g.one("Cast", [source], "f4", source.shape, to=KINDS["f4"])
    size = int(np.prod([axis or 1 for axis in source.shape[1:]]))
    flat = g.one("Reshape", [number, g.constant([-1, size], "i8")], "f4", (None, size))
    weight = g.constant(g.drawn("f4", (size, 3)), "f4")
    return g.one("MatMul", [flat, weight], "f4", (None, 3))
