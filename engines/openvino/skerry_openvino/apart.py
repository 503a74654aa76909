"""Runs what may end its process in another one: some graphs end OpenVINO's reader of ONNX (2026.4).

Seen: an operator that it does not have, before a Clip without an upper limit. The error would be the job's last
word, without one about the cause.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, TypeVar

from skerry.engines import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

IMPORTED_ONCE = ["skerry_openvino.building"]
"""By the process that the others are forked from, so that each starts in some milliseconds."""


def run_apart(what: str, function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a process of its own.

    Args:
        what: Is done, for people.
        function: Of a module.
        arguments: They and the result go through pickle.

    Raises:
        ModelError: The process ended; or whatever the function raises.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED_ONCE)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise ModelError(f"{what} ended its process, which is a fault of OpenVINO") from error
