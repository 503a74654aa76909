"""Refused writes are tried again by object, later and later, on the event loop's own clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.reasons import WriteRefusal
from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError, from_status
from skerry.controllers.fleet_writes import FleetWrite, attempt
from skerry.controllers.operator import Operator
from skerry.controllers.reconcile import result_of
from skerry.controllers.refusals import (
    FLEET,
    GREATEST_SECONDS,
    Refusals,
    namespace_owner,
    refused_by,
)
from tests.unit.decide.plan_world import CONFIG

if TYPE_CHECKING:
    from skerry.decide.refused import Refused

A, B = ("ns", "a"), ("ns", "b")
JOB, ROUTE = ("write", "Job", "a-1"), ("write", "ModelRoute", "a.x86")
BODY = {"spec": {"limits": "5m"}}
DENIED = from_status(403, 'admission webhook "w" denied the request: no', "PATCH /jobs/a-1")
CHANGED = from_status(409, "the object has been modified", "PATCH /jobs/a-1")


def refused(error: ClusterError = DENIED) -> Refused:
    """Return a refusal of a Job."""
    return refused_by(error, "Job", "a-1")


def test_a_refusal_names_the_object_the_words_and_what_to_do() -> None:
    said = refused().cause
    assert said is not None
    assert said.reason is WriteRefusal.ADMISSION_DENIED
    assert said.message.startswith(
        'cannot write Job a-1: admission webhook "w" denied the request: no; change admission webhook w'
    )
    assert said.stalls


def test_words_without_end_leave_room_for_the_advice() -> None:
    long = from_status(403, 'admission webhook "w" denied the request: ' + "x" * 5000, "")
    said = refused(long).cause
    assert said is not None
    assert len(said.message) < 1024
    assert said.message.endswith("the operator retries automatically")


def test_a_conflict_is_nothing_to_report() -> None:
    assert refused(CHANGED).cause is None


def test_a_pass_in_which_a_write_met_a_conflict_counts_as_overtaken() -> None:
    assert result_of([refused(), refused(CHANGED)]) == "overtaken"
    assert [result_of([]), result_of([refused()])] == ["done", "done"]


async def test_the_same_body_waits_and_another_is_tried_at_once() -> None:
    found = Refusals()
    found.note(A, JOB, BODY, refused())
    assert found.waiting(A, JOB, BODY) == refused()
    assert found.waiting(A, JOB, {"spec": {"limits": "500m"}}) is None
    assert found.waiting(A, ROUTE, BODY) is None
    assert found.waiting(B, JOB, BODY) is None


async def test_pauses_grow_by_object_up_to_a_minute() -> None:
    found, pauses = Refusals(), []
    for _ in range(12):
        found.note(A, JOB, BODY, refused())
        pauses.append(found.next_try(A) or 0)
    assert 0 < pauses[0] <= 1
    assert pauses[5] > pauses[0]
    assert GREATEST_SECONDS / 3 < pauses[-1] <= GREATEST_SECONDS
    found.note(B, JOB, BODY, refused())
    assert (found.next_try(B) or 0) <= 1


async def test_after_the_pause_it_is_tried_again() -> None:
    found = Refusals()
    found.note(A, JOB, BODY, refused())
    pause = found.next_try(A)
    assert pause is not None
    await asyncio.sleep(pause + 0.01)
    assert found.waiting(A, JOB, BODY) is None
    found.clear(A, JOB)
    assert found.next_try(A) is None
    assert found.of(A) == ()


async def test_a_conflict_is_tried_at_once_and_later_when_two_writers_fight() -> None:
    found, pauses = Refusals(), []
    for _ in range(12):
        found.note(A, JOB, BODY, refused(CHANGED))
        assert found.waiting(A, JOB, BODY) is None
        pauses.append(found.next_try(A))
    assert pauses[0] == 0
    assert pauses[-1]


async def test_a_write_that_is_no_longer_needed_is_forgotten() -> None:
    found = Refusals()
    found.note(A, JOB, BODY, refused())
    found.note(A, ROUTE, BODY, refused())
    found.keep(A, [ROUTE])
    assert len(found.of(A)) == 1
    found.keep(A, [])
    assert found.next_try(A) is None


@pytest.mark.parametrize("owner", [FLEET, namespace_owner("aaa")])
async def test_the_fleet_loop_is_woken_by_its_own_alone(owner: tuple[str, str]) -> None:
    found = Refusals()
    found.note(A, JOB, BODY, refused())
    assert found.next_fleet_try() is None
    found.note(owner, JOB, BODY, refused())
    assert found.next_fleet_try() is not None
    assert found.namespaces() == {owner[0]} - {""}


@pytest.mark.parametrize(("conflicts", "made"), [(0, True), (1, True), (2, False)])
async def test_a_conflict_costs_the_fleet_loop_one_more_write_and_no_pass(
    conflicts: int, *, made: bool
) -> None:
    unused: Any = None
    operator = Operator(CONFIG, unused, unused, unused, unused)
    answers = iter([CHANGED] * conflicts)

    async def send() -> None:
        if (error := next(answers, None)) is not None:
            raise error

    write = FleetWrite(FLEET, "label", kinds.NODE, "n1", {}, send)
    assert await attempt(operator, write) is made
    assert (operator.refusals.next_fleet_try() is None) is made
