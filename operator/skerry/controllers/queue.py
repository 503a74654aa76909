"""A queue of EdgeModels to look at.

Each is in it once, waits a moment for more news, and is worked on by one worker at a time; what fails
comes back later and later.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from skerry.cluster.pace import backoff_seconds
from skerry.controllers.cache import Key  # noqa: TC001 - dataclass field

DEBOUNCE_SECONDS = 0.02
"""A verdict shall reach the route in well under a second; a burst of events still makes one pass."""

OVERTAKEN_AT_ONCE = 5


@dataclass
class WorkQueue:
    """Keys with the time at which they are due, in seconds of the event loop's clock."""

    _due: dict[Key, float] = field(default_factory=dict)
    _working: set[Key] = field(default_factory=set)
    _failures: dict[Key, int] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, key: Key, after: float = DEBOUNCE_SECONDS) -> None:
        """Look at the key in `after` seconds, or sooner when that was planned already."""
        due = asyncio.get_running_loop().time() + after
        self._due[key] = min(due, self._due.get(key, due))
        self._changed.set()

    async def take(self) -> Key:
        """The next key that is due; `done` or `failed` must follow."""
        while True:
            self._changed.clear()
            now = asyncio.get_running_loop().time()
            ready = {key: due for key, due in self._due.items() if key not in self._working}
            key = min(ready, key=ready.__getitem__, default=None)
            if key is not None and ready[key] <= now:
                del self._due[key]
                self._working.add(key)
                return key
            await self._wait(None if key is None else ready[key] - now)

    def done(self, key: Key, again_after: float | None = None) -> None:
        """The pass went well; look again after that many seconds, if any."""
        self._failures.pop(key, None)
        self._release(key, again_after)

    def failed(self, key: Key) -> float:
        """The pass failed; the seconds until it is tried again are returned."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = backoff_seconds(self._failures[key])
        self._release(key, delay)
        return delay

    def overtaken(self, key: Key) -> None:
        """What the pass decided on had changed: look again at once, and later when that repeats."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        at_once = count <= OVERTAKEN_AT_ONCE
        self._release(
            key, DEBOUNCE_SECONDS if at_once else backoff_seconds(count - OVERTAKEN_AT_ONCE)
        )

    def forget(self, key: Key) -> None:
        """The EdgeModel is gone; a worker that still has it releases it itself."""
        self._failures.pop(key, None)
        self._due.pop(key, None)

    def _release(self, key: Key, again_after: float | None) -> None:
        self._working.discard(key)
        if again_after is not None:
            self.add(key, again_after)
        self._changed.set()

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
