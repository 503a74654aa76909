"""Number types under their two names.

The Open Inference Protocol and numpy each have their own. Everything that reads
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
    """One number type under its two names; `numpy` is object for BYTES."""

    protocol: str
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
    Datatype("BOOL", np.dtype(np.bool_)),
    Datatype("UINT8", np.dtype(np.uint8)),
    Datatype("UINT16", np.dtype(np.uint16)),
    Datatype("UINT32", np.dtype(np.uint32)),
    Datatype("UINT64", np.dtype(np.uint64)),
    Datatype("INT8", np.dtype(np.int8)),
    Datatype("INT16", np.dtype(np.int16)),
    Datatype("INT32", np.dtype(np.int32)),
    Datatype("INT64", np.dtype(np.int64)),
    Datatype("FP16", np.dtype(np.float16)),
    Datatype("FP32", np.dtype(np.float32)),
    Datatype("FP64", np.dtype(np.float64)),
    Datatype("BYTES", np.dtype(np.object_)),
)

BY_PROTOCOL = {entry.protocol: entry for entry in _TABLE}


def storable(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that numpy stores and maps without pickle: text has a fixed width there."""
    if array.dtype.kind != "O":
        return array
    return array.astype(np.str_)


def usable(array: NDArray[Any]) -> NDArray[Any]:
    """Return a stored array as engines take it: text as Python's own strings."""
    return array.astype(np.object_) if array.dtype.kind == "U" else array


def is_whole(array: NDArray[Any], spec: TensorLike) -> bool:
    """Return whether an array of samples holds whole inputs of the model, and so has one axis more than these."""
    return array.ndim == len(spec.shape) + 1


def one_sample(array: NDArray[Any], index: int, spec: TensorLike) -> NDArray[Any]:
    """Return one sample as an input of the model: a batch of one row, or a whole input as it was given.

    Whole are states with the batch on another axis, and inputs without one.
    """
    return np.asarray(array[index] if is_whole(array, spec) else array[index : index + 1])


def as_row(answer: NDArray[Any]) -> NDArray[Any]:
    """Return the answer to one sample with a first axis of 1, which it need not have."""
    return answer if answer.shape[:1] == (1,) else answer[np.newaxis]


class TensorLike(Protocol):
    """Anything that names a tensor: `skerry.engines.TensorSpec`, `skerry.jobs.files.TensorInfo` in files."""

    @property
    def name(self) -> str:
        """The tensor's name in the model."""

    @property
    def datatype(self) -> str:
        """Its type's name in the protocol."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; -1 is a free axis."""
