"""Random small graphs go from source to served answer, and are answered as ONNX Runtime answers the source.

A hundred by default. To look at others: `pytest -m long` takes ten thousand, each block in a process of its own,
as an engine may end its process and a server's threads stay.
"""

from __future__ import annotations

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import TYPE_CHECKING
from unittest import mock

import onnxruntime
import pytest

from skerry.engines import find
from tests.unit.optimizer.graphs.checking import check_seed

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.jobs.plans import RegistryAccess
    from tests.unit.optimizer.registries import Registry

FEW, MANY, BLOCK = 100, 10_000, 100
LEAST_SERVED = 0.6
"""Of all graphs: a path that refused most would prove nothing."""


def check_block(seeds: range, folder: Path, access: RegistryAccess) -> list[str]:
    """Check some graphs; return the engines that served each, joined by commas."""
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(4)
    # Read once: what is installed does not change, and each look at it takes longer than a small graph.
    with mock.patch.object(find, "installed_engines", cache(find.installed_engines)):
        return [",".join(check_seed(seed, folder / str(seed), access).served) for seed in seeds]


@pytest.mark.parametrize("first", range(0, FEW, 10))
def test_a_graph_is_refused_with_a_cure_or_served_as_its_source(
    first: int, registry: Registry, tmp_path: Path
) -> None:
    served = check_block(range(first, first + 10), tmp_path, registry.access(f"random/{first}"))
    assert sum("ONNXRuntime" in one for one in served) >= LEAST_SERVED * len(served)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(FEW, FEW + MANY, BLOCK))
def test_so_are_thousands(first: int, registry: Registry, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        seeds, access = range(first, first + BLOCK), registry.access(f"random/{first}")
        served = pool.submit(check_block, seeds, tmp_path, access).result()
    assert sum("ONNXRuntime" in one for one in served) >= LEAST_SERVED * len(served)
