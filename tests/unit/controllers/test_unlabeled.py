"""Children that are looked for by name: whatever the status and the routes hold."""

from __future__ import annotations

import pytest

from skerry.controllers.unlabeled import revisions_of, serving_classes

ROLES = {"stable": "r"}


@pytest.mark.parametrize(
    ("status", "classes"),
    [
        (None, []),
        ("x", []),
        ({"targets": "x"}, []),
        ({"targets": ["x", {"rollout": ROLES}, {"rollout": ROLES, "hardwareClassName": 5}]}, []),
        ({"targets": [{"hardwareClassName": "idle"}, {"hardwareClassName": "x", "rollout": ROLES}, "x"]}, ["x"]),
        ({"targets": [{"hardwareClassName": "x", "rollout": "r"}]}, []),
    ],
)  # fmt: skip
def test_classes_are_found_next_to_what_can_t_be_read(status: object, classes: list[str]) -> None:
    assert serving_classes({"metadata": {"name": "m"}, "status": status}) == classes


@pytest.mark.parametrize(
    ("spec", "revisions"),
    [
        (None, []),
        ("x", []),
        ({"stable": "x", "candidate": None}, []),
        ({"stable": {"attempt": 1}, "previous": {"revision": 5}}, []),
        ({"stable": {"revision": "0123456789"}, "candidate": {"attempt": 1}}, ["0123456789"]),
        ({"placements": "x"}, []),
        (
            {
                "stable": {"revision": "a"},
                "placements": ["x", {"revision": "a"}, {"revision": "b"}],
            },
            ["a", "b"],
        ),
    ],
)
def test_revisions_are_found_next_to_what_can_t_be_read(spec: object, revisions: list[str]) -> None:
    assert revisions_of({"spec": spec}) == revisions
