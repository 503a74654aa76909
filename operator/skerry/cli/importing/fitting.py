"""Gives the user's data the form that the model's inputs have: names, shapes and number types."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.cli.errors import CliError
from skerry_runtime.datatypes import is_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry.cli.importing.samples import Samples
    from skerry.engines import TensorSpec

NUMBERS = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "u2", "UINT32": "u4", "UINT64": "u8", "INT8": "i1",
    "INT16": "i2", "INT32": "i4", "INT64": "i8", "FP16": "f2", "FP32": "f4", "FP64": "f8",
}  # fmt: skip
"""numpy's names of the protocol's number types; BYTES is text."""
ROWS = ((), (-1,), (1,))
"""First axes, or none, of inputs that samples can be rows of."""


@dataclass(frozen=True)
class Fitted:
    """Samples in the form of the model's inputs.

    Attributes:
        arrays: by input, as the model takes them.
        exact: the same before they were rounded to the model's number types.
        notes: what was changed, for people.
    """

    arrays: dict[str, NDArray[Any]]
    exact: dict[str, NDArray[Any]]
    notes: tuple[str, ...]


def fitted(inputs: Sequence[TensorSpec], samples: Samples, columns: Sequence[str] = ()) -> Fitted:
    """Return an array for each of the model's inputs.

    Args:
        inputs: of the model.
        samples: the user's data.
        columns: those of a table that make an only input, in this order; empty takes all, as they stand.

    Raises:
        CliError: the data lacks an input, or has another form.
    """
    if len(inputs) == 1 and inputs[0].name not in samples.arrays:
        arrays = {inputs[0].name: _only(inputs[0], samples, columns)}
    else:
        missing = [info.name for info in inputs if info.name not in samples.arrays]
        if missing:
            raise CliError(
                f"it lacks {', '.join(missing)}, which the model takes; it has {samples.names}",
                samples.place,
                "name each array or column as the model's input is named",
            )
        arrays = {info.name: samples.arrays[info.name] for info in inputs}
    notes: list[str] = []
    shaped = {info.name: _shape(info, arrays[info.name], samples, notes) for info in inputs}
    cast = {info.name: _cast(info, shaped[info.name], samples, notes) for info in inputs}
    return Fitted(cast, shaped, tuple(notes))


def _only(info: TensorSpec, samples: Samples, columns: Sequence[str]) -> NDArray[Any]:
    """Return the array of a model's only input, whatever its name in the data is."""
    if not samples.table:
        if len(samples.arrays) == 1:
            return next(iter(samples.arrays.values()))
        raise CliError(
            f"the model's input is {info.name}, and the data has {samples.names}",
            samples.place,
            f"save the samples as {info.name}; name the labels by --labels",
        )
    names = [name for name in columns if name in samples.arrays]
    if len(names) < len(columns):
        lost = ", ".join(sorted(set(columns) - set(names)))
        raise CliError(
            f"it lacks the columns {lost}, which the model was trained with",
            samples.place,
            "add them to the file",
        )
    chosen = [samples.arrays[name] for name in names or samples.arrays]
    text = [name for name in names or samples.arrays if samples.arrays[name].dtype.kind == "U"]
    if text and info.datatype != "BYTES":
        raise CliError(
            f"the column {text[0]} holds text, and the model takes numbers",
            samples.place,
            "leave it out of the file; if it holds the labels, name it by --labels",
        )
    return np.stack(chosen, axis=1)


def _shape(
    info: TensorSpec, array: NDArray[Any], samples: Samples, notes: list[str]
) -> NDArray[Any]:
    shaped = _shaped(info, array)
    if shaped is None:
        raise _other_shape(info, array, samples)
    if shaped.shape not in (array.shape, (*array.shape, 1)):
        notes.append(f"{info.name}: {list(array.shape)} is laid out as {list(shaped.shape)}")
    return shaped


def _other_shape(info: TensorSpec, array: NDArray[Any], samples: Samples) -> CliError:
    rows = info.shape[:1] in ROWS
    if rows and samples.table and array.ndim == len(info.shape) == 2:  # noqa: PLR2004
        return CliError(
            f"it has {array.shape[1]} columns without the labels, and the model takes {info.shape[1]}",
            samples.place,
            "name the column of the labels by --labels, and leave out what the model was not trained with",
        )
    wanted = ", ".join("any" if axis < 0 else str(axis) for axis in info.shape)
    ones = ", ".join("1" if axis < 0 else str(axis) for axis in info.shape)
    return CliError(
        f"{info.name} has the shape {list(array.shape)}, and the model takes [{wanted}]",
        samples.place,
        "give the samples along the first axis, and the other axes as the model has them"
        if rows
        else f"give each sample a whole input, such as [samples, {ones}]",
    )


def _shaped(info: TensorSpec, array: NDArray[Any]) -> NDArray[Any] | None:
    """Return rows or whole inputs with the model's axes; rows of values are laid out, if they are as many."""
    rows = info.shape[:1] in ROWS
    rest = info.shape[1:] if rows else info.shape
    if rows and _fits(rest, array):
        return array
    if array.ndim <= 2 and min(rest, default=1) > 0 and prod(rest) == prod(array.shape[1:]):  # noqa: PLR2004
        return array.reshape(len(array), *rest)
    if rows and array.ndim == 1 and rest == (-1,):
        return array[:, None]
    return array if is_whole(array, info) and _fits(info.shape, array) else None


def _fits(wanted: tuple[int, ...], array: NDArray[Any]) -> bool:
    """Return whether each sample has this shape; -1 is any."""
    given = array.shape[1:]
    return len(wanted) == len(given) and all(
        want in (-1, have) for want, have in zip(wanted, given, strict=True)
    )


def _cast(
    info: TensorSpec, array: NDArray[Any], samples: Samples, notes: list[str]
) -> NDArray[Any]:
    if info.datatype == "BYTES":
        return array.astype(np.str_)
    wanted = np.dtype(NUMBERS[info.datatype])
    problem = None
    if array.dtype.kind not in "?biuf":
        problem = "text"
    elif wanted.kind in "iu?" and not _whole(array, wanted):
        problem = f"values that {wanted} can't hold, such as fractions or missing ones"
    if problem:
        raise CliError(
            f"{info.name} holds {problem}, and the model takes {wanted}",
            samples.place,
            f"encode it as {wanted}, as it was for the training",
        )
    if array.dtype != wanted:
        notes.append(f"{info.name}: {array.dtype} became {wanted}")
    with np.errstate(over="ignore"):  # what is too large for float32 is infinite there
        return array.astype(wanted)


def _whole(array: NDArray[Any], wanted: np.dtype[Any]) -> bool:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return False
    with np.errstate(all="ignore"):
        return bool((array.astype(wanted) == array).all())
