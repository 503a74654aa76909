"""A queue of EdgeModels to look at.

Each is in it once, waits a moment for more news, and is worked on by one worker at a time; what fails
comes back later and later. A verdict does not wait until a hundred other models are looked at: of those
that are due, the one of the highest priority goes first.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from skerry.cluster.pace import Priority, backoff_seconds
from skerry.controllers.cache import Key  # noqa: TC001 - dataclass field

DEBOUNCE_SECONDS = 0.02
"""A verdict shall reach the route in well under a second; a burst of events still makes one reconcile."""

OVERTAKEN_AT_ONCE = 5


class _Entry(NamedTuple):
    """When a key is due, in seconds of the event loop's clock, and how urgent it is."""

    due: float
    level: Priority

    @property
    def rank(self) -> float:
        """The least goes first, of those that are due."""
        return self.due - self.level.value


class Taken(NamedTuple):
    """A key to work on, and how urgent it is."""

    key: Key
    level: Priority


@dataclass
class WorkQueue:
    """Keys with the time at which they are due."""

    _entries: dict[Key, _Entry] = field(default_factory=dict)
    _working: dict[Key, Priority] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(
        self, key: Key, after: float = DEBOUNCE_SECONDS, level: Priority = Priority.NEWS
    ) -> None:
        """Look at the key in `after` seconds, or sooner when that was planned already."""
        added = _Entry(asyncio.get_running_loop().time() + after, level)
        known = self._entries.get(key, added)
        self._entries[key] = min(added, known, key=lambda entry: entry.rank)
        self._changed.set()

    async def take(self, *, urgent_only: bool = False) -> Taken:
        """Return the next key that is due; `done` or `failed` must follow."""
        while True:
            self._changed.clear()
            now = asyncio.get_running_loop().time()
            free = {
                key: entry
                for key, entry in self._entries.items()
                if key not in self._working and (entry.level is Priority.URGENT or not urgent_only)
            }
            due = {key: entry for key, entry in free.items() if entry.due <= now}
            if due:
                key = min(due, key=lambda key: due[key].rank)
                level = self._working[key] = self._entries.pop(key).level
                return Taken(key, level)
            soonest = min((entry.due for entry in free.values()), default=None)
            await self._wait(None if soonest is None else soonest - now)

    def done(self, key: Key, again_after: float | None = None) -> None:
        """Note that the reconcile succeeded; reconcile again after that many seconds, if any.

        What is looked at again at once is not done yet, and stays urgent if it was.
        """
        self._failures.pop(key, None)
        self._release(key, again_after)

    def failed(self, key: Key) -> float:
        """Note that the reconcile failed; return the seconds until it is tried again."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = backoff_seconds(self._failures[key])
        self._release(key, delay)
        return delay

    def overtaken(self, key: Key) -> None:
        """Note that the gathered state had changed: reconcile again at once, or later when that repeats."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        at_once = count <= OVERTAKEN_AT_ONCE
        self._release(
            key, DEBOUNCE_SECONDS if at_once else backoff_seconds(count - OVERTAKEN_AT_ONCE)
        )

    def forget(self, key: Key) -> None:
        """Forget an EdgeModel that is gone; a worker that has it keeps it until `done`."""
        self._failures.pop(key, None)
        self._entries.pop(key, None)

    def _release(self, key: Key, again_after: float | None) -> None:
        level = self._working.pop(key, Priority.NEWS)
        if again_after is not None:
            at_once = level is Priority.URGENT and again_after <= DEBOUNCE_SECONDS
            self.add(key, again_after, level if at_once else Priority.NEWS)
        self._changed.set()

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
