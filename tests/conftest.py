"""What all tests share."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.lab.fixtures"]

# Two cores are shared with control planes: how long an example takes says nothing about the code.
COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples for everybody: what a run finds is about the change. To look further than they do, with
# other and twenty times as many examples: pytest --hypothesis-profile=explore (make test-long does)
settings.register_profile("skerry", COMMON, derandomize=True, max_examples=50)
settings.register_profile("explore", COMMON, max_examples=1000)
settings.load_profile("skerry")

TESTS = Path(__file__).parent
LONGEST_FIRST = (
    "e2e/test_story.py", "e2e/test_delivered.py", "e2e/test_examples.py", "e2e/test_docs_start.py",
    "e2e/test_killed.py", "e2e/test_cutoff.py", "e2e", "device", "jobs", "examples", "cluster", "sources",
    "unit/judging/guard/test_simulation.py", str(TESTS.parent / "engines/openvino"),
    "unit/runtime/test_protocol.py", "unit/agent/test_golden.py", "unit/api/test_schema_agreement.py",
    "unit/optimizer", "unit/runtime", "unit/agent", "unit/decide/rollout/test_properties.py", "unit/judging",
)  # fmt: skip
"""In this order files are given to workers: with a long one at the end, the others would wait for it."""
assert all((TESTS / path).exists() for path in LONGEST_FIRST), "a place of what has moved"


UNIT_FOLDERS = (TESTS / "unit", TESTS.parent / "engines")
UNIT_SECONDS = 60
"""For one unit test, on a machine that does much else; one that starts dozens of processes says so."""
NATIVE = (
    *(TESTS / "unit" / name for name in ("optimizer", "runtime")),
    TESTS / "examples",
    TESTS / "jobs",
    UNIT_FOLDERS[1],
)
"""These run native libraries, whose warnings nobody here can cure."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, and give each unit test its limits."""
    items.sort(key=lambda item: _place(item.path))
    for item in items:
        _limit(item)


def _limit(item: pytest.Item) -> None:
    """Let unit tests end soon, and let a library's warning end no test that took minutes to prepare."""
    unit = _below(item.path, UNIT_FOLDERS)
    if not unit or _below(item.path, NATIVE):
        item.add_marker(pytest.mark.filterwarnings("default"))
    given = item.get_closest_marker("timeout") or item.config.getoption("timeout")
    if unit and not given:
        item.add_marker(pytest.mark.timeout(UNIT_SECONDS))


@cache
def _below(file: Path, folders: tuple[Path, ...]) -> bool:
    return any(file.is_relative_to(folder) for folder in folders)


@cache
def _place(file: Path) -> int:
    """Return the first place of LONGEST_FIRST that a file lies at or below; sorting is stable."""
    places = [
        place for place, path in enumerate(LONGEST_FIRST) if file.is_relative_to(TESTS / path)
    ]
    return places[0] if places else len(LONGEST_FIRST)
