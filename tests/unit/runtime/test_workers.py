"""Who of the threads answers: the one that ended last, and nobody waits while one is idle."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from skerry_runtime.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10.0


@dataclass
class Job:
    """A task that runs until it is released, and knows what became of it."""

    released: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    thread: threading.Thread | None = None
    cancelled: bool = False

    def service(self) -> None:
        """Run."""
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.released.wait(PATIENCE)
        if self.error is not None:
            raise self.error

    def cancel(self) -> None:
        """Note it."""
        self.cancelled = True


@pytest.fixture
def workers() -> Iterator[Workers]:
    found = Workers(2)
    yield found
    found.shutdown(timeout=PATIENCE)


def run(workers: Workers, job: Job) -> Job:
    """Have a job done; returns when its thread is idle again."""
    idle = len(workers._idle)
    workers.add_task(job)
    assert job.begun.wait(PATIENCE)
    job.released.set()
    while len(workers._idle) < idle:
        threading.Event().wait(0.001)
    return job


def test_one_after_the_other_is_answered_by_one_thread(workers: Workers) -> None:
    threads = {run(workers, Job()).thread for _ in range(5)}
    assert len(threads) == 1


def test_together_each_has_a_thread_and_the_next_waits_for_the_first_that_is_free(
    workers: Workers,
) -> None:
    jobs = [Job(), Job(), Job()]
    for job in jobs:
        workers.add_task(job)
    assert jobs[0].begun.wait(PATIENCE)
    assert jobs[1].begun.wait(PATIENCE)
    assert not jobs[2].begun.is_set()
    jobs[1].released.set()
    assert jobs[2].begun.wait(PATIENCE)
    assert jobs[0].thread is not jobs[1].thread
    assert jobs[2].thread is jobs[1].thread
    for job in jobs:
        job.released.set()


def test_an_error_ends_no_thread(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    failed = run(workers, Job(error=ValueError("broken")))
    assert run(workers, Job()).thread is failed.thread
    assert "broken" in caplog.text


def test_the_end_waits_for_what_runs_and_cancels_what_waits() -> None:
    workers = Workers(1)
    runs, waits = Job(), Job()
    workers.add_task(runs)
    workers.add_task(waits)
    assert runs.begun.wait(PATIENCE)
    releasing = threading.Timer(0.05, runs.released.set)
    releasing.start()
    assert workers.shutdown(timeout=PATIENCE)
    assert runs.released.is_set()
    assert waits.cancelled
    assert not waits.begun.is_set()
    assert not any(thread.is_alive() for thread in workers._threads)


def test_the_end_does_not_wait_for_ever() -> None:
    workers = Workers(1)
    stuck = Job()
    workers.add_task(stuck)
    assert stuck.begun.wait(PATIENCE)
    assert not workers.shutdown(timeout=0.01)
    stuck.released.set()
