"""The measuring parts one by one: schedule, pace, memory, quality, tolerance."""

from __future__ import annotations

import mmap
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.judging.intervals import Estimate
from skerry_runtime.measure.batches import are_alike, full_batches
from skerry_runtime.measure.blocks import LEAST_CALLS, MOST_CALLS, Timing, pace_for
from skerry_runtime.measure.goldens import tolerance_of
from skerry_runtime.measure.increments import LEAST_BASELINE_BYTES, increments, reduction
from skerry_runtime.measure.memory import memory_now, write_one_operator_model
from skerry_runtime.measure.quality import (
    QualityError,
    accuracy,
    check_answers,
    differing,
    f1,
    judge,
    nearest_neighbors,
    rmse,
    same_answers,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

MB = 10**6


def vectors(count: int = 60, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)


def test_speedup_is_the_median_of_ratios_per_pair_of_blocks() -> None:
    timing = Timing(baseline=[[2, 2, 9], [4, 4, 4], [3, 3, 3]], candidate=[[1, 1, 1]] * 3)
    assert timing.speedup.value == 3
    assert timing.p50_milliseconds == 1


@pytest.mark.parametrize(
    ("baseline", "candidate", "speedup"),
    [
        (10.0, 5.0, 2.0),
        (0.2, 0.1, 2.0),
        (0.1, 0.1, 1.0),
        (0.06, 0.03, 0.2 / 0.17),
        (0.05, 0.25, 0.5),
    ],
)
def test_a_baselines_call_shorter_than_a_request_counts_as_long_as_one(
    baseline: float, candidate: float, speedup: float
) -> None:
    timing = Timing(baseline=[[baseline] * 3] * 3, candidate=[[candidate] * 3] * 3)
    assert timing.speedup.value == pytest.approx(speedup)


@pytest.mark.parametrize(
    ("seconds", "calls"), [(0.015, LEAST_CALLS), (0.001, 50), (0.00003, MOST_CALLS), (2.0, 20)]
)
def test_blocks_have_enough_calls_and_last_long_enough(seconds: float, calls: int) -> None:
    assert pace_for(seconds, 1.0).calls == calls


@pytest.mark.parametrize(("limit", "spread"), [(4.0, 0.0), (1.0, 0.0), (0.5, 2.2), (0.25, 4.4)])
def test_calls_are_spaced_so_that_a_quota_does_not_stop_them(limit: float, spread: float) -> None:
    assert pace_for(0.01, limit).spread == pytest.approx(spread)


def test_memory_of_this_process_is_what_the_kernel_says() -> None:
    size = 64 * 2**20
    before = memory_now()
    # Pages of their own: what malloc returns may be there already, of a test before.
    with mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.write(b"1" * size)
        after = memory_now()
    assert after.anonymous - before.anonymous >= size * 0.9
    assert after.peak >= after.resident >= after.anonymous
    assert after.peak >= before.peak


def test_the_empty_model_has_one_operator(tmp_path: Path) -> None:
    model = onnx.load(write_one_operator_model(tmp_path))
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["Identity"]


def test_memory_saved_is_of_increments_over_the_empty_runtime() -> None:
    empty = (60 * MB, 61 * MB, 59 * MB)
    ours = increments((90 * MB, 92 * MB), empty)
    theirs = increments((160 * MB, 162 * MB), empty)
    assert ours == (30 * MB, 32 * MB)
    saved = reduction(theirs, ours)
    assert saved.value == pytest.approx(1 - 31 / 101)
    assert saved.low == pytest.approx(1 - 32 / 100)
    assert saved.high == pytest.approx(1 - 30 / 102)
    assert increments((50 * MB,), empty) == (0,)


def test_pages_and_allocator_are_no_saving() -> None:
    assert reduction((200_000,), (1_200_000,)).value == -1e6 / LEAST_BASELINE_BYTES
    assert LEAST_BASELINE_BYTES == 32 * 2**20


def test_the_same_answers_keep_all_neighbors() -> None:
    quality = nearest_neighbors(vectors(), vectors() * 3)
    assert (quality.kept, quality.of) == (60, 60)
    assert quality.cosine is not None
    assert quality.cosine.value == pytest.approx(1)


def test_noise_loses_neighbors_before_it_loses_cosine() -> None:
    spoiled = vectors(500) + 0.1 * vectors(500, seed=1)
    quality = nearest_neighbors(vectors(500), spoiled)
    assert quality.cosine is not None
    assert quality.cosine.value > 0.99
    assert quality.ratio.value < 0.97


def test_neighbors_by_hand() -> None:
    baseline = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    swapped = np.array([[1, 0], [0.1, 1], [0, 1], [1, 0.1]], np.float32)
    assert nearest_neighbors(baseline, baseline).kept == 4
    assert nearest_neighbors(baseline, swapped).kept == 0


def test_accuracy_is_a_ratio_on_the_same_samples() -> None:
    labels = np.arange(10) % 3
    right = np.eye(3)[labels]
    wrong_twice = right.copy()
    wrong_twice[:2] = np.eye(3)[(labels[:2] + 1) % 3]
    quality = accuracy(right, wrong_twice, labels)
    assert quality.ratio.value == pytest.approx(0.8)
    assert (quality.kept, quality.of) == (8, 10)
    assert accuracy(labels, labels, labels).ratio.value == 1
    assert accuracy(right, labels[:, None], labels).ratio.value == 1


RARE = np.array([0] * 80 + [1] * 20)


def flipped(*places: int) -> NDArray[Any]:
    """Return the right answers except for these places."""
    answers = RARE.copy()
    answers[list(places)] = 1 - answers[list(places)]
    return answers


@pytest.fixture(scope="module")
def reference_f1() -> Callable[..., float]:
    from sklearn.metrics import f1_score  # noqa: PLC0415 - a second for each worker that collects

    return partial(f1_score, average="macro")


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        (flipped(), flipped(0)),
        (flipped(), flipped(99)),
        (flipped(1, 2, 99), flipped(*range(10), 80, 81)),
        (flipped(0, 80), flipped()),
        (flipped(), np.zeros(100, int)),
    ],
)
def test_f1_is_the_ratio_of_scikit_learns_macro_scores(
    baseline: NDArray[Any], candidate: NDArray[Any], reference_f1: Callable[..., float]
) -> None:
    ours, theirs = (reference_f1(RARE, one) for one in (candidate, baseline))
    quality = f1(baseline, candidate, RARE)
    assert quality.ratio.value == pytest.approx(ours / theirs)
    assert quality.ratio.low < quality.ratio.value < quality.ratio.high
    assert (quality.kept, quality.of) == (int((candidate == RARE).sum()), 100)


