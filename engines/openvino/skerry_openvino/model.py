"""A model in OpenVINO, on the CPU: what serves on the device and runs in every measurement.

What is measured must be what is served, so options live here and nowhere else: one stream, threads
by the CPU limit, the arithmetic that the file names.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

from skerry.engines import WHOLE_INPUTS, InputError, ModelError, TensorSpec
from skerry_openvino.arithmetic import HINT, arithmetic_of, lacks
from skerry_openvino.errors import reason_of
from skerry_openvino.indices import IndexCheck
from skerry_openvino.running import run
from skerry_openvino.shapes import ShapeCheck

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

DATATYPES = {
    "boolean": "BOOL", "u8": "UINT8", "u16": "UINT16", "u32": "UINT32", "u64": "UINT64",
    "i8": "INT8", "i16": "INT16", "i32": "INT32", "i64": "INT64",
    "f16": "FP16", "f32": "FP32", "f64": "FP64",
}  # fmt: skip
"""OpenVINO's names of number types, and the protocol's.

Not text: the CPU plug-in (2026.4) copies its strings as plain bytes, frees them twice, and the process dies.
"""


_Specs = tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]
"""Of inputs and of outputs."""


class OpenVinoModel:
    """A compiled model; see `skerry.engines.LoadedModel`."""

    def __init__(
        self,
        compiled: ov.CompiledModel,
        specs: _Specs,
        shapes: ShapeCheck,
        indices: IndexCheck,
        whole: Collection[str] = (),
    ) -> None:
        self._shapes, self._indices = shapes, indices
        self._request = compiled.create_infer_request()
        self.inputs, self.outputs = specs
        self._rows = [
            spec.name for spec in self.inputs if spec.shape[:1] == (-1,) and spec.name not in whole
        ]
        self.version = ov.__version__.split("-")[0]

    def run(self, names: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Compute the named outputs (OpenVINO always computes all).

        Raises:
            InputError: The shapes don't go together, as far as OpenVINO sees it, or an index is out of range.
        """
        _check_rows({name: inputs[name] for name in self._rows if name in inputs})
        self._indices.check(inputs)
        self._shapes.check(inputs)
        contiguous = {name: _as_taken(array) for name, array in inputs.items()}
        try:
            answer = run(self._request, contiguous)
        except RuntimeError as error:
            if _is_of_inputs(error):
                raise InputError(reason_of(error)) from error
            raise
        self._indices.check_computed(answer)
        return [answer[name] for name in names]


def load(file: Path, threads: int) -> OpenVinoModel:
    """Open an OpenVINO or ONNX file; see `skerry.engines.Loader`.

    Raises:
        ModelError: It can't be read, or this CPU lacks its arithmetic.
    """
    core = ov.Core()
    try:
        model = core.read_model(str(file))
        arithmetic = arithmetic_of(model)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"OpenVINO {version()} can't read {file.name}: {reason_of(error)}"
        ) from error
    if lacks(core, arithmetic):
        raise ModelError(
            f"{file} is to be computed in {arithmetic.name.lower()}, which this CPU does not have:"
            " OpenVINO would take another format in silence"
        )
    options = {
        HINT: arithmetic.value,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        # Pinned threads of several pods would meet on the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    specs = _specs(model, file)
    try:
        indices = IndexCheck(model)
        compiled = core.compile_model(model, "CPU", options)
        return OpenVinoModel(compiled, specs, ShapeCheck(model), indices, _whole(model))
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO {version()} can't load {file.name}: {reason_of(error)}"
        ) from error


def version() -> str:
    """Return OpenVINO's version without its build."""
    return str(ov.__version__.split("-")[0])


def _is_of_inputs(error: RuntimeError) -> bool:
    """Return whether OpenVINO complains about the shapes of inputs, not of a node within the graph.

    A node that cannot take what the schema admits is the model's fault: ONNX Runtime's errors of this sort
    are no complaint about inputs either.
    """
    text = str(error)
    return "shape" in text.lower() and "node with name" not in text


def _as_taken(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as OpenVINO takes it: contiguous, and a scalar writable, which a request's bytes are not."""
    return np.asarray(array, order="C") if array.ndim else np.array(array)


def _check_rows(inputs: Mapping[str, NDArray[Any]]) -> None:
    """Refuse batches of unequal size: OpenVINO would read beyond the shorter one and answer.

    Raises:
        InputError: There are two sizes, and none of them is 1, which stands for every row.
    """
    rows = sorted({len(array) for array in inputs.values() if array.ndim} - {1})
    if len(rows) > 1:
        raise InputError(f"inputs have different numbers of rows: {', '.join(map(str, rows))}")


def _whole(model: ov.Model) -> list[str]:
    """Return the inputs whose first axis is not the samples, as the source's properties name them."""
    place = ["framework", WHOLE_INPUTS]
    if not model.has_rt_info(place):
        return []
    names: list[str] = json.loads(model.get_rt_info(place).astype(str))
    return names


def _specs(model: ov.Model, file: Path) -> _Specs:
    return (
        tuple(_spec(port, file) for port in model.inputs),
        tuple(_spec(port, file) for port in model.outputs),
    )


def _spec(port: Any, file: Path) -> TensorSpec:
    kind = port.get_element_type().get_type_name()
    if kind not in DATATYPES:
        what = "text" if kind == "string" else f"of type {kind}"
        raise ModelError(
            f"`{port.get_any_name()}` of {file.name} is {what}, which OpenVINO can't serve"
        )
    shape = tuple(axis.get_length() if axis.is_static else -1 for axis in port.get_partial_shape())
    return TensorSpec(port.get_any_name(), DATATYPES[kind], shape)
