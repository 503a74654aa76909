"""What EdgeNode.status holds: the most urgent models, and no more than the API server takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from skerry.api.edgenode import (
    CandidateState,
    EdgeNodeStatus,
    NodeCandidate,
    NodeModel,
    Verdict,
    VerdictOutcome,
    Veto,
)
from skerry_agent.trial.node_status import MOST_BYTES, MOST_MODELS, most_urgent

B = "bbbbbbbbbb"
AT = datetime(2026, 11, 30, tzinfo=UTC)


def model(number: int, state: CandidateState | None = None, **more: Any) -> NodeModel:
    candidate = None
    if state is not None:
        verdict = Verdict(
            outcome=VerdictOutcome.FAIL, decision_time=AT, message=more.pop("said", "")
        )
        candidate = NodeCandidate(revision=B, attempt=0, state=state, verdict=verdict)
    return NodeModel(
        namespace="assist", name=f"m{number:04d}", healthy=True, candidate=candidate, **more
    )


def test_the_most_urgent_models_are_reported_first() -> None:
    steady = [model(n) for n in range(400)]
    urgent = [
        model(900, CandidateState.FAILED),
        model(901, CandidateState.SOAKING),
        model(902, CandidateState.WAITING),
        model(903, message="NoFallback"),
    ]
    reported = most_urgent([*steady, *urgent])
    assert len(reported) == MOST_MODELS
    assert {one.name for one in urgent} <= {one.name for one in reported}
    assert [one.name for one in reported] == sorted(one.name for one in reported)


def test_a_report_never_grows_beyond_what_the_api_server_takes() -> None:
    vetoes = tuple(Veto(revision=B, attempt=n, rule="x" * 64, failure_time=AT) for n in range(8))
    large = [
        model(
            n, CandidateState.FAILED, said="\u20ac" * 1024, message="\u20ac" * 1024, vetoes=vetoes
        )
        for n in range(MOST_MODELS)
    ]
    status = EdgeNodeStatus(models=most_urgent(large), models_not_reported=1)
    assert 50 < len(status.models) < MOST_MODELS
    text = json.dumps(status.to_wire(), ensure_ascii=False, separators=(",", ":"))
    assert 0.9 * MOST_BYTES < len(text.encode()) < 1.1 * MOST_BYTES