def test_f1_counts_an_error_of_a_rare_class_more_than_accuracy_does() -> None:
    common, rare = (f1(RARE, flipped(place), RARE).ratio.value for place in (0, 99))
    assert rare < common
    same = (accuracy(RARE, flipped(place), RARE).ratio.value for place in (0, 99))
    assert len(set(same)) == 1
    # Scores per class are read as their greatest.
    assert f1(np.eye(2)[RARE], np.eye(2)[flipped(99)], RARE).ratio.value == pytest.approx(rare)


def test_f1_of_equal_answers_is_one_and_not_certain() -> None:
    ratio = f1(RARE, RARE, RARE).ratio
    assert ratio.value == 1
    assert 0.95 < ratio.low < 1 < ratio.high < 1.05


def test_f1_of_a_candidate_that_is_never_right_is_nothing() -> None:
    assert f1(RARE, 1 - RARE, RARE).ratio == Estimate(0, 0, 0)


def test_rmse_is_the_baselines_error_over_the_candidates() -> None:
    labels = np.zeros(4)
    quality = rmse(np.full((4, 1), 2.0), np.array([[4.0], [-4.0], [4.0], [-4.0]]), labels)
    assert quality.ratio == Estimate(0.5, 0.5, 0.5)
    assert (quality.kept, quality.of) == (0, 4)
    several = np.zeros((4, 2))
    near, far = np.tile([1, 3], (4, 1)), np.tile([2, 6], (4, 1))
    assert rmse(near, far, several).ratio.value == pytest.approx(0.5)


