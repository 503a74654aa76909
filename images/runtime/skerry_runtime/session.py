"""A loaded model and how a batch goes through it: the same lines serve and run in every measurement.

The engine itself is behind `skerry_runtime.engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skerry_runtime.limits import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from skerry.engines import LoadedModel
    from skerry_runtime.datatypes import Arrays, TensorLike


class Session:
    """One model, ready to answer.

    Args:
        model: As `skerry_runtime.engine.load_model` opened it.
        batching: Whether rows of a batch may be computed together, up to MOST_ROWS. A variant
            whose answers in a batch are worse than alone is certified without; then each row is
            computed alone.
        whole: Names of inputs and outputs whose first axis is not the samples, though it is open. A
            request of such a model is computed as it came.
    """

    def __init__(
        self, model: LoadedModel, *, batching: bool = True, whole: Collection[str] = ()
    ) -> None:
        self._model = model
        self.inputs = model.inputs
        self.outputs = model.outputs
        self._rows_together = MOST_ROWS if batching else 1
        self._rows_are_free = not whole and rows_are_free([*self.inputs, *self.outputs])

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()) -> Arrays:
        """Compute `outputs` (all of them when empty) by name.

        Raises:
            InputError: The engine refused the values, for example an index out of range.
        """
        names = list(outputs) or [spec.name for spec in self.outputs]
        parts = [self._model.run(names, part) for part in self._parts(inputs)]
        if len(parts) == 1:
            return dict(zip(names, parts[0], strict=True))
        return {
            name: np.concatenate([part[place] for part in parts])
            for place, name in enumerate(names)
        }

    def _parts(self, inputs: Mapping[str, NDArray[Any]]) -> list[Mapping[str, NDArray[Any]]]:
        """Divide a batch into what may be computed together."""
        rows = {len(array) for array in inputs.values()} if self._rows_are_free else {1}
        count = max(rows, default=1)
        # Inputs of unequal length are the engine's to judge.
        if len(rows) != 1 or count <= self._rows_together:
            return [inputs]
        step = self._rows_together
        return [
            {name: array[start : start + step] for name, array in inputs.items()}
            for start in range(0, count, step)
        ]


def rows_are_free(specs: Iterable[TensorLike]) -> bool:
    """Return whether the first axis of each tensor is open, so that samples can be computed together."""
    return all(spec.shape[:1] == (-1,) for spec in specs)
