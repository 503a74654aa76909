"""The three names of a number type: ONNX Runtime's, the Open Inference Protocol's and numpy's.

Everything that reads tensors (server, data set, measuring) goes through this one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Datatype:
    """One number type under its three names; `numpy` is object for BYTES."""

    protocol: str
    onnx: str
    numpy: np.dtype[Any]

    @property
    def is_bytes(self) -> bool:
        """Whether elements have no fixed size (strings)."""
        return self.protocol == "BYTES"


_TABLE = (
    Datatype("BOOL", "tensor(bool)", np.dtype(np.bool_)),
    Datatype("UINT8", "tensor(uint8)", np.dtype(np.uint8)),
    Datatype("UINT16", "tensor(uint16)", np.dtype(np.uint16)),
    Datatype("UINT32", "tensor(uint32)", np.dtype(np.uint32)),
    Datatype("UINT64", "tensor(uint64)", np.dtype(np.uint64)),
    Datatype("INT8", "tensor(int8)", np.dtype(np.int8)),
    Datatype("INT16", "tensor(int16)", np.dtype(np.int16)),
    Datatype("INT32", "tensor(int32)", np.dtype(np.int32)),
    Datatype("INT64", "tensor(int64)", np.dtype(np.int64)),
    Datatype("FP16", "tensor(float16)", np.dtype(np.float16)),
    Datatype("FP32", "tensor(float)", np.dtype(np.float32)),
    Datatype("FP64", "tensor(double)", np.dtype(np.float64)),
    Datatype("BYTES", "tensor(string)", np.dtype(np.object_)),
)

BY_PROTOCOL = {entry.protocol: entry for entry in _TABLE}
BY_ONNX = {entry.onnx: entry for entry in _TABLE}
