"""The work queue, on the event loop's own clock."""

from __future__ import annotations

import asyncio

import pytest

from skerry.cluster.pace import Priority
from skerry.controllers.queue import OVERTAKEN_AT_ONCE, WorkQueue

A, B = ("ns", "a"), ("ns", "b")
PATIENCE = 10.0


async def test_many_events_make_one_pass() -> None:
    queue = WorkQueue()
    for _ in range(5):
        queue.add(A, 0.01)
    assert (await queue.take()).key == A
    queue.done(A)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.05)


async def test_a_key_is_worked_on_by_one_at_a_time_and_news_meanwhile_are_kept() -> None:
    queue = WorkQueue()
    queue.add(A, 0)
    assert (await queue.take()).key == A
    queue.add(A, 0)
    queue.add(B, 0)
    assert (await queue.take()).key == B
    other = asyncio.create_task(queue.take())
    done, _ = await asyncio.wait([other], timeout=0.05)
    assert not done
    queue.done(A)
    assert (await asyncio.wait_for(other, PATIENCE)).key == A


async def test_sooner_wins_and_the_earliest_goes_first() -> None:
    queue = WorkQueue()
    queue.add(A, 60)
    queue.add(B, 0.02)
    queue.add(A, 0.01)
    assert (await asyncio.wait_for(queue.take(), PATIENCE)).key == A
    assert (await asyncio.wait_for(queue.take(), PATIENCE)).key == B


async def test_failures_come_back_later_and_later_until_one_is_well() -> None:
    queue = WorkQueue()
    delays = [queue.failed(A) for _ in range(6)]
    assert delays[5] > delays[0]
    queue.done(A)
    assert queue.failed(A) < delays[5]


async def test_what_is_forgotten_does_not_come() -> None:
    queue = WorkQueue()
    queue.add(A, 0)
    queue.forget(A)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.05)


async def test_what_was_overtaken_comes_again_at_once_and_later_when_that_repeats() -> None:
    queue = WorkQueue()
    for _ in range(OVERTAKEN_AT_ONCE):
        queue.overtaken(A)
        assert (await asyncio.wait_for(queue.take(), PATIENCE)).key == A
    queue.overtaken(A)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.05)


async def test_a_key_that_is_forgotten_while_it_is_worked_on_is_not_worked_on_twice() -> None:
    """Deleted and made again within a pass: the new one waits until the old one's pass is over."""
    queue = WorkQueue()
    queue.add(A, 0)
    await queue.take()
    queue.forget(A)
    queue.add(A, 0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.05)
    queue.done(A)
    assert (await asyncio.wait_for(queue.take(), PATIENCE)).key == A


async def test_news_go_before_a_hundred_that_are_routine() -> None:
    queue = WorkQueue()
    for number in range(100):
        queue.add(("ns", f"routine-{number}"), 0, Priority.ROUTINE)
    await asyncio.sleep(0)
    queue.add(A, 0)
    assert await queue.take() == (A, Priority.NEWS)
    assert (await queue.take()).level is Priority.ROUTINE


async def test_a_verdict_goes_before_a_hundred_that_are_new() -> None:
    queue = WorkQueue()
    for number in range(100):
        queue.add(("ns", f"new-{number}"), 0)
    await asyncio.sleep(0)
    queue.add(A, 0, Priority.URGENT)
    assert await queue.take() == (A, Priority.URGENT)


async def test_routine_is_news_once_something_has_happened() -> None:
    queue = WorkQueue()
    queue.add(A, 0, Priority.ROUTINE)
    queue.add(A, 0)
    queue.add(B, 0, Priority.ROUTINE)
    assert await queue.take() == (A, Priority.NEWS)
    assert await queue.take() == (B, Priority.ROUTINE)


async def test_routine_does_not_put_news_off() -> None:
    queue = WorkQueue()
    queue.add(A, 0)
    queue.add(A, 0, Priority.ROUTINE)
    assert await queue.take() == (A, Priority.NEWS)


async def test_the_urgent_worker_leaves_the_rest_alone() -> None:
    queue = WorkQueue()
    queue.add(A, 0)
    urgent = asyncio.create_task(queue.take(urgent_only=True))
    done, _ = await asyncio.wait([urgent], timeout=0.05)
    assert not done
    queue.add(B, 0, Priority.URGENT)
    assert await asyncio.wait_for(urgent, PATIENCE) == (B, Priority.URGENT)
    assert (await asyncio.wait_for(queue.take(), PATIENCE)).key == A


async def test_routine_that_has_waited_long_goes_before_news() -> None:
    """However many news there are."""
    queue = WorkQueue()
    queue.add(A, Priority.ROUTINE.value - 1, Priority.ROUTINE)
    queue.add(B, 0)
    assert (await queue.take()).key == A


async def test_a_verdict_that_was_overtaken_stays_urgent_until_it_is_through() -> None:
    """A rollback whose write met a conflict does not wait behind a hundred others either."""
    queue = WorkQueue()
    queue.add(A, 0, Priority.URGENT)
    for again in (queue.overtaken, lambda key: queue.done(key, 0.0)):
        assert await asyncio.wait_for(queue.take(urgent_only=True), PATIENCE) == (
            A,
            Priority.URGENT,
        )
        again(A)
    assert await asyncio.wait_for(queue.take(urgent_only=True), PATIENCE) == (A, Priority.URGENT)
    queue.done(A, 0.05)
    assert await asyncio.wait_for(queue.take(), PATIENCE) == (A, Priority.NEWS)
    queue.done(A, 0.0)
    assert await asyncio.wait_for(queue.take(), PATIENCE) == (A, Priority.NEWS)
