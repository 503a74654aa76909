"""What retry and promote make of the status: typed fields, never a reason or phase that they read back."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.api import EdgeModel, ModelRoute
from skerry.api.actions import ANNOTATION_RETRY
from skerry.cli.actions import promote, retry
from skerry.cli.errors import CliError
from skerry.cli.reading import Picture
from tests.cluster.manifests import MINIMAL, changed
from tests.unit.cli.measured import NOW

DESIRED, STABLE = "0123456789", "abcdefabcd"
WAITS = ": it will be promoted after its last wave"
TIME = "2026-11-23T14:40:00Z"


def seen(**target: Any) -> Picture:
    """Return a model of one class whose target says this, with a candidate on recipe result in its route."""
    said = {"hardwareClassName": "x86-b", "reason": "AnyWord", **target}
    model = changed(
        MINIMAL,
        {
            "metadata.name": "minilm", "metadata.namespace": "demo",
            "spec.targets": [{"hardwareClassName": "x86-b"}],
            "spec.rollout": {"promotion": "Manual"},
            "status": {"targets": [said]},
        },
    )  # fmt: skip
    spec = {
        "edgeModelName": "minilm", "hardwareClassName": "x86-b", "candidate": {"revision": DESIRED},
    }  # fmt: skip
    route = ModelRoute.model_validate({"metadata": {"name": "minilm.x86-b"}, "spec": spec})
    return Picture(EdgeModel.model_validate(model), (route,))


def wave(index: int, passed: int, denominator: int = 2) -> dict[str, Any]:
    """Return the status of a wave; the second is the last."""
    said = {"index": index, "of": 2, "openTime": TIME, "nodes": 2}
    return {"wave": {**said, "denominator": denominator, "passed": passed}}


@pytest.mark.parametrize(
    "rollout", [{}, {"stable": STABLE}, {"desired": DESIRED, "stable": DESIRED}]
)
def test_what_stays_until_a_person_acts_is_tried_again(rollout: dict[str, Any]) -> None:
    order = retry(seen(stalled=True, rollout=rollout), NOW)
    assert order.key == ANNOTATION_RETRY
    assert order.consequences == ("x86-b: retrying after AnyWord",)


@pytest.mark.parametrize(
    "target",
    [
        {"phase": "Failed"},
        {"stalled": True, "rollout": {"candidate": DESIRED}},
        {
            "stalled": True,
            "rollout": {"stable": DESIRED, "catchingUp": {"nodes": 1, "lastProgressTime": TIME}},
        },
    ],
)
def test_what_is_under_way_is_not_tried_again(target: dict[str, Any]) -> None:
    with pytest.raises(CliError, match="nothing failed"):
        retry(seen(**target), NOW)


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        (wave(1, passed=2), ""),
        (wave(1, passed=1), WAITS),
        (wave(1, passed=0, denominator=0), WAITS),
        (wave(0, passed=2), WAITS),
        ({}, WAITS),
    ],
)
def test_an_approval_says_whether_a_wave_is_still_to_come(
    rollout: dict[str, Any], said: str
) -> None:
    (line,) = promote(seen(rollout=rollout), (), NOW).consequences
    assert line == f"x86-b: {DESIRED} is approved{said}"
