"""Runs a model once with its engine on this CPU: a candidate that can't be run is none.

It is opened by the code that will serve it, so what loads here loads on the device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.engines import ModelError
from skerry.jobs.ending import first_line
from skerry_runtime.engine import load_model
from skerry_runtime.nonfinite import finite, kinds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.engines import EnginePlugin, LoadedModel

Arrays = dict[str, "NDArray[Any]"]


class NotRunnable(Exception):  # noqa: N818 - a finding about a model, not a fault of the program
    """The engine does not run the model on this CPU; the message is its reason."""


def load(engine: EnginePlugin, file: Path) -> LoadedModel:
    """Open a model's first file (or a source as it came), one thread.

    Raises:
        NotRunnable: Something in it is not implemented on this CPU, or the file is broken.
    """
    try:
        return load_model(engine.name, file, threads=1)
    except ModelError as error:
        raise NotRunnable(str(error)) from error


def run(model: LoadedModel, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return the outputs by name.

    Raises:
        NotRunnable: The run failed.
    """
    names = [output.name for output in model.outputs]
    try:
        values = model.run(names, dict(inputs))
    except Exception as error:  # engines' errors have no common base but Exception
        raise NotRunnable(first_line(error)) from error
    return dict(zip(names, values, strict=True))


def check_kinds(source: Arrays, build: Arrays) -> None:
    """Check that a build answers with NaN and infinities where its source does, and nowhere else.

    Raises:
        NotRunnable: It does not; names the output.
    """
    for name, value in source.items():
        if value.shape == build[name].shape and (kinds(value) != kinds(build[name])).any():
            raise NotRunnable(
                f"its output {name} is NaN or infinite where the source's is a number, or the other way round"
            )


def likeness(first: Arrays, second: Arrays) -> float:
    """Return the least cosine between outputs of the same name; 0 when shapes or places of NaN differ."""
    if first.keys() != second.keys():
        return 0.0
    return min((_cosine(first[name], second[name]) for name in first), default=1.0)


def _cosine(first: NDArray[Any], second: NDArray[Any]) -> float:
    if first.shape != second.shape or not np.issubdtype(first.dtype, np.number):
        return float(np.array_equal(first, second))
    if (kinds(first) != kinds(second)).any():
        return 0.0
    left, right = finite(first).ravel(), finite(second).ravel()
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / lengths if lengths else float(np.array_equal(left, right))
