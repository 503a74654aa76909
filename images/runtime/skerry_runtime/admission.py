"""How many requests run and wait at once: beyond that a quick 503 instead of growing memory."""

from __future__ import annotations

import threading


class Busy(Exception):  # noqa: N818 - a state, not a fault
    """As many requests as may wait are waiting."""


class Admission:
    """Gives `capacity` places to requests that run or wait; who of them runs, the batcher says.

    `with admission:` holds a place while a request is read, computed and answered; it raises Busy
    where there is none.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._idle = threading.Condition()
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """Requests that run or wait."""
        return self._in_flight

    def __enter__(self) -> None:
        """Take a place.

        Raises:
            Busy: There is none.
        """
        with self._idle:
            if self._in_flight == self.capacity:
                raise Busy
            self._in_flight += 1

    def __exit__(self, *_ended: object) -> None:
        """Give the place back."""
        with self._idle:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until nothing is in flight; False when that took longer."""
        with self._idle:
            return self._idle.wait_for(lambda: self._in_flight == 0, timeout=seconds)
