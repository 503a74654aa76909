"""What all tests share."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.lab.fixtures"]

# Two cores are shared with control planes: how long an example takes says nothing about the code.
COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples for everybody: what a run finds is about the change. To look further than they do, with
# other and ten times as many examples: pytest --hypothesis-profile=explore (make test-long does)
settings.register_profile("skerry", COMMON, derandomize=True)
settings.register_profile("explore", COMMON, max_examples=1000)
settings.load_profile("skerry")

TESTS = Path(__file__).parent
LONGEST_FIRST = (
    "e2e/test_story.py", "e2e/test_delivered.py", "e2e/test_examples.py", "e2e/test_docs_start.py",
    "e2e/test_killed.py", "e2e/test_cutoff.py", "e2e", "device", "cluster", "sources",
    "unit/examples", "unit/runtime/test_stages.py", "unit/guard", str(TESTS.parent / "engines/openvino"),
    "unit/optimizer/test_stages.py", "unit/runtime/test_protocol.py", "unit/decide/rollout/test_properties.py",
    "unit/agent/test_golden.py", "unit/optimizer", "unit/runtime", "unit/artifacts", "unit/api",
)  # fmt: skip
"""In this order files are given to workers: with a long one at the end, the others would wait for it."""


UNIT_FOLDERS = (TESTS / "unit", TESTS.parent / "engines")
UNIT_SECONDS = 60
"""For one unit test, on a machine that does much else; one that starts dozens of processes says so."""
NATIVE = tuple(TESTS / "unit" / name for name in ("examples", "guard", "optimizer", "runtime"))
"""Beside the engines' own tests: these run native libraries, whose warnings nobody here can cure."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, and give each unit test its limits."""
    items.sort(key=lambda item: _place(item.path))
    for item in items:
        _limit(item)


def _limit(item: pytest.Item) -> None:
    """Let unit tests end soon, and let a library's warning end no test that took minutes to prepare."""
    unit = any(item.path.is_relative_to(folder) for folder in UNIT_FOLDERS)
    native = any(item.path.is_relative_to(folder) for folder in (*NATIVE, UNIT_FOLDERS[1]))
    if native or not unit:
        item.add_marker(pytest.mark.filterwarnings("default"))
    if unit and item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(UNIT_SECONDS))


def _place(file: Path) -> int:
    """Return the first place of LONGEST_FIRST that a file lies at or below; sorting is stable."""
    places = [
        place for place, path in enumerate(LONGEST_FIRST) if file.is_relative_to(TESTS / path)
    ]
    return places[0] if places else len(LONGEST_FIRST)
