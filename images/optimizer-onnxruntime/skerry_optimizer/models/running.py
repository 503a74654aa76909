"""Runs a model once on this CPU: a candidate that can't be run is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from skerry.api.job import TensorInfo
from skerry_optimizer.errors import first_line
from skerry_runtime.datatypes import BY_ONNX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]
ERRORS_ONLY = 3


class NotRunnable(Exception):  # noqa: N818 - a finding about a model, not a fault of the program
    """ONNX Runtime does not run the model on this CPU; the message is its reason."""


def load(file: Path, save_optimised: Path | None = None) -> onnxruntime.InferenceSession:
    """Load a model; with `save_optimised`, write the graph as ONNX Runtime optimised it.

    Raises:
        NotRunnable: Something in it is not implemented on this CPU, or the file is broken.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = 1
    if save_optimised is not None:
        # The level above changes the memory layout to this CPU's vector width. Loading does that
        # anyway, on each device for its own CPU: saved, it would answer wrongly on another.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(save_optimised)
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the binding's errors have no common base but Exception
        raise NotRunnable(first_line(error)) from error


def run(session: onnxruntime.InferenceSession, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return the outputs by name.

    Raises:
        NotRunnable: The run failed, or gave something that is not a number.
    """
    names = [output.name for output in session.get_outputs()]
    try:
        values = session.run(names, dict(inputs))
    except Exception as error:  # as above
        raise NotRunnable(first_line(error)) from error
    for name, value in zip(names, values, strict=True):
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            raise NotRunnable(f"output {name} is not a finite number")
    return dict(zip(names, values, strict=True))


def inputs_of(session: onnxruntime.InferenceSession) -> tuple[TensorInfo, ...]:
    """Describe the inputs in the protocol's terms.

    Raises:
        NotRunnable: An input is not a tensor of numbers.
    """
    described = []
    for entry in session.get_inputs():
        if entry.type not in BY_ONNX:
            raise NotRunnable(f"input {entry.name} is a {entry.type}: only tensors can be served")
        shape = tuple(size if isinstance(size, int) else -1 for size in entry.shape)
        datatype = BY_ONNX[entry.type].protocol
        described.append(TensorInfo(name=entry.name, datatype=datatype, shape=shape))
    return tuple(described)


def likeness(first: Arrays, second: Arrays) -> float:
    """Return the least cosine between outputs of the same name; 0 when their shapes differ."""
    if first.keys() != second.keys():
        return 0.0
    return min((_cosine(first[name], second[name]) for name in first), default=1.0)


def _cosine(first: NDArray[Any], second: NDArray[Any]) -> float:
    if first.shape != second.shape or not np.issubdtype(first.dtype, np.number):
        return float(np.array_equal(first, second))
    left, right = first.astype("f8").ravel(), second.astype("f8").ravel()
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / lengths if lengths else float(np.array_equal(left, right))
