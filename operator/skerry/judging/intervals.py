"""95 % intervals of what is measured, from counts or samples: the raw material of every gate.

Pure and dependency-free, because job, operator and agent all use it. Randomness for the bootstrap
is a small generator of fixed seed: the same blocks give the same interval everywhere, always.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist, mean, median, stdev
from typing import TYPE_CHECKING

from skerry.api.modelvariant import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Z95 = NormalDist().inv_cdf(0.975)
RESAMPLES = 2000
_DIGITS = 4


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval, `low <= value <= high`."""

    value: float
    low: float
    high: float

    def map(self, function: Callable[[float], float]) -> Estimate:
        """Apply a monotone function; a falling one swaps the bounds."""
        bounds = function(self.low), function(self.high)
        return Estimate(function(self.value), min(bounds), max(bounds))

    def to_interval(self) -> Interval:
        """Return the form on the wire: decimal strings of four digits after the point.

        Bounds are rounded outwards, so that rounding never makes a gate pass.
        """
        unit = 10**_DIGITS
        return Interval(
            value=_decimal(round(self.value * unit) / unit),
            low=_decimal(math.floor(self.low * unit + 1e-6) / unit),
            high=_decimal(math.ceil(self.high * unit - 1e-6) / unit),
        )


def wilson(successes: int, samples: int, z: float = Z95) -> Estimate:
    """Return the share of successes with Wilson's score interval.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927). Unlike the normal approximation it holds near 0 and 1.

    Raises:
        ValueError: No samples, or more successes than samples.
    """
    if samples < 1 or not 0 <= successes <= samples:
        raise ValueError(f"{successes} of {samples} is no share")
    share = successes / samples
    low, high = _wilson_bounds(successes, samples, z)
    return Estimate(share, min(low, share), max(high, share))


def paired_ratio(both: int, only_first: int, only_second: int) -> Estimate:
    """Return the ratio of two success shares counted on the same samples, first over second.

    `both`, `only_first`, `only_second`: samples where both, or just one, succeeded. Samples where
    neither did don't matter. Source: D. G. Bonett and R. M. Price, "Confidence intervals for a
    ratio of binomial proportions based on paired data", Statistics in Medicine 25 (2006): a hybrid
    of two Wilson intervals whose z is corrected for the pairing; it holds when no pair differs.

    Raises:
        ValueError: The second never succeeded, so there is no ratio.
    """
    first, second = both + only_first, both + only_second
    if second < 1:
        raise ValueError("the baseline was never right, so there is no ratio to it")
    total = both + only_first + only_second
    z = _paired_z(first, second, only_first + only_second, total)
    first_low, first_high = _wilson_bounds(first, total, z)
    second_low, second_high = _wilson_bounds(second, total, z)
    value = first / second
    return Estimate(value, min(first_low / second_high, value), max(first_high / second_low, value))


def paired_mean_ratio(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Return the ratio of two means of positive figures of the same samples, first over second.

    The logarithm's interval by the delta method; meant for hundreds of samples.

    Raises:
        ValueError: One of the means is 0, so there is no ratio.
    """
    above, below = mean(first), mean(second)
    if above <= 0 or below <= 0:
        raise ValueError("one of the means is 0, so there is no ratio")
    pairs = zip(first, second, strict=True)
    return log_ratio(above / below, [one / above - other / below for one, other in pairs])


def log_ratio(ratio: float, influences: Sequence[float]) -> Estimate:
    """Return a ratio with its interval, from each sample's influence on the ratio's logarithm.

    Influences add up to about 0. Source: L. A. Jaeckel, "The infinitesimal jackknife", Bell
    Laboratories memorandum MM 72-1215-11 (1972). For means it is the delta method.
    """
    half = Z95 * math.hypot(*influences) / len(influences)
    return Estimate(ratio, ratio * math.exp(-half), ratio * math.exp(half))


def mean_of(values: Sequence[float]) -> Estimate:
    """Return the mean with its normal interval; meant for hundreds of values."""
    center = mean(values)
    half = Z95 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(center, center - half, center + half)


def bootstrap_median(values: Sequence[float], resamples: int = RESAMPLES) -> Estimate:
    """Return the median with its percentile bootstrap interval.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7
    (1979). The median, because one disturbed block must not move the estimate.
    """
    draws = _indices(len(values))
    medians = sorted(
        median(values[next(draws)] for _ in range(len(values))) for _ in range(resamples)
    )
    value = median(values)
    low, high = medians[int(0.025 * resamples)], medians[int(0.975 * resamples) - 1]
    return Estimate(value, min(low, value), max(high, value))


def _wilson_bounds(successes: int, samples: int, z: float) -> tuple[float, float]:
    square = z * z
    center = 2 * successes + square
    spread = z * math.sqrt(square + 4 * successes * (1 - successes / samples))
    scale = 2 * (samples + square)
    return max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)


def _paired_z(first: int, second: int, discordant: int, total: int) -> float:
    spread = math.sqrt((discordant + 2) / ((first + 1) * (second + 1)))
    parts = [math.sqrt((1 - (count + 1) / (total + 2)) / (count + 1)) for count in (first, second)]
    return Z95 * spread / sum(parts)


def _indices(size: int) -> Iterator[int]:
    """Yield indices below `size` for ever: the 64-bit generator of Knuth's MMIX, upper bits."""
    state = 0x9E3779B97F4A7C15
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 33) * size >> 31


def _decimal(number: float) -> str:
    text = f"{number:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
