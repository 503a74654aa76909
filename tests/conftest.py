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
UNIT_FOLDERS = (TESTS / "unit", TESTS.parent / "engines")
UNIT_SECONDS = 30
"""For one unit test, on a machine that does much else; one that starts dozens of processes says so."""
NATIVE = tuple(TESTS / "unit" / name for name in ("examples", "guard", "optimizer", "runtime"))
"""Beside the engines' own tests: these run native libraries, whose warnings nobody here can cure."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let unit tests end soon, and let a library's warning end no test that took minutes to prepare."""
    for item in items:
        unit = any(item.path.is_relative_to(folder) for folder in UNIT_FOLDERS)
        native = any(item.path.is_relative_to(folder) for folder in (*NATIVE, UNIT_FOLDERS[1]))
        if native or not unit:
            item.add_marker(pytest.mark.filterwarnings("default"))
        if unit and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(UNIT_SECONDS))
