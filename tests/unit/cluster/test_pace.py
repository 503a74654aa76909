"""The token bucket, on the event loop's own clock: who goes first where requests have to wait."""

from __future__ import annotations

import asyncio

from skerry.cluster.pace import Priority, TokenBucket, priority

QUICK = 500.0
"""Tokens a second: a hundred waiting requests take a fifth of a second."""


def drained(rate: float = QUICK) -> TokenBucket:
    """Return a bucket that has no token for a fifth of a second, until all that a test sends waits in line."""
    bucket = TokenBucket(rate=rate)
    bucket._tokens = -rate / 5
    return bucket


async def request(bucket: TokenBucket, level: Priority, name: str, served: list[str]) -> None:
    """Wait for a token at a level, and note it."""
    with priority(level):
        await bucket.take()
    served.append(name)


async def test_requests_of_a_level_are_served_in_order() -> None:
    bucket, served = drained(), list[str]()
    await asyncio.gather(*(request(bucket, Priority.NEWS, f"{n}", served) for n in range(20)))
    assert served == [f"{n}" for n in range(20)]


async def test_a_rollback_goes_before_a_hundred_models_that_are_looked_at() -> None:
    """Eight requests for each of a hundred models wait; the route that rolls back is the next."""
    bucket, served = drained(), list[str]()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(800):
            tasks.create_task(request(bucket, Priority.ROUTINE, "routine", served))
        await asyncio.sleep(0.01)
        before = len(served)
        tasks.create_task(request(bucket, Priority.NEWS, "news", served))
        await request(bucket, Priority.URGENT, "rollback", served)
        assert len(served) - before <= 2
        for task in tuple(tasks._tasks):
            task.cancel()
    assert "rollback" in served


async def test_levels_are_served_in_their_order_and_passed_on_to_tasks() -> None:
    bucket, served = drained(), list[str]()
    levels = (Priority.ROUTINE, Priority.NEWS, Priority.URGENT)
    await asyncio.gather(*(request(bucket, level, level.name, served) for level in levels))
    assert served == ["URGENT", "NEWS", "ROUTINE"]

    async def child() -> None:
        await bucket.take()
        served.append("child")

    bucket, served = drained(), []
    with priority(Priority.URGENT):
        urgent = asyncio.create_task(child())
    await asyncio.gather(urgent, *(request(bucket, Priority.NEWS, "news", served) for _ in "ab"))
    assert served == ["child", "news", "news"]


async def test_a_request_that_is_given_up_costs_no_token() -> None:
    bucket = drained(rate=50)
    gone = asyncio.create_task(bucket.take())
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(10):
        await bucket.take()


async def test_a_full_bucket_lets_a_burst_through_at_once() -> None:
    bucket = TokenBucket(rate=0.001)
    async with asyncio.timeout(10):
        for _ in range(100):
            await bucket.take()
