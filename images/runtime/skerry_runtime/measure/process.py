"""Starts worker processes and talks to them; one process holds one model and is then thrown away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.engines import TensorSpec
    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.measure.memory import Memory


class WorkerError(Exception):
    """The model can't be measured; the message is for people."""


class KilledError(WorkerError):
    """The kernel killed the process; what limit to raise, only the stage knows."""


@dataclass(frozen=True)
class ModelFile:
    """A model on disk, and who runs it."""

    engine: str
    file: Path


@dataclass(frozen=True)
class Loaded:
    """What a worker says of the model that it loaded."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    version: str


@dataclass(frozen=True)
class Process:
    """A worker with its model loaded; the methods are those of `worker.Worker`."""

    loaded: Loaded
    _connection: Connection[Any, Any]
    _process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def warm_up(self, sample: Arrays) -> tuple[float, Memory]:
        """Run one sample a few times: seconds of the quickest call, memory; see Worker.warm_up."""
        seconds, memory = self._ask("warm_up", sample)
        return seconds, memory

    def use(self, files: dict[str, str]) -> None:
        """Open the samples; see Worker.use."""
        self._ask("use", files)

    def block(
        self, rows: Sequence[int], spread: float = 0.0
    ) -> tuple[list[float], list[NDArray[Any]]]:
        """Run samples one by one: milliseconds and first outputs; see Worker.block."""
        times, answers = self._ask("block", list(rows), spread)
        return times, answers

    def batch(self, rows: Sequence[int], last_scaled_by: float = 1.0) -> Arrays:
        """Run samples together: all outputs; see Worker.batch."""
        answer: Arrays = self._ask("batch", list(rows), last_scaled_by)
        return answer

    def scaled(self, row: int, by: float) -> Arrays:
        """Run a sample whose numbers are scaled: all outputs; see Worker.scaled."""
        answer: Arrays = self._ask("scaled", row, by)
        return answer

    def outputs(self, rows: Sequence[int]) -> list[Arrays]:
        """Run samples one by one: all outputs."""
        answers: list[Arrays] = self._ask("outputs", list(rows))
        return answers

    def _ask(self, method: str, *arguments: Any) -> Any:
        return _ask(self._connection, self._process, method, *arguments)


@contextmanager
def started(model: ModelFile, threads: int) -> Iterator[Process]:
    """Start a worker and load `model`; the process is ended after.

    Raises:
        WorkerError: The model can't be loaded, or the process was killed.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = _spawn(theirs.fileno())
        theirs.close()
        connection: Connection[Any, Any] = Connection(ours.detach())
        try:
            loaded = _ask(connection, process, "load", model.engine, str(model.file), threads)
            yield Process(Loaded(**loaded), connection, process)
        finally:
            connection.close()
            _end(process)


def _spawn(descriptor: int) -> subprocess.Popen[bytes]:
    # A whole new interpreter: a fork would share this process's memory and caches.
    return subprocess.Popen(
        [sys.executable, "-m", "skerry_runtime.measure.worker", str(descriptor)],
        pass_fds=[descriptor],
        env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ask(
    connection: Connection[Any, Any], process: subprocess.Popen[bytes], method: str, *arguments: Any
) -> Any:
    try:
        connection.send((method, arguments))
        fine, result = connection.recv()
    except (EOFError, ConnectionError) as error:
        raise _how_it_ended(process) from error
    if not fine:
        raise WorkerError(str(result))
    return result


def _how_it_ended(process: subprocess.Popen[bytes]) -> WorkerError:
    code = process.wait(timeout=30)
    if code == -signal.SIGKILL:
        return KilledError(
            "the process was killed: most likely it needs more than the memory limit"
        )
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return WorkerError(f"the process ended with {name} while it held the model")
