"""Samples outside of the data set that a caller may send: what the source answers, a build may not fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skerry_runtime.measure.process import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from skerry_runtime.measure.process import Process

SCALES = (0.0, 100.0, -100.0)


def hostile_finding(process: Process, source: Callable[[], AbstractContextManager[Process]]) -> str:
    """Say which hostile sample the build fails and the source answers; an empty string if there is none.

    A sample's numbers are zero, or a hundred times what they were.

    Args:
        process: The build's, with samples open; it may be ended by this.
        source: Starts the source with the same samples open; called only when the build fails one.
    """
    for scale in SCALES:
        failure = _failure(process, scale)
        if failure and not _source_fails(source, scale):
            return f"{failure} when a sample's numbers are multiplied by {scale:g}, and the source answers it"
    return ""


def _failure(process: Process, scale: float) -> str:
    try:
        outputs = process.scaled(0, scale)
    except WorkerError as error:
        return f"it fails ({str(error)[:80]})"
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"its output `{name}` is NaN or infinite"
    return ""


def _source_fails(source: Callable[[], AbstractContextManager[Process]], scale: float) -> bool:
    try:
        with source() as process:
            return bool(_failure(process, scale))
    except WorkerError:
        return True
