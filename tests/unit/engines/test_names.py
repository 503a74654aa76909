"""The core names no engine: what differs between engines is theirs, or a value of the catalog."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from skerry.engines import installed_engines
from skerry.engines.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
CORE = (ROOT / "operator/skerry", ROOT / "agents/skerry_agent")
NAMES = {*installed_engines(), *(engine.name for engine in CATALOG)}
CATALOG_FILE = ROOT / "operator/skerry/engines/catalog.py"


def named(path: Path) -> Iterator[str]:
    """Yield the engines that a file's code names; prose, as of docstrings and descriptions, is more words."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"


@pytest.mark.parametrize("folder", CORE, ids=lambda folder: folder.name)
def test_no_code_of_the_core_names_an_engine(folder: Path) -> None:
    files = set(folder.rglob("*.py")) - {CATALOG_FILE}
    assert len(files) > 30
    assert [found for file in sorted(files) for found in named(file)] == []


def test_the_catalog_is_where_names_are_found() -> None:
    found = [one.rpartition(" ")[2] for one in named(CATALOG_FILE)]
    assert found == [engine.name for engine in CATALOG]


def test_every_import_of_an_engine_from_the_library_is_of_the_one_room() -> None:
    """In addition to the optimizer's helpers for ONNX files and the modules of the engine itself."""
    allowed = ("skerry.engines", "skerry_optimizer.models")
    modules = {
        f"{path.name}: {node.module}"
        for path in (ROOT / "engines").glob("*/skerry_*/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
        if node.module.startswith("skerry") and not node.module.startswith(f"{_package(path)}.")
        if node.module != _package(path) and not node.module.startswith(allowed)
    }
    assert modules == set()


def _package(path: Path) -> str:
    return path.relative_to(ROOT / "engines").parts[1]
