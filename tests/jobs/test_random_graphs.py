"""Random small graphs go from source to served answer, and are answered as ONNX Runtime answers the source.

A hundred by default. `pytest -m long` takes ten thousand others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jobs.graphs.blocks import check_block, processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path

    from tests.unit.optimizer.registries import Registry

FEW, MANY, BLOCK = 100, 10_000, 100
LEAST_SERVED = 0.6
"""Of all graphs: a path that refused most would prove nothing."""


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    """Yield a process that checks graphs."""
    with processes() as pool:
        yield pool


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(0, FEW, 10))
def test_a_graph_is_refused_with_a_cure_or_served_as_its_source(
    first: int, process: ProcessPoolExecutor, registry: Registry, tmp_path: Path
) -> None:
    access, seeds = registry.access(f"random/{first}"), range(first, first + 10)
    served = process.submit(check_block, seeds, tmp_path, access).result()
    assert sum("ONNXRuntime" in one for one in served) >= LEAST_SERVED * len(served)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(FEW, FEW + MANY, BLOCK))
def test_so_are_thousands(first: int, registry: Registry, tmp_path: Path) -> None:
    with processes() as pool:
        seeds, access = range(first, first + BLOCK), registry.access(f"random/{first}")
        served = pool.submit(check_block, seeds, tmp_path, access).result()
    assert sum("ONNXRuntime" in one for one in served) >= LEAST_SERVED * len(served)
