"""How hard the operator leans on the API server: a token bucket before requests, backoff after errors."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

# The defaults of client-go's controllers are 20 and 30; a rollback of many models shall not wait for them.
REQUESTS_PER_SECOND = 50.0
BURST = 100.0
BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_GREATEST_SECONDS = 30.0


def backoff_seconds(attempt: int, retry_after: float | None = None) -> float:
    """Exponential backoff with full jitter, never shorter than what the server asked for.

    Args:
        attempt: failures so far, from 1.
        retry_after: the server's Retry-After, in seconds.
    """
    ceiling = min(BACKOFF_GREATEST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** float(min(attempt, 16)))
    jittered = ceiling * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret
    return max(jittered, retry_after or 0.0)


@dataclass
class TokenBucket:
    """At most `burst` requests at once and `rate` a second in the long run."""

    rate: float = REQUESTS_PER_SECOND
    burst: float = BURST
    _tokens: float = field(default=BURST, init=False)
    _filled_at: float | None = field(default=None, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def take(self) -> None:
        """Wait for a token; waiting requests are served in order."""
        async with self._lock:
            self._fill()
            if self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) / self.rate)
                self._fill()
            self._tokens -= 1

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        since = now - (self._filled_at if self._filled_at is not None else now)
        self._tokens = min(self.burst, self._tokens + since * self.rate)
        self._filled_at = now
