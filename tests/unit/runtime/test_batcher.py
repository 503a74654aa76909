"""Requests that wait together are computed together, and each gets its own answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from skerry.engines import InputError, TensorSpec
from skerry_runtime.batcher import Batcher
from skerry_runtime.limits import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SPECS = [TensorSpec("x", "FP32", (-1, -1)), TensorSpec("y", "FP32", (-1, -1))]


@dataclass
class Engine:
    """y = 2x, refuses negative values; the first call waits until it is released."""

    rows: list[int] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __call__(
        self, inputs: Mapping[str, NDArray[Any]], _outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """Compute one call."""
        self.rows.append(len(inputs["x"]))
        self.threads.append(threading.current_thread().name)
        self.entered.set()
        assert self.released.wait(10)
        if inputs["x"].min() < 0:
            raise InputError("a value is negative")
        return {"y": inputs["x"] * 2}


def ask_together(
    batcher: Batcher, engine: Engine, arrays: Sequence[NDArray[Any]]
) -> list[NDArray[Any] | Exception]:
    """Send the first array alone; while it is computed, the others come to wait in their order."""

    def ask(array: NDArray[Any]) -> NDArray[Any]:
        return batcher.run({"x": array}, ["y"])["y"]

    with ThreadPoolExecutor(len(arrays)) as pool:
        calls = [pool.submit(ask, arrays[0])]
        assert engine.entered.wait(10)
        for number, array in enumerate(arrays[1:], 1):
            calls.append(pool.submit(ask, array))
            while len(batcher._queue) < number:
                threading.Event().wait(0.001)
        engine.released.set()
        return [call.exception() or call.result() for call in calls]  # type: ignore[misc]


def rows(count: int, width: int = 2, value: float = 1) -> NDArray[Any]:
    return np.full((count, width), value, np.float32)


@pytest.mark.parametrize(
    ("arrays", "batching", "calls"),
    [
        ([rows(1)] * 4, True, [1, 3]),
        ([rows(1)] * 4, False, [1, 1, 1, 1]),
        ([rows(1), rows(MOST_ROWS - 1), rows(2), rows(1)], True, [1, MOST_ROWS, 2]),
        ([rows(1), rows(MOST_ROWS + 4), rows(1)], True, [1, MOST_ROWS + 4, 1]),
        ([rows(1), rows(1), rows(1, width=3), rows(1)], True, [1, 2, 1]),
    ],
)
def test_what_is_joined(
    arrays: list[NDArray[Any]],
    *,
    batching: bool,
    calls: list[int],
) -> None:
    engine = Engine()
    batcher = Batcher(engine, SPECS, batching=batching)
    answers = ask_together(batcher, engine, arrays)
    assert engine.rows == calls
    for array, answer in zip(arrays, answers, strict=True):
        np.testing.assert_array_equal(answer, array * 2)


def test_a_lone_request_stays_in_its_thread_and_what_waits_has_one_of_its_own() -> None:
    engine = Engine()
    fixed = [TensorSpec("x", "FP32", (1, 2)), TensorSpec("y", "FP32", (1, 2))]
    ask_together(Batcher(engine, fixed, batching=True), engine, [rows(1)] * 4)
    first, *others = engine.threads
    assert first.startswith("ThreadPoolExecutor")
    assert others == ["batcher"] * 3


def test_each_gets_its_own_rows() -> None:
    engine = Engine()
    arrays = [rows(n, value=n) for n in (1, 2, 3, 4)]
    answers = ask_together(Batcher(engine, SPECS, batching=True), engine, arrays)
    assert engine.rows == [1, 9]
    for array, answer in zip(arrays, answers, strict=True):
        np.testing.assert_array_equal(answer, array * 2)


def test_an_error_stays_with_who_made_it() -> None:
    engine = Engine()
    arrays = [rows(1), rows(1), rows(1, value=-1), rows(1)]
    answers = ask_together(Batcher(engine, SPECS, batching=True), engine, arrays)
    assert engine.rows == [1, 3, 1, 1, 1]
    assert [isinstance(answer, InputError) for answer in answers] == [False, False, True, False]


def test_fixed_first_axes_are_never_joined() -> None:
    engine = Engine()
    fixed = [TensorSpec("x", "FP32", (1, 2)), TensorSpec("y", "FP32", (1, 2))]
    ask_together(Batcher(engine, fixed, batching=True), engine, [rows(1)] * 3)
    assert engine.rows == [1, 1, 1]


def test_nobody_waits_alone() -> None:
    engine = Engine()
    engine.released.set()
    batcher = Batcher(engine, SPECS, batching=True)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: batcher.run({"x": rows(1, value=n)}, ["y"]), range(200)))
    assert [answer["y"][0, 0] for answer in answers] == [2 * n for n in range(200)]
