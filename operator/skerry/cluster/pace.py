"""How hard the operator leans on the API server: a token bucket before requests, backoff after errors.

Where requests have to wait, a rollback goes before what is new, and that before routine work.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The defaults of client-go's controllers are 20 and 30; a rollback of many models shall not wait for them.
REQUESTS_PER_SECOND = 50.0
BURST = 100.0
BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_GREATEST_SECONDS = 30.0


def backoff_seconds(attempt: int, retry_after: float | None = None) -> float:
    """Return an exponential backoff with full jitter, never shorter than the server asked for.

    Args:
        attempt: failures so far, from 1.
        retry_after: the server's Retry-After, in seconds.
    """
    ceiling = min(BACKOFF_GREATEST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** float(min(attempt, 16)))
    jittered = ceiling * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret
    return max(jittered, retry_after or 0.0)


class Priority(Enum):
    """Who goes first where requests have to wait; the value is a head start in seconds.

    A head start, not a class of its own: whoever has waited long enough goes before the urgent, so
    that nothing waits forever.
    """

    URGENT = 30.0
    """A revision is rolled back."""
    NEWS = 0.0
    """Something has happened: the usual case."""
    ROUTINE = -10.0
    """Everything is looked at again, or a crowd of new nodes is labeled."""


_priority: ContextVar[Priority] = ContextVar("priority", default=Priority.NEWS)


@contextmanager
def priority(level: Priority) -> Iterator[None]:
    """Make all requests of this task, and of tasks that it starts meanwhile, wait at this level."""
    token = _priority.set(level)
    try:
        yield
    finally:
        _priority.reset(token)


@dataclass(order=True)
class _Waiting:
    """A request that waits, by the time at which it came less its head start."""

    rank: float
    number: int
    turn: asyncio.Future[None] = field(compare=False)


@dataclass
class TokenBucket:
    """At most `burst` requests at once and `rate` a second in the long run."""

    rate: float = REQUESTS_PER_SECOND
    burst: float = BURST
    _tokens: float = field(default=BURST, init=False)
    _filled_at: float | None = field(default=None, init=False)
    _waiting: list[_Waiting] = field(default_factory=list, init=False)
    _numbers: Iterator[int] = field(default_factory=count, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    async def take(self) -> None:
        """Wait for a token; waiting requests are served by priority, then in order."""
        loop = asyncio.get_running_loop()
        rank = loop.time() - _priority.get().value
        waiting = _Waiting(rank, next(self._numbers), loop.create_future())
        heapq.heappush(self._waiting, waiting)
        self._serve()
        await waiting.turn

    def _serve(self) -> None:
        """Hand the tokens that there are to the first in line; look again when there is one more."""
        self._fill()
        while self._waiting and self._tokens >= 1:
            turn = heapq.heappop(self._waiting).turn
            if not turn.done():  # else the task that waited was cancelled
                self._tokens -= 1
                turn.set_result(None)
        if self._waiting and self._timer is None:
            after = (1 - self._tokens) / self.rate
            self._timer = asyncio.get_running_loop().call_later(after, self._timed)

    def _timed(self) -> None:
        self._timer = None
        self._serve()

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        since = now - (self._filled_at if self._filled_at is not None else now)
        self._tokens = min(self.burst, self._tokens + since * self.rate)
        self._filled_at = now
