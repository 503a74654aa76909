"""The timeline of a trial: one entry for each turn, and both moments of a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skerry.api.edgenode import CandidateState, Verdict, VerdictOutcome
from skerry.api.modelroute import ModelRouteSpec
from skerry_agent.trial.events import of_turn
from skerry_agent.trial.memory import NodeTrial

A, B = "aaaaaaaaaa", "bbbbbbbbbb"
AT = datetime(2026, 11, 30, tzinfo=UTC)
ROUTE = ModelRouteSpec.model_validate(
    {
        "edgeModelName": "m",
        "hardwareClassName": "c",
        "stable": {"revision": A},
        "candidate": {"revision": B, "traffic": [10, 50], "soakSeconds": 60},
    }
)
S = CandidateState


def trial(state: S, step: int = 0, **more: Any) -> NodeTrial:
    return NodeTrial(revision=B, attempt=0, state=state, step=step, **more)


@pytest.mark.parametrize(
    ("before", "after", "traffic"),
    [
        (None, trial(S.WAITING), 0),
        (trial(S.WAITING), trial(S.SMOKE_CHECK), 0),
        (trial(S.SMOKE_CHECK), trial(S.SHIFTING), 10),
        (trial(S.SHIFTING), trial(S.SHIFTING, 1), 50),
        (trial(S.SHIFTING), trial(S.SOAKING, 1), 50),
        (trial(S.SOAKING, 1), trial(S.PASSED, 1), 50),
        (None, trial(S.FAILED), 0),
    ],
)
def test_a_turn_is_one_entry(before: NodeTrial | None, after: NodeTrial, traffic: int) -> None:
    (event,) = of_turn("n.m", ROUTE, before, after)
    assert (event.name, event.at) == ("state", None)
    assert event.fields == {
        "model": "n.m",
        "revision": B,
        "attempt": 0,
        "state": after.state.value,
        "traffic": traffic,
    }


def test_nothing_new_is_no_entry() -> None:
    assert of_turn("n.m", ROUTE, trial(S.SOAKING), trial(S.SOAKING, losses=1)) == ()
    assert of_turn("n.m", ROUTE, trial(S.SOAKING), None) == ()


@pytest.mark.parametrize(
    ("bad_since", "names"), [(5.0, ["first_bad", "verdict"]), (None, ["verdict"])]
)
def test_a_failure_has_its_moments(bad_since: float | None, names: list[str]) -> None:
    first = None if bad_since is None else AT - timedelta(seconds=bad_since)
    verdict = Verdict(
        outcome=VerdictOutcome.FAIL, rule="Errors", decision_time=AT, first_bad_answer_time=first
    )
    found = of_turn("n.m", ROUTE, trial(S.SOAKING), trial(S.FAILED, verdict=verdict))
    assert [event.name for event in found] == names
    assert found[-1].at == AT.timestamp()
    assert found[-1].fields["rule"] == "Errors"
    assert bad_since is None or found[0].at == AT.timestamp() - bad_since
