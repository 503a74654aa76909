"""A model in ONNX Runtime, on the CPU: what serves on the device and runs in every measurement.

What is measured must be what is served, so session options live here and nowhere else: threads by
the CPU limit, and no spinning, which would burn a core of an idle device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime as ort

from skerry.engines import InputError, ModelError, TensorSpec
from skerry_onnxruntime.errors import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

ERRORS_ONLY = 3
DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8", "tensor(uint16)": "UINT16", "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64", "tensor(int8)": "INT8", "tensor(int16)": "INT16",
    "tensor(int32)": "INT32", "tensor(int64)": "INT64", "tensor(float16)": "FP16",
    "tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(string)": "BYTES",
}  # fmt: skip
"""ONNX Runtime's names of number types, and the protocol's."""


class OnnxModel:
    """A loaded model; see `skerry.engines.LoadedModel`."""

    def __init__(self, session: ort.InferenceSession, file: Path) -> None:
        self._session = session
        self.inputs = _specs(session.get_inputs(), file)
        self.outputs = _specs(session.get_outputs(), file)
        self.version: str = ort.__version__

    def run(self, names: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Compute the named outputs.

        Raises:
            InputError: The values are refused, for example an index out of range.
            RuntimeError: A node can't be computed.
        """
        try:
            answer: list[NDArray[Any]] = self._session.run(list(names), dict(inputs))
        except ort.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise InputError(reason_of(error)) from error
        except Exception as error:  # ONNX Runtime's exceptions share no base but this
            raise RuntimeError(reason_of(error)) from error
        return answer


def load(file: Path, threads: int) -> OnnxModel:
    """Open an ONNX file; see `skerry.engines.Loader`."""
    return OnnxModel(open_session(file, _options(threads)), file)


def open_session(file: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    """Open a session.

    Raises:
        ModelError: Something in the file is not implemented on this CPU, or the file is broken.
    """
    try:
        return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        raise ModelError(
            f"ONNX Runtime {ort.__version__} can't load {file.name}: {reason_of(error)}"
        ) from error


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def _specs(nodes: Sequence[Any], file: Path) -> tuple[TensorSpec, ...]:
    for node in nodes:
        if node.type not in DATATYPES:
            raise ModelError(
                f"`{node.name}` of {file.name} is a {node.type}, which the protocol can't carry"
            )
    return tuple(TensorSpec(node.name, DATATYPES[node.type], _shape(node.shape)) for node in nodes)


def _shape(axes: Sequence[Any]) -> tuple[int, ...]:
    return tuple(axis if isinstance(axis, int) and axis >= 0 else -1 for axis in axes)
