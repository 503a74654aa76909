"""A loaded model: the same few lines serve on the device and run in every measurement.

What is measured must be what is served, so session options live here and nowhere else: threads by
the CPU limit, and no spinning, which would burn a core of an idle device.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from skerry_runtime.datatypes import BY_ONNX, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]


class ModelError(Exception):
    """The model can't be loaded or served; the message is for people."""


class InputError(Exception):
    """The engine refused these inputs: the caller's fault, not the model's."""


def thread_count(cpu_limit: float) -> int:
    """Return the threads for a CPU limit in cores: the whole cores, at least one.

    Two threads under a quota of one core doubled the CPU per inference.
    """
    return max(1, math.floor(cpu_limit))


class Session:
    """One model in ONNX Runtime, on the CPU.

    Args:
        path: The model file.
        threads: Threads of one inference.
        batching: Whether rows of a batch may be computed together. A variant whose answers in a
            batch are worse than alone is certified without; then each row is computed alone.

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
        self._one_by_one = not batching and _rows_are_free([*self.inputs, *self.outputs])

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()) -> Arrays:
        """Compute `outputs` (all of them when empty) by name.

        Raises:
            InputError: The engine refused the values, for example an index out of range.
        """
        names = list(outputs) or [spec.name for spec in self.outputs]
        rows = len(next(iter(inputs.values()))) if self._one_by_one and inputs else 1
        if rows <= 1:
            return dict(zip(names, self._call(names, inputs), strict=True))
        parts = [
            self._call(names, {name: array[row : row + 1] for name, array in inputs.items()})
            for row in range(rows)
        ]
        return {
            name: np.concatenate([part[place] for part in parts])
            for place, name in enumerate(names)
        }

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
