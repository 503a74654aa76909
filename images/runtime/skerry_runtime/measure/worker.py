"""The fresh process that holds one model: `python -m skerry_runtime.measure.worker FD`.

It loads the model with the session code that serves, and does what the measuring process asks over
a socket. Times are taken here, around the engine's call alone, so the socket never counts. Memory
is read before samples in bulk come in: they are the measurement's, not the model's.
"""

from __future__ import annotations

import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.engines import InputError, ModelError, first_line
from skerry_runtime.datatypes import as_row, is_whole, one_sample, usable
from skerry_runtime.engine import load_model
from skerry_runtime.measure.memory import Memory, memory_now
from skerry_runtime.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry_runtime.datatypes import Arrays

WARM_UP_CALLS = 10


class Worker:
    """What the measuring process can ask for; each method is one request."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._samples: Arrays = {}

    def load(self, engine: str, path: str, threads: int) -> dict[str, Any]:
        """Load a model with an engine; returns its tensors and the engine's version."""
        model = load_model(engine, Path(path), threads)
        self._session = Session(model)
        return {"inputs": model.inputs, "outputs": model.outputs, "version": model.version}

    def warm_up(self, sample: Arrays) -> tuple[float, Memory]:
        """Run one sample a few times; returns the quickest call in seconds, and the memory."""
        seconds = [self._call(sample)[0] for _ in range(WARM_UP_CALLS)]
        return min(seconds), memory_now()

    def use(self, files: dict[str, str]) -> None:
        """Open the samples: by input name, a .npy file whose first axis is samples."""
        # Mapped, so that a large data set isn't copied into every process.
        self._samples = {name: np.load(file, mmap_mode="r") for name, file in files.items()}

    def block(self, rows: Sequence[int], spread: float) -> tuple[list[float], list[NDArray[Any]]]:
        """Run samples one by one; returns milliseconds per call and the first output of each.

        Each call and the rest after it last at least `spread` times the CPU time that the call
        took: under a quota of less than a core the process would else be stopped amid calls, and
        the clock would show the quota.
        """
        times, answers = [], []
        for row in rows:
            sample = self._sample(row)
            before = time.process_time()
            seconds, answer = self._call(sample)
            rest = spread * (time.process_time() - before) - seconds
            times.append(seconds * 1000)
            answers.append(as_row(answer))
            if rest > 0:
                time.sleep(rest)  # a pace, not a synchronization
        return times, answers

    def batch(self, rows: Sequence[int], last_scaled_by: float = 1.0) -> Arrays:
        """Run samples together and return all outputs; the numbers of the last sample may be scaled.

        Raises:
            InputError: There are several, and an input takes each of them whole.
        """
        together = self._sample(rows[0]) if len(rows) == 1 else self._rows(list(rows))
        if last_scaled_by != 1.0:
            for array in together.values():
                if array.dtype.kind == "f":
                    array[-1] *= array.dtype.type(last_scaled_by)
        return self._loaded().run(together)

    def scaled(self, row: int, by: float) -> Arrays:
        """Run a sample whose numbers with a fraction are scaled; returns all outputs."""
        sample = self._sample(row)
        for array in sample.values():
            if array.dtype.kind == "f":
                array *= array.dtype.type(by)  # noqa: PLW2901 - in place: a scalar stays an array
        return self._loaded().run(sample)

    def outputs(self, rows: Sequence[int]) -> list[Arrays]:
        """Run samples one by one; returns all outputs of each."""
        session = self._loaded()
        return [session.run(self._sample(row)) for row in rows]

    def _sample(self, row: int) -> Arrays:
        return {
            spec.name: usable(np.array(one_sample(self._samples[spec.name], row, spec)))
            for spec in self._loaded().inputs
        }

    def _rows(self, chosen: list[int]) -> Arrays:
        for spec in self._loaded().inputs:
            if is_whole(self._samples[spec.name], spec):
                raise InputError(f"`{spec.name}` takes one sample at a time")
        return {name: usable(np.array(array[chosen])) for name, array in self._samples.items()}

    def _call(self, inputs: Arrays) -> tuple[float, NDArray[Any]]:
        session = self._loaded()
        started = time.perf_counter()
        answers = session.run(inputs)
        return time.perf_counter() - started, next(iter(answers.values()))

    def _loaded(self) -> Session:
        if self._session is None:
            raise ModelError("the worker was asked to run before it was asked to load")
        return self._session


def main() -> None:
    """Answer requests (method, arguments) with (True, result) or (False, message) until the end."""
    connection = Connection(int(sys.argv[1]))
    worker = Worker()
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            # Nothing to save: to take engine and interpreter down in order costs a tenth of a second.
            os._exit(0)
        connection.send(answer(worker, method, arguments))


def answer(worker: Worker, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Return whether a request was done, and its result or the reason why not."""
    try:
        return True, getattr(worker, method)(*arguments)
    except (ModelError, InputError) as error:
        return False, str(error)
    except Exception as error:  # noqa: BLE001 - engines' exceptions share no other base
        return False, f"the engine failed: {first_line(error)}"


if __name__ == "__main__":
    main()
