"""The threads that answer requests: the one that ended its work last gets the next.

Waitress' own threads take turns. A device mostly has one request at a time; given to another thread
each time, it meets memory that was last touched many requests ago, and every thread grows to what a
request needs. Here a lone caller is always answered by one (figures: docs/adr/0006).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import Protocol

log = logging.getLogger("skerry_runtime")


class Task(Protocol):
    """What is to be done: a connection on which a request waits."""

    def service(self) -> None:
        """Do it."""

    def cancel(self) -> None:
        """Give it up undone."""


Inbox = SimpleQueue[Task | None]


class Workers:
    """A fixed number of threads; what waitress calls a task dispatcher.

    Args:
        count: Threads.
    """

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Task] = deque()
        self._idle: list[Inbox] = [SimpleQueue() for _ in range(count)]
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(inbox,), name=f"worker-{place}", daemon=True)
            for place, inbox in enumerate(self._idle)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def idle(self) -> bool:
        """Whether a thread has nothing to do."""
        return bool(self._idle)

    def add_task(self, task: Task) -> None:
        """Give a task to a thread, or let it wait for one."""
        with self._lock:
            if not self._idle:
                self._waiting.append(task)
                return
            inbox = self._idle.pop()
        inbox.put(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:  # noqa: FBT001, FBT002
        """Let the threads end what they do, for `timeout` seconds at most, and cancel what waits.

        The arguments are waitress'. Returns whether anything was cancelled.
        """
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, deque()
            for inbox in self._idle:
                inbox.put(None)
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        for task in waiting if cancel_pending else ():
            task.cancel()
        return cancel_pending and bool(waiting)

    def _work(self, inbox: Inbox) -> None:
        task = inbox.get()
        while task is not None:
            try:
                task.service()
            except BaseException:
                log.exception("a request ended its thread's work in a way that none should")
            task = self._next(inbox)

    def _next(self, inbox: Inbox) -> Task | None:
        """Return what waits; where nothing does, come to lie on top of the idle and wait for more."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if self._closed:
                return None
            self._idle.append(inbox)
        return inbox.get()
