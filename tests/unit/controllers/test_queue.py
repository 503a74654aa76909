"""The work queue, on the event loop's own clock."""

from __future__ import annotations

import asyncio

import pytest

from skerry.controllers.queue import OVERTAKEN_AT_ONCE, WorkQueue

A, B = ("ns", "a"), ("ns", "b")


async def test_many_events_make_one_pass() -> None:
    queue = WorkQueue()
    for _ in range(5):
        queue.add(A, 0.01)
    assert await queue.take() == A
    queue.done(A)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.05)


async def test_a_key_is_worked_on_by_one_at_a_time_and_news_meanwhile_are_kept() -> None:
    queue = WorkQueue()
    queue.add(A, 0)
    assert await queue.take() == A
    queue.add(A, 0)
    queue.add(B, 0)
    assert await queue.take() == B
    other = asyncio.create_task(queue.take())
    done, _ = await asyncio.wait([other], timeout=0.05)
    assert not done
    queue.done(A)
    assert await asyncio.wait_for(other, 1) == A


async def test_sooner_wins_and_the_earliest_goes_first() -> None:
    queue = WorkQueue()
    queue.add(A, 60)
    queue.add(B, 0.02)
    queue.add(A, 0.01)
    assert await asyncio.wait_for(queue.take(), 1) == A
    assert await asyncio.wait_for(queue.take(), 1) == B


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


async def test_one_that_is_forgotten_while_it_is_worked_on_is_not_given_to_a_second_worker() -> (
    None
):
    """Deleted and created again during a pass: the new one waits until the old one's pass has ended."""
    queue = WorkQueue()
    queue.add(A, 0)
    assert await queue.take() == A
    queue.forget(A)
    queue.add(A, 0)
    other = asyncio.create_task(queue.take())
    done, _ = await asyncio.wait([other], timeout=0.05)
    assert not done
    queue.done(A)
    assert await asyncio.wait_for(other, 1) == A


async def test_what_was_overtaken_comes_again_at_once_and_later_when_that_repeats() -> None:
    queue = WorkQueue()
    for _ in range(OVERTAKEN_AT_ONCE):
        queue.overtaken(A)
        assert await asyncio.wait_for(queue.take(), 0.2) == A
    queue.overtaken(A)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.05)
