"""A loaded model: the same few lines serve on the device and run in every measurement.

What is measured must be what is served, so session options live here and nowhere else: threads by
the CPU limit, and no spinning, which would burn a core of an idle device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from skerry_runtime.datatypes import BY_ONNX, Arrays, TensorSpec
from skerry_runtime.errors import InputError, ModelError
from skerry_runtime.limits import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class Session:
    """One model in ONNX Runtime, on the CPU.

    Args:
        path: The model file.
        threads: Threads of one inference.
        batching: Whether rows of a batch may be computed together, up to MOST_ROWS. A variant
            whose answers in a batch are worse than alone is certified without; then each row is
            computed alone.

    Raises:
        ModelError: The file is missing, or the engine can't load it.
    """

    def __init__(self, path: Path, threads: int, *, batching: bool = True) -> None:
        if not path.is_file():
            raise ModelError(f"{path} is missing: the artifact must hold it at its root")
        try:
            self._session = ort.InferenceSession(
                str(path), _options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base but this
            raise ModelError(
                f"ONNX Runtime {ort.__version__} can't load {path}: {first_line(error)}"
            ) from error
        self.inputs = _specs(self._session.get_inputs(), path)
        self.outputs = _specs(self._session.get_outputs(), path)
        self._rows_together = MOST_ROWS if batching else 1
        self._rows_are_free = _rows_are_free([*self.inputs, *self.outputs])

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()) -> Arrays:
        """Compute `outputs` (all of them when empty) by name.

        Raises:
            InputError: The engine refused the values, for example an index out of range.
        """
        names = list(outputs) or [spec.name for spec in self.outputs]
        parts = [self._call(names, part) for part in self._parts(inputs)]
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

    def _call(self, names: list[str], inputs: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        try:
            answer: Sequence[NDArray[Any]] = self._session.run(names, dict(inputs))
        except ort.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise InputError(first_line(error)) from error
        return answer


def first_line(error: Exception) -> str:
    """Return an engine's message without its stack of source lines."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:400]


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def _specs(nodes: Sequence[Any], path: Path) -> tuple[TensorSpec, ...]:
    unknown = [node.type for node in nodes if node.type not in BY_ONNX]
    if unknown:
        raise ModelError(
            f"{path} has tensors of type {', '.join(unknown)}, which the protocol can't carry"
        )
    return tuple(
        TensorSpec(node.name, BY_ONNX[node.type].protocol, _shape(node.shape)) for node in nodes
    )


def _shape(axes: Sequence[Any]) -> tuple[int, ...]:
    return tuple(axis if isinstance(axis, int) and axis >= 0 else -1 for axis in axes)


def _rows_are_free(specs: Sequence[TensorSpec]) -> bool:
    return all(spec.shape[:1] == (-1,) for spec in specs)
