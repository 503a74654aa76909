"""Makes the measuring stages short, for tests that run them in their own process and ask for no figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry_runtime.measure import baseline, bench, blocks

if TYPE_CHECKING:
    import pytest

SHORT_MILLISECONDS = 2.0


def with_short_blocks(patched: pytest.MonkeyPatch) -> None:
    """Let blocks of calls last about 2 ms, not 50."""
    patched.setattr(blocks, "LEAST_BLOCK_MILLISECONDS", SHORT_MILLISECONDS)


def with_one_memory_process(patched: pytest.MonkeyPatch) -> None:
    """Read peak memory of as few processes as there are anyway."""
    patched.setattr(bench, "MEMORY_PROCESSES", 1)
    patched.setattr(baseline, "MEMORY_PROCESSES", 1)
