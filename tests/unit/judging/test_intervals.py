"""Intervals against published figures, and their properties."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.judging.intervals import (
    Estimate,
    bootstrap_median,
    log_ratio,
    mean_of,
    paired_mean_ratio,
    paired_ratio,
    wilson,
)


def test_wilson_matches_published_figures() -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 15 of 148."""
    assert wilson(81, 263).low == pytest.approx(0.2553, abs=1e-4)
    assert wilson(81, 263).high == pytest.approx(0.3662, abs=1e-4)
    assert wilson(15, 148).low == pytest.approx(0.0624, abs=1e-4)
    assert wilson(15, 148).high == pytest.approx(0.1605, abs=1e-4)
    assert wilson(0, 20).high == pytest.approx(0.1611, abs=1e-4)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_value_and_stays_a_share(counts: tuple[int, int]) -> None:
    estimate = wilson(*counts)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@given(st.integers(2, 2000).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n))))
def test_wilson_rises_with_successes(counts: tuple[int, int]) -> None:
    successes, samples = counts
    fewer, more = wilson(successes - 1, samples), wilson(successes, samples)
    assert fewer.low < more.low
    assert fewer.high < more.high


@pytest.mark.parametrize("counts", [(0, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_what_is_no_share(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="is no share"):
        wilson(*counts)


def test_paired_ratio_matches_the_published_example() -> None:
    """Airway hyper-responsiveness before and after transplantation (1, 1, 7 of 21 children)."""
    estimate = paired_ratio(1, 1, 7)
    assert estimate.value == 0.25
    assert estimate.low == pytest.approx(0.068, abs=1e-3)
    assert estimate.high == pytest.approx(0.923, abs=1e-3)


def test_paired_ratio_of_equal_answers_is_one_and_not_certain() -> None:
    estimate = paired_ratio(500, 0, 0)
    assert estimate.value == 1
    assert 0.99 < estimate.low < 1 < estimate.high < 1.01


def test_paired_ratio_needs_a_baseline_that_is_right() -> None:
    with pytest.raises(ValueError, match="never right"):
        paired_ratio(0, 5, 0)


def test_paired_ratio_covers_the_truth_about_95_times_in_100() -> None:
    generator = random.Random(7)
    both, only_first, only_second = 0.90, 0.02, 0.04
    truth = (both + only_first) / (both + only_second)
    hits = 0
    for _ in range(600):
        draws = generator.choices(range(4), [both, only_first, only_second, 0.04], k=300)
        estimate = paired_ratio(draws.count(0), draws.count(1), draws.count(2))
        hits += estimate.low <= truth <= estimate.high
    assert 0.92 <= hits / 600 <= 0.985


def test_a_ratio_of_means_knows_its_pairs() -> None:
    """Figures that go together leave the ratio certain, however much they vary."""
    first = [1.0, 4.0, 9.0, 2.0]
    assert paired_mean_ratio(first, [2 * one for one in first]) == Estimate(0.5, 0.5, 0.5)
    apart = paired_mean_ratio(first, first[::-1])
    assert apart.low < apart.value == 1 < apart.high
    assert apart.low * apart.high == pytest.approx(1)


@pytest.mark.parametrize("pair", [([0.0, 0.0], [1.0, 2.0]), ([1.0, 2.0], [0.0, 0.0])])
def test_a_ratio_of_means_needs_both(pair: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="there is no ratio"):
        paired_mean_ratio(*pair)


def test_a_logarithms_interval_by_hand() -> None:
    """Of n influences of size d the logarithm's deviation is d / sqrt(n)."""
    estimate = log_ratio(2.0, [0.1, -0.1] * 50)
    assert estimate.high == pytest.approx(2 * math.exp(1.96 * 0.01), rel=1e-5)
    assert estimate.low == pytest.approx(2 / math.exp(1.96 * 0.01), rel=1e-5)


def test_bootstrap_is_deterministic_and_covers_the_median() -> None:
    generator = random.Random(3)
    hits = 0
    for _ in range(200):
        values = [generator.lognormvariate(0.0, 0.05) for _ in range(10)]
        estimate = bootstrap_median(values, resamples=400)
        assert estimate == bootstrap_median(values, resamples=400)
        hits += estimate.low <= 1.0 <= estimate.high
    assert hits / 200 >= 0.88


def test_bootstrap_ignores_one_disturbed_block() -> None:
    calm = [1.5, 1.51, 1.49, 1.5, 1.52, 1.48, 1.5, 1.5, 1.51, 1.49]
    disturbed = [*calm[:-1], 9.0]
    assert bootstrap_median(disturbed).value == pytest.approx(
        bootstrap_median(calm).value, abs=0.01
    )
    assert bootstrap_median(disturbed).high < 1.6


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_estimates_hold_their_value(values: list[float]) -> None:
    for estimate in (bootstrap_median(values, resamples=50), mean_of(values)):
        assert estimate.low <= estimate.value <= estimate.high


def test_intervals_on_the_wire_are_rounded_outwards() -> None:
    interval = Estimate(1.23456, 0.94999, 1.30001).to_interval()
    assert (interval.value, interval.low, interval.high) == ("1.2346", "0.9499", "1.3001")
    exact = Estimate(0.95, 0.95, 1.0).to_interval()
    assert (exact.value, exact.low, exact.high) == ("0.95", "0.95", "1")
    assert Estimate(-0.00001, -0.00001, 0.0).to_interval().value == "0"


def test_a_falling_function_swaps_the_bounds() -> None:
    assert Estimate(2.0, 1.0, 4.0).map(lambda x: 1 - 1 / x) == Estimate(0.5, 0.0, 0.75)
    assert Estimate(2.0, 1.0, 4.0).map(lambda x: -x) == Estimate(-2.0, -4.0, -1.0)
