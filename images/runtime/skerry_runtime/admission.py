"""How many requests run and wait at once: beyond that a quick 503 instead of growing memory."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Busy(Exception):  # noqa: N818 - a state, not a fault
    """As many requests as may wait are waiting."""


class Admission:
    """Gives `capacity` places to requests that run or wait; who of them runs, the batcher says."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._places = threading.BoundedSemaphore(self.capacity)
        self._idle = threading.Condition()
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """Requests that run or wait."""
        return self._in_flight

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue while a request is read, computed and answered.

        Raises:
            Busy: There is none.
        """
        if not self._places.acquire(blocking=False):
            raise Busy
        self._count(1)
        try:
            yield
        finally:
            self._places.release()
            self._count(-1)

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until nothing is in flight; False when that took longer."""
        with self._idle:
            return self._idle.wait_for(lambda: self._in_flight == 0, timeout=seconds)

    def _count(self, change: int) -> None:
        with self._idle:
            self._in_flight += change
            self._idle.notify_all()
