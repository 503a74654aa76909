"""What a tensor is called and looks like: number types under their three names, and shapes.

ONNX Runtime, the Open Inference Protocol and numpy each have their own names. Everything that reads
tensors (server, data set, measuring) goes through this one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Datatype:
    """One number type under its three names; `numpy` is object for BYTES."""

    protocol: str
    onnx: str
    numpy: np.dtype[Any]

    @cached_property
    def wire(self) -> np.dtype[Any]:
        """Of the elements in their binary form, which is little-endian."""
        return self.numpy.newbyteorder("<")

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


class TensorLike(Protocol):
    """Anything that names a tensor: `TensorSpec` here, `skerry.jobs.files.TensorInfo` in files."""

    @property
    def name(self) -> str:
        """The tensor's name in the model."""

    @property
    def datatype(self) -> str:
        """Its type's name in the protocol."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; -1 is a free axis."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of the loaded model. Not pydantic: that would cost each device 8 MB of memory."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape fits."""
        pairs = zip(self.shape, shape, strict=False)
        return len(shape) == len(self.shape) and all(have in (-1, got) for have, got in pairs)
