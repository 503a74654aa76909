"""What all tests share."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.lab.fixtures"]

# Two cores are shared with control planes: how long an example takes says nothing about the code.
COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples for everybody: what a run finds is about the change. To look further than they do:
# pytest --hypothesis-profile=explore
settings.register_profile("skerry", COMMON, derandomize=True)
settings.register_profile("explore", COMMON)
settings.load_profile("skerry")

TESTS = Path(__file__).parent
LONGEST_FIRST = (
    "e2e/test_story.py", "e2e/test_delivered.py", "e2e/test_examples.py", "e2e/test_docs_start.py",
    "e2e/test_killed.py", "e2e/test_cutoff.py", "e2e", "device", "cluster", "sources",
)  # fmt: skip
"""In this order files are given to workers: with a long one at the end, the others would wait for it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    items.sort(key=lambda item: _place(item.path))


def _place(file: Path) -> int:
    """Return the first place of LONGEST_FIRST that a file lies at or below; sorting is stable."""
    places = [
        place for place, path in enumerate(LONGEST_FIRST) if file.is_relative_to(TESTS / path)
    ]
    return places[0] if places else len(LONGEST_FIRST)
