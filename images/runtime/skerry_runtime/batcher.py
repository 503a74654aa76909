"""Computes requests that wait together in one call of the engine, where the variant was certified so.

Nobody waits for company: requests join only while another inference runs, so the wait is at most one
call of at most MOST_ROWS rows, and an idle device answers as fast as without. A batch that the
engine refuses is computed again one by one, so that one caller's mistake stays that caller's.

A lone request is computed by the thread that asked. What waits is computed by one thread that does nothing
else: it is in the engine again before those whose answers it made have the interpreter to send them.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry_runtime.limits import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from skerry.engines import TensorSpec
    from skerry_runtime.datatypes import Arrays

    Compute = Callable[[Mapping[str, NDArray[Any]], Sequence[str]], Arrays]

Form = tuple[Any, ...]


def _locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Waiting:
    """A request, and what became of it; `done` is released when it was computed."""

    inputs: Mapping[str, NDArray[Any]]
    outputs: tuple[str, ...]
    answer: Arrays = field(default_factory=dict)
    error: Exception | None = None
    done: threading.Lock = field(default_factory=_locked)

    @property
    def rows(self) -> int:
        """Rows of a request that may be joined with others."""
        return len(next(iter(self.inputs.values())))

    @cached_property
    def form(self) -> Form | None:
        """What two requests must share to be joined; None: never."""
        if len({len(array) for array in self.inputs.values()}) != 1:
            return None
        shapes = sorted((name, array.shape[1:]) for name, array in self.inputs.items())
        return self.outputs, tuple(shapes)


class Batcher:
    """Runs one inference at a time, first come, first served, together with those that fit.

    Args:
        compute: Runs the engine: inputs and output names to arrays.
        specs: Inputs and outputs of the model; requests are joined only where the first axis of
            each is free.
        batching: Whether the variant was certified with other requests' rows in the same batch.
        observe: Called with the requests of each call of the engine.
    """

    def __init__(
        self,
        compute: Compute,
        specs: Sequence[TensorSpec],
        *,
        batching: bool,
        observe: Callable[[int], None] = lambda _requests: None,
    ) -> None:
        self._compute = compute
        self._joins = batching and all(spec.shape[:1] == (-1,) for spec in specs)
        self._observe = observe
        self._queue: deque[_Waiting] = deque()
        self._state = threading.Lock()
        self._busy = False
        """Somebody computes; while it holds, what comes is left in the queue."""
        self._left: SimpleQueue[None] = SimpleQueue()
        threading.Thread(target=self._work_off, name="batcher", daemon=True).start()

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        """Compute one request, alone or with others; blocks until it is done.

        Raises:
            InputError: The engine refused this request's own values.
        """
        mine = _Waiting(inputs, tuple(outputs))
        if self._begin(mine):
            self._alone(mine)
            self._end()
        else:
            mine.done.acquire()
        if mine.error is not None:
            raise mine.error
        return mine.answer

    def _begin(self, mine: _Waiting) -> bool:
        """Return whether nobody else computes, so that this call may begin at once; otherwise it waits."""
        with self._state:
            if self._busy:
                self._queue.append(mine)
                return False
            self._busy = True
            return True

    def _end(self) -> None:
        """Leave what came meanwhile to the thread that computes what waits."""
        with self._state:
            self._busy = bool(self._queue)
            if self._busy:
                self._left.put(None)

    def _work_off(self) -> None:
        """Compute what was left in the queue, and what comes meanwhile, until nothing waits."""
        while True:
            self._left.get()
            while group := self._next():
                self._work(group)

    def _next(self) -> list[_Waiting]:
        with self._state:
            self._busy = bool(self._queue)
            return self._take() if self._busy else []

    def _take(self) -> list[_Waiting]:
        """Take the first that waits, and those behind it that may be computed with it."""
        first = self._queue.popleft()
        group = [first]
        if not self._joins or not self._queue or first.form is None:
            return group
        rows = first.rows
        for other in list(self._queue):
            if other.form == first.form and rows + other.rows <= MOST_ROWS:
                self._queue.remove(other)
                group.append(other)
                rows += other.rows
        return group

    def _work(self, group: list[_Waiting]) -> None:
        try:
            if len(group) == 1 or not self._together(group):
                for one in group:
                    self._alone(one)
        finally:
            for one in group:
                one.done.release()

    def _together(self, group: list[_Waiting]) -> bool:
        """Compute a group in one call; False where the engine refused it."""
        try:
            joined = {
                name: np.concatenate([one.inputs[name] for one in group])
                for name in group[0].inputs
            }
            answer = self._compute(joined, group[0].outputs)
        except Exception:  # noqa: BLE001 - whoever caused it finds out when computed alone
            return False
        rows = sum(one.rows for one in group)
        if any(len(array) != rows for array in answer.values()):
            return False
        self._observe(len(group))
        at = 0
        for one in group:
            end = at + one.rows
            one.answer = {name: array[at:end] for name, array in answer.items()}
            at = end
        return True

    def _alone(self, one: _Waiting) -> None:
        try:
            one.answer = self._compute(one.inputs, one.outputs)
            self._observe(1)
        except Exception as error:  # noqa: BLE001 - raised in the thread that asked
            one.error = error
