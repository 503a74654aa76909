"""Some random graphs in a row, in a process of their own: an engine may end it, and a server's threads stay."""

from __future__ import annotations

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import onnxruntime
import pytest

from skerry.engines import find

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.jobs.plans import RegistryAccess


def processes() -> ProcessPoolExecutor:
    """Return a process for `check_block`: gRPC messages of server and of test clients share their names."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def check_block(seeds: range, folder: Path, access: RegistryAccess) -> list[str]:
    """Check some graphs; return the engines that served each, joined by commas."""
    from tests.jobs.graphs.checking import check_seed  # noqa: PLC0415 - not in the process of the tests

    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(4)
    with pytest.MonkeyPatch.context() as patched:
        # Read once: what is installed does not change, and each look at it takes longer than a small graph.
        patched.setattr(find, "installed_engines", cache(find.installed_engines))
        return [",".join(check_seed(seed, folder / str(seed), access).served) for seed in seeds]
