"""NaN and infinities that belong to the data: missing values, masks, logarithms of zero.

JSON has no word for them. In requests all words in use are read: `null` for NaN (MLServer), the tokens NaN,
Infinity and -Infinity (Triton, Python), and the same as strings (protobuf's mapping to JSON). Answers carry
the strings: each JSON parser reads them, none takes them for zero, and numpy makes numbers of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skerry_runtime.datatypes import Datatype

WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
FINITE, NAN, POSITIVE, NEGATIVE = 0, 1, 2, 3
NAMES = {NAN: "NaN", POSITIVE: "Infinity", NEGATIVE: "-Infinity"}


def kinds(array: NDArray[Any]) -> NDArray[np.int8]:
    """Return what each element is: FINITE, NAN, POSITIVE or NEGATIVE; same shape."""
    found = np.zeros(array.shape, np.int8)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        found[np.isnan(array)] = NAN
        found[np.isposinf(array)] = POSITIVE
        found[np.isneginf(array)] = NEGATIVE
    return found


def finite(array: NDArray[Any]) -> NDArray[np.float64]:
    """Return the array in float64, with zeros in place of what is not finite; same shape."""
    numbers = array.astype(np.float64)
    return np.nan_to_num(numbers, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def in_words(array: NDArray[Any]) -> list[Any]:
    """Return the elements of a flat array of floats as JSON carries them."""
    if np.isfinite(array).all():
        data: list[Any] = array.tolist()
        return data
    return [
        NAMES.get(kind, value)
        for kind, value in zip(kinds(array).tolist(), array.tolist(), strict=True)
    ]


def from_words(data: list[Any], datatype: Datatype) -> NDArray[np.float64]:
    """Return the numbers of a list in which some are words, flat; `datatype` is what they are to be.

    Raises:
        TypeError: An element is neither.
    """
    flat = np.array(data, dtype=np.object_).ravel()
    return np.array([_number(one, datatype.protocol) for one in flat], np.float64)


def narrowed(numbers: NDArray[Any], datatype: Datatype) -> NDArray[Any]:
    """Return numbers in a float type.

    Raises:
        OverflowError: A finite one is out of its range, and would become an infinity.
    """
    with np.errstate(over="ignore"):
        array = numbers.astype(datatype.numpy)
    if not np.isfinite(array).all() and (np.isfinite(array) != np.isfinite(numbers)).any():
        raise OverflowError(f"the data are out of the range of {datatype.protocol}")
    return array


def _number(value: Any, protocol: str) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"the data are not all {protocol}: numbers, null, {', '.join(WORDS)}")
    return float(value)