@pytest.mark.parametrize("metric", ["F1", "RMSE"])
def test_the_interval_holds_the_true_ratio_about_95_times_in_100(metric: str) -> None:
    random = np.random.default_rng(11)

    def draw(count: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return answers of a baseline and of a candidate that is a little worse, and labels."""
        if metric == "RMSE":
            errors = random.normal(size=(2, count)) * [[1.0], [0.3]]
            return errors[0], errors.sum(axis=0), np.zeros(count)
        labels = random.choice(3, count, p=[0.6, 0.3, 0.1])
        wrong = random.random((2, count)) < [[0.08], [0.04]]
        theirs = np.where(wrong[0], (labels + 1) % 3, labels)
        return theirs, np.where(wrong[1], (labels + 2) % 3, theirs), labels

    baseline, candidate, labels = draw(400_000)
    truth = judge(metric, baseline, candidate, labels).ratio.value
    hits = 0
    for _ in range(400):
        ratio = judge(metric, *draw(400)).ratio
        hits += ratio.low <= truth <= ratio.high
    assert 0.92 <= hits / 400 <= 0.985


@pytest.mark.parametrize(
    ("metric", "candidate", "labels", "message"),
    [
        (
            "NearestNeighbors",
            np.full((5, 3), np.nan),
            None,
            "sample 0 with NaN where the source has a number",
        ),
        ("NearestNeighbors", np.ones(5), None, "a vector per sample"),
        ("Accuracy", np.ones((5, 3)), None, "needs labels"),
        ("Accuracy", np.ones((5, 3)), np.full(5, 9), "do the labels belong"),
        ("F1", np.ones((5, 3)), None, "the metric F1 needs labels"),
        ("F1", np.ones((5, 3)), np.full(5, 9), "the baseline is never right"),
        ("RMSE", np.ones((5, 3)), None, "the metric RMSE needs labels"),
        ("RMSE", np.ones((5, 3)), np.zeros(5), "has 3 numbers a sample and the labels have 1"),
        ("RMSE", np.zeros((5, 3)), np.ones((5, 3)), "the answers are the labels exactly"),
        ("RMSE", np.full((5, 3), np.inf), np.zeros((5, 3)), "with Infinity where"),
    ],
)
def test_answers_that_cannot_be_judged(
    metric: str, candidate: NDArray[Any], labels: NDArray[Any] | None, message: str
) -> None:
    with pytest.raises(QualityError, match=message):
        judge(metric, np.ones((5, 3)), candidate, labels)


@pytest.mark.parametrize(
    ("metric", "answers", "labels"),
    [
        ("NearestNeighbors", np.ones((4, 2)), None),
        ("Accuracy", np.ones((4, 3)), np.array([0, 2, 1, 0, 2])),
        ("F1", np.array([[1], [0], [7], [1]]), np.full(5, 9)),
        ("Accuracy", np.array([1.0, 0.0, 7.0, 1.0]), np.full(5, 1)),
        ("RMSE", np.ones((4, 1)), np.zeros(5)),
        ("RMSE", np.ones((4, 2, 3)), np.zeros((5, 6))),
    ],
)
def test_a_few_answers_show_that_the_metric_suits(
    metric: str, answers: NDArray[Any], labels: NDArray[Any] | None
) -> None:
    check_answers(metric, answers, labels)


@pytest.mark.parametrize(
    ("metric", "answers", "labels", "message"),
    [
        ("NearestNeighbors", np.ones((4, 1)), None, "a vector per sample"),
        ("NearestNeighbors", np.full((4, 2), np.inf), None, "NaN or infinities alone"),
        ("Accuracy", np.array(["yes", "no"]), np.ones(5), "is text"),
        ("Accuracy", np.ones((4, 3)), None, "needs labels"),
        ("Accuracy", np.ones((4, 3)), np.array([1, 2, 3]), "0 to 2, and the labels go from 1 to 3"),
        ("F1", np.ones((4, 3)), np.array([-1, 2]), "the labels go from -1 to 2"),
        ("F1", np.full((4, 1), 0.93), np.array([0, 1]), r"no class \(0.93\)"),
        ("RMSE", np.ones((4, 10)), np.zeros(5), "10 numbers a sample and the labels have 1"),
    ],
)
def test_a_few_answers_show_that_the_metric_does_not_suit(
    metric: str, answers: NDArray[Any], labels: NDArray[Any] | None, message: str
) -> None:
    with pytest.raises(QualityError, match=message):
        check_answers(metric, answers, labels)


def test_the_worse_of_alone_and_in_batches_counts_figure_by_figure() -> None:
    alone = nearest_neighbors(vectors(300), vectors(300) + 0.05 * vectors(300, seed=1))
    together = nearest_neighbors(vectors(300), vectors(300) + 0.2 * vectors(300, seed=2))
    worse = alone.or_worse(together)
    assert worse == together.or_worse(alone)
    assert (worse.ratio, worse.cosine) == (together.ratio, together.cosine)


def test_rounding_is_the_same_answer_and_quantization_is_not() -> None:
    answers = vectors()
    assert same_answers(answers * (1 + 1e-5), answers)
    spoiled = answers.copy()
    spoiled[7] *= 1.01
    spoiled[9] = np.nan
    assert not same_answers(spoiled, answers)
    assert differing(spoiled, answers).tolist() == [7, 9]


@given(st.integers(1, 200))
def test_batches_are_full_and_hold_every_sample(count: int) -> None:
    batches = list(full_batches(count))
    assert {len(batch) for batch in batches} == {min(16, count)}
    assert {row for batch in batches for row in batch} == set(range(count))


def test_tolerance_comes_from_repeatability_with_a_floor() -> None:
    certified = {"y": vectors(8)}
    exact = tolerance_of(certified, [certified], with_cosine=True)
    size = float(np.sqrt(np.mean(certified["y"] ** 2)))
    assert exact.absolute == pytest.approx(1e-3 * size, rel=1e-3)
    assert (exact.relative, exact.cosine) == (1e-3, 0.9999)
    shaken = {"y": certified["y"] + np.float32(0.01)}
    loose = tolerance_of(certified, [certified, shaken], with_cosine=True)
    assert loose.absolute == pytest.approx(0.1, rel=1e-3)
    assert loose.cosine is not None
    assert loose.cosine < 0.9999
    assert tolerance_of(certified, [shaken], with_cosine=False).cosine is None


@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_an_answer_without_a_direction_makes_no_tolerance_that_admits_all(empty: float) -> None:
    answers = vectors(8)
    answers[3] = empty
    assert tolerance_of({"y": answers}, [{"y": answers}], with_cosine=True).cosine == 0.9999
    other = {"y": np.where(np.isfinite(answers), -answers, answers)}
    assert tolerance_of({"y": answers}, [other], with_cosine=True).cosine == 0.9


@pytest.mark.parametrize(
    ("alone", "together", "same"),
    [
        (np.ones((4, 1, 3)), np.ones((4, 3)), True),
        (np.ones((4, 1, 5)), np.ones((4, 3)), False),
        (np.arange(4), np.arange(4), True),
        (np.arange(4) + 10_000, np.arange(4) + 10_001, False),
        (np.array([["a"]] * 4), np.array(["a"] * 4), True),
    ],
    ids=["rows", "as long as the longest", "integers", "other integers", "text"],
)
def test_a_batch_is_held_to_the_answers_alone(
    alone: NDArray[Any], together: NDArray[Any], *, same: bool
) -> None:
    places = [(row, row) for row in range(4)]
    assert are_alike(alone, places, together) is same
