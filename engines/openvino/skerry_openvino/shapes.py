"""Refuses shapes that OpenVINO would compute with whatever lies in memory.

The CPU plug-in multiplies rows by constant weights without comparing their widths (2026.4). Of a longer row it
ignores the rest, and after a shorter one it reads on, where another request's numbers may lie. Where a width
follows from what the caller sends, the model's own shape inference, which does compare, is asked before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openvino as ov

from skerry_openvino.errors import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MOST_KNOWN = 4096
"""Shapes that are remembered; asking again costs 0.1 to 10 ms."""

BODIES = {"If", "Loop", "TensorIterator"}
"""Operators whose inner graphs are not looked into."""


class ShapeCheck:
    """The shapes that a model has been asked about; one call at a time."""

    def __init__(self, model: ov.Model) -> None:
        """Keep the model, which is used for nothing else, where some shape may be computed unseen."""
        self._model = model if any(_is_unseen(one) for one in model.get_ops()) else None
        self._known: set[tuple[tuple[int, ...], ...]] = set()

    def check(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        """Refuse what the model's shape inference refuses.

        Raises:
            RuntimeError: A node can't take what the model's inputs admit, as when the plug-in itself refuses it.
        """
        if self._model is None:
            return
        shapes = {name: array.shape for name, array in sorted(inputs.items())}
        if (asked := tuple(shapes.values())) in self._known:
            return
        try:
            _infer(self._model, shapes)
        except RuntimeError as error:
            raise RuntimeError(f"no node takes {shapes}: {reason_of(error)}") from error
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known.add(asked)


def _infer(model: ov.Model, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Infer all shapes from those of the inputs; `Model.reshape` would first bend nodes so that they fit."""
    for name, shape in shapes.items():
        model.input(name).get_node().set_partial_shape(ov.PartialShape(list(shape)))
    model.validate_nodes_and_infer_types()


def _is_unseen(operator: Any) -> bool:
    """Return whether the operator may multiply rows of any width by weights of a known one."""
    kind = operator.get_type_name()
    shapes = [port.get_partial_shape() for port in operator.inputs()]
    if kind != "MatMul":
        return kind in BODIES or (kind == "Einsum" and any(one.is_dynamic for one in shapes))
    if any(shape.rank.is_dynamic for shape in shapes):
        return True
    rows, columns = shapes
    transposed = operator.get_attributes()
    widths = (
        rows[-2 if transposed["transpose_a"] and len(rows) > 1 else -1],
        columns[-1 if transposed["transpose_b"] or len(columns) == 1 else -2],
    )
    return bool(widths[0].is_dynamic != widths[1].is_dynamic)
