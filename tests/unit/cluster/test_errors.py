"""The messages about answers of the API server."""

from __future__ import annotations

import pytest

from skerry.cluster.errors import from_status

GOING = "unable to create new content in namespace x because it is being terminated"


@pytest.mark.parametrize(
    ("status", "message", "advice"),
    [
        (403, 'cannot list resource "pods"', "check the operator's ClusterRole"),
        (403, GOING, "no action needed"),
        (500, "etcd is gone", "the operator retries automatically"),
    ],
)
def test_the_advice_fits_the_answer(status: int, message: str, advice: str) -> None:
    error = from_status(status, message, "Job x/build")
    assert advice in error.todo
    assert str(error).startswith(f"Job x/build: {message}; ")
