"""Which writes are left out."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.cluster.compare import contains, is_applied
from skerry.cluster.pace import BACKOFF_GREATEST_SECONDS, backoff_seconds


@pytest.mark.parametrize(
    ("present", "wanted", "same"),
    [
        ({"a": 1, "default": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"l": [{"x": 1, "default": 0}]}, {"l": [{"x": 1}]}, True),
        ({"l": [1, 2]}, {"l": [1]}, False),
        ({"cpu": "1"}, {"cpu": "1000m"}, True),
        ({"memory": "1Gi"}, {"memory": "1024Mi"}, True),
        ({"cpu": "1"}, {"cpu": "2"}, False),
        ({"on": True}, {"on": 1.5}, False),
    ],
)
def test_all_that_is_wanted_stands_there(present: Any, wanted: Any, same: bool) -> None:  # noqa: FBT001
    assert contains(present, wanted) is same


def test_own_kinds_are_compared_whole_so_that_what_is_gone_goes() -> None:
    rendered = {"apiVersion": "skerry.dev/v1alpha1", "metadata": {"name": "r"}, "spec": {"a": 1}}
    present = {"metadata": {"name": "r", "uid": "1"}, "spec": {"a": 1, "candidate": {}}}
    assert not is_applied(rendered, present)
    assert is_applied(rendered, {**present, "spec": {"a": 1}})
    assert not is_applied(rendered, None)


def test_a_label_that_is_missing_is_a_difference() -> None:
    rendered = {"apiVersion": "v1", "metadata": {"labels": {"x": "1"}}, "spec": {}}
    assert not is_applied(rendered, {"metadata": {"labels": {}}, "spec": {}})


@pytest.mark.parametrize("attempt", [1, 2, 8, 50, 5000])
def test_backoff_grows_to_a_bound_and_obeys_retry_after(attempt: int) -> None:
    assert 0 < backoff_seconds(attempt) <= BACKOFF_GREATEST_SECONDS
    assert backoff_seconds(attempt, 45.0) == 45.0
