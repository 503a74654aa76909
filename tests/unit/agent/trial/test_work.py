"""When golden samples are replayed: they cost a hundredth of a core, and wait a second at least.

Those of a first revision may cost a tenth, until it has the answers that its rules need.
"""

from __future__ import annotations

import pytest

from skerry.judging.guard import Evidence
from skerry_agent.trial.work import (
    BUDGET,
    COSTS,
    FIRST_BUDGET,
    SAMPLES_AT_ONCE,
    Replays,
    ReplaySchedule,
)


def work(schedule: ReplaySchedule, *, first: bool = False) -> Replays:
    return Replays(Evidence(), {}, schedule.sample, first)


@pytest.mark.parametrize(
    ("costs", "pause"),
    [
        ([0.001], 1.0),
        ([0.05], 5.0),
        ([0.05, 0.02], 2.0),
        ([0.02, 0.5], 2.0),  # the CPU time of the second was that of the first: it had to wait
        ([0.02] + [0.5] * COSTS, 50.0),
    ],
)
def test_pause_after_replays(costs: list[float], pause: float) -> None:
    schedule = ReplaySchedule(100.0)
    assert schedule.is_due(100.0)
    for cost in costs:
        schedule.record(cost, 100.0, work(schedule))
    assert not schedule.is_due(100.0 + pause - 0.01)
    assert schedule.is_due(100.0 + pause)
    assert schedule.sample == len(costs)


def test_the_budget_holds() -> None:
    schedule, now, spent = ReplaySchedule(0.0), 0.0, 0.0
    while now < 3600:
        if schedule.is_due(now):
            spent += 0.1
            schedule.record(0.1, now + 0.1, work(schedule))
        now += 1.0
    assert 0.5 * BUDGET < spent / now <= BUDGET


@pytest.mark.parametrize(("cost", "pause"), [(0.004, 1.0), (0.5, 20.0)])
def test_a_first_revision_is_replayed_some_samples_at_a_time(cost: float, pause: float) -> None:
    schedule = ReplaySchedule(0.0)
    begun = work(schedule, first=True)
    assert list(begun.samples) == list(range(SAMPLES_AT_ONCE))
    schedule.record(SAMPLES_AT_ONCE * cost, 100.0, begun)
    assert schedule.sample == SAMPLES_AT_ONCE
    assert not schedule.is_due(100.0 + pause - 0.01)
    assert schedule.is_due(100.0 + pause)
    assert pause >= SAMPLES_AT_ONCE * cost / FIRST_BUDGET
    # The share of a core that follows is that of one sample again.
    schedule.record(cost, 200.0, work(schedule))
    assert schedule.is_due(200.0 + max(1.0, cost / BUDGET))
    assert not schedule.is_due(200.0 + max(1.0, cost / BUDGET) - 0.01)


def test_what_ended_unexpectedly_is_tried_again_soon() -> None:
    schedule = ReplaySchedule(0.0)
    schedule.retry(10.0)
    assert not schedule.is_due(11.9)
    assert schedule.is_due(12.0)
