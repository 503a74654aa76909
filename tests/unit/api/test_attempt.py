"""What an attempt matches, and what it is ruled out by."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from skerry.api.attempt import Attempt
from skerry.api.edgenode import Veto
from skerry.api.modelroute import RouteCandidate

A, B = "aaaaaaaaaa", "bbbbbbbbbb"


def veto(revision: str, attempt: int) -> Veto:
    return Veto(revision=revision, attempt=attempt, failure_time=datetime(2026, 11, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("failed", "matches", "ruled_out"),
    [
        (veto(A, 1), False, False),
        (veto(A, 2), True, True),
        (veto(A, 3), False, True),
        (veto(B, 2), False, False),
    ],
)
def test_a_failure_counts_for_its_attempt_and_those_before(
    failed: Veto,
    matches: bool,  # noqa: FBT001
    ruled_out: bool,  # noqa: FBT001
) -> None:
    attempt = Attempt(A, 2)
    assert attempt.matches(failed) is matches
    assert attempt.is_ruled_out_by(failed) is ruled_out


def test_a_role_and_a_veto_of_the_same_attempt_are_of_one() -> None:
    assert Attempt.of(RouteCandidate(revision=A, attempt=2)) == Attempt.of(veto(A, 2))
    assert Attempt.of(RouteCandidate(revision=A)) == Attempt(A)
