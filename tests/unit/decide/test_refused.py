"""What the status says of writes that were refused: nothing of them is reported as done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skerry.api.common import ConditionStatus
from skerry.api.edgemodel import Phase
from skerry.api.reasons import Cause, WriteRefusal
from skerry.decide.conditions import condition_of
from skerry.decide.refused import Concern, Refused
from tests.unit.decide.plan_world import World, assessed, built, world

QUOTA = Refused(
    "Job",
    "intent-1",
    Concern.BUILD,
    "",
    Cause(WriteRefusal.QUOTA_EXCEEDED, "cannot write Job intent-1: no", stalls=True),
)
GOING = replace(QUOTA, cause=Cause(WriteRefusal.NAMESPACE_TERMINATING, "cannot write Job: goes"))
ROUTE = Refused(
    "ModelRoute",
    "intent.x86",
    Concern.ROUTE,
    "x86",
    Cause(WriteRefusal.ADMISSION_DENIED, "cannot write ModelRoute", stalls=True),
)
SERVICE = Refused(
    "Service",
    "intent",
    Concern.NOTHING,
    "",
    Cause(WriteRefusal.ADMISSION_DENIED, "cannot write Service", stalls=True),
)


def reason(made: World, kind: str) -> str | None:
    """Return the reason of a condition, if it exists."""
    found = condition_of(made.decide().status.conditions, kind)
    return found.reason if found else None


def test_a_job_that_was_refused_reads_nothing() -> None:
    status = world("x86", "arm").with_(refused=(QUOTA,)).decide().status
    assert {target.reason for target in status.targets} == {"QuotaExceeded"}
    assert {target.phase for target in status.targets} == {Phase.OPTIMIZING}
    for kind in ("Ready", "Optimized", "Certified", "RolledOut"):
        found = condition_of(status.conditions, kind)
        assert found is not None
        assert (found.status, found.reason) == (ConditionStatus.FALSE, "QuotaExceeded")
        assert "reads the source" not in found.message
    accepted = condition_of(status.conditions, "Accepted")
    assert accepted is not None
    assert accepted.status is ConditionStatus.TRUE


def test_it_is_still_asked_for() -> None:
    assert world().with_(refused=(QUOTA,)).decide().jobs == world().decide().jobs


def test_the_job_of_one_class_says_nothing_of_another() -> None:
    one = replace(QUOTA, hardware_class="arm")
    targets = assessed("x86", "arm").with_(refused=(one,)).decide().status.targets
    assert [target.reason == "QuotaExceeded" for target in targets] == [False, True]


@pytest.mark.parametrize(
    ("refused", "kind"),
    [((QUOTA,), "Stalled"), ((GOING,), "Reconciling"), ((GOING, QUOTA), "Stalled")],
)
def test_stalled_is_for_what_a_person_has_to_act_on(
    refused: tuple[Refused, ...], kind: str
) -> None:
    made = world().with_(refused=refused)
    assert reason(made, kind) is not None
    other = {"Stalled": "Reconciling", "Reconciling": "Stalled"}[kind]
    assert reason(made, other) is None


def test_many_are_counted_and_the_first_are_named() -> None:
    many = tuple(
        replace(SERVICE, name=f"s{n}", cause=Cause(WriteRefusal.ADMISSION_DENIED, f"s{n}"))
        for n in range(5)
    )
    found = condition_of(world().with_(refused=many).decide().status.conditions, "Reconciling")
    assert found is not None
    assert found.message == "s0; s1; s2; and 2 more"


def test_what_serves_is_ready_though_a_write_next_to_it_is_refused() -> None:
    """Stalled names it; Ready and Available tell of what answers."""
    made = built().settle()
    before = {c.type: c.status for c in made.decide().status.conditions}
    status = made.with_(refused=(SERVICE,)).decide().status
    after = {c.type: c.status for c in status.conditions}
    assert after.pop("Stalled") is ConditionStatus.TRUE
    before.pop("Reconciling", None)
    assert after == before


def test_a_conflict_is_not_reported() -> None:
    quiet = replace(SERVICE, cause=None)
    assert world().with_(refused=(quiet,)).decide().status == world().decide().status


def test_a_class_whose_route_was_refused_is_described_by_the_route_that_stands() -> None:
    """No candidate is claimed, no DaemonSet made, and nothing goes into the history."""
    made = built("x86").step()
    fresh = made.with_(routes={}, daemonsets={}).with_(refused=(ROUTE,))
    decision = fresh.decide()
    assert decision.routes["x86"].candidate is not None
    assert not decision.daemonsets
    (target,) = decision.status.targets
    assert target.rollout.candidate is None
    assert target.reason == "AdmissionDenied"
    assert decision.status.history == fresh.snapshot.model.status.history


def test_the_ready_event_is_left_to_the_refusal() -> None:
    assert not world().with_(refused=(QUOTA,)).decide().events
    assert world().decide().events
