"""How far outputs move, as a table, and what must hold of any answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.engines import TensorSpec
from skerry_runtime.measure.movement import interface_difference, movement
from skerry_runtime.measure.quality import QualityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = np.random.default_rng(3).normal(size=(400, 5)).astype(np.float32)
HALVES = np.arange(400) % 2
HOLES = np.where(ROWS > 2, np.float32("nan"), np.where(ROWS < -2, np.float32("-inf"), ROWS))


@pytest.mark.parametrize(
    ("source", "build", "expected"),
    [
        (ROWS, ROWS, 0.0),
        (HOLES, HOLES, 0.0),
        (ROWS, ROWS + 0.5 * ROWS.std(), 0.5),
        (ROWS + 300, ROWS + 300.5, 0.5),
        (np.full((9, 2), 20.0), np.full((9, 2), 21.0), 0.05),
        (np.zeros((9, 1)), np.full((9, 1), 0.1), 0.1),
        (HALVES, np.where(np.arange(400) < 4, 1 - HALVES, HALVES), 0.2),
        (np.zeros(200, int), np.where(np.arange(200) < 4, 1, 0), 0.2),
        (np.array(["a", "b"]), np.array(["a", "b"]), 0.0),
        (np.zeros((9, 0, 3), np.float32), np.zeros((9, 0, 3), np.float32), 0.0),
        (np.zeros((9, 0, 3), int), np.zeros((9, 0, 3), int), 0.0),
        (np.array([[True, False]] * 4), np.array([[True, True]] * 4), np.sqrt(2)),
    ],
    ids=[
        "same", "same holes", "shifted", "shifted far off", "constant", "zero", "integers", "one integer", "text",
        "nothing found", "no places", "booleans",
    ],
)  # fmt: skip
def test_movement(source: NDArray[Any], build: NDArray[Any], expected: float) -> None:
    found = movement("scores", source, build)
    assert found.value == pytest.approx(expected, rel=0.02)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (np.where(ROWS > 2, np.float32("nan"), ROWS), "`scores` is NaN or infinite for sample"),
        (np.where(ROWS > 2, np.float32("inf"), ROWS), "`scores` is NaN or infinite for sample"),
        (ROWS[:, :4], r"`scores` is float32 \(4,\), the source's is float32 \(5,\)"),
        (ROWS.astype(np.int64), "`scores` is int64"),
    ],
)
def test_other_forms_are_refused_by_name(build: NDArray[Any], says: str) -> None:
    with pytest.raises(QualityError, match=says):
        movement("scores", ROWS, build)


def test_an_infinity_of_the_other_sign_is_another_answer() -> None:
    with pytest.raises(QualityError, match="NaN or infinite"):
        movement("scores", HOLES, np.where(np.isinf(HOLES), -HOLES, HOLES))


@given(
    st.floats(0.01, 1000),
    st.floats(-100, 100),
    st.floats(0, 2),
    st.integers(0, 2**32 - 1),
)
def test_it_does_not_depend_on_unit_or_zero(
    scale: float, offset: float, error: float, seed: int
) -> None:
    noise = error * np.random.default_rng(seed).normal(size=ROWS.shape)
    rows = ROWS.astype(np.float64)
    plain = movement("y", rows, rows + noise)
    other = movement("y", scale * (rows + offset), scale * (rows + noise + offset))
    assert other.value == pytest.approx(plain.value, rel=1e-6, abs=1e-9)
    assert plain.value == pytest.approx(error, rel=0.1, abs=1e-9)


SOURCE = (TensorSpec("label", "INT64", (-1,)), TensorSpec("scores", "FP32", (-1, 3)))


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (SOURCE, ""),
        ((SOURCE[0], TensorSpec("scores", "FP32", (1, 3))), ""),
        ((SOURCE[0], TensorSpec("scores", "FP32", ())), ""),
        (SOURCE[::-1], "its tensors are scores, label, the source's are label, scores"),
        (SOURCE[:1], "its tensors are label, the source's are label, scores"),
        (
            (TensorSpec("label", "INT32", (-1,)), SOURCE[1]),
            "its tensor `label` is INT32 [-1], the source's is INT64 [-1]",
        ),
        (
            (SOURCE[0], TensorSpec("scores", "FP32", (-1, 4))),
            "its tensor `scores` is FP32 [-1, 4], the source's is FP32 [-1, 3]",
        ),
        (
            (SOURCE[0], TensorSpec("scores", "FP32", (-1, 3, 1))),
            "its tensor `scores` is FP32 [-1, 3, 1], the source's is FP32 [-1, 3]",
        ),
    ],
)
def test_the_interface_of_a_build(build: tuple[TensorSpec, ...], says: str) -> None:
    assert interface_difference(SOURCE, build) == says
