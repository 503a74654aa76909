"""When golden samples are replayed: they cost a hundredth of a core, and wait a second at least."""

from __future__ import annotations

import pytest

from skerry_agent.trial.work import BUDGET, COSTS, ReplaySchedule


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
        schedule.record(cost, 100.0)
    assert not schedule.is_due(100.0 + pause - 0.01)
    assert schedule.is_due(100.0 + pause)
    assert schedule.sample == len(costs)


def test_the_budget_holds() -> None:
    schedule, now, spent = ReplaySchedule(0.0), 0.0, 0.0
    while now < 3600:
        if schedule.is_due(now):
            spent += 0.1
            schedule.record(0.1, now + 0.1)
        now += 1.0
    assert 0.5 * BUDGET < spent / now <= BUDGET


def test_what_ended_unexpectedly_is_tried_again_soon() -> None:
    schedule = ReplaySchedule(0.0)
    schedule.retry(10.0)
    assert not schedule.is_due(11.9)
    assert schedule.is_due(12.0)
