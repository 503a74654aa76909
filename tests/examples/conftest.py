"""What the tests of examples share: a registry, and what the examples' own scripts have made."""

from __future__ import annotations

import os
import runpy
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit.optimizer.registries import registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["registry"]

os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that runs the script of an example once, in this process, and returns its OUTDIR."""
    folders: dict[str, Path] = {}

    def make(example: str) -> Path:
        if example not in folders:
            folders[example] = tmp_path_factory.mktemp(example)
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(sys, "argv", ["make", str(folders[example])])
                runpy.run_module(f"examples.{example}.make", run_name="__main__")
        return folders[example]

    return make
