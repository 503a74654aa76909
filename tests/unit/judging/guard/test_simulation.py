"""The guard's two promises: equal builds are never failed, faults are found in time.

Ten virtual minutes at 20 requests a second, on synthetic noise (levels, stalls, slow answers and a
queue per server) and on blocks of a recorded trace of two equal servers. One answer in 500 fails, of
either side.

The unit lane plays the soaks that come nearest to a bound of the guard (`NEAREST`) and a fifth of the
faults; make test-long plays all of 6,000 soaks, and finds the nearest again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.unit.judging.guard.noise import Requests, Trace, healthy, synthetic
from tests.unit.judging.guard.screen import nearest
from tests.unit.judging.guard.soak import Soak, hear, play

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.unit.judging.guard.noise import Fault, Floats

SOAKS = 1000
SOAK_SECONDS = 600.0
RATE = 20.0
FAULTS = (20, pytest.param(100, marks=pytest.mark.long))
USUAL_ERRORS = 0.002
TRACE = Trace()

ALWAYS_PLAYED = 5
NEAREST = {
    ("synthetic", 0.1): (
        14, 72, 169, 197, 302, 426, 528, 556, 559, 560, 569, 633, 669, 683, 809, 813, 823, 888, 890,
        912, 917, 971, 991,
    ),
    ("synthetic", 0.5): (40, 333, 371, 389, 538, 592, 679, 690, 925, 927),
    ("synthetic", 0.9): (
        100, 254, 290, 301, 306, 321, 326, 376, 409, 418, 490, 536, 593, 688, 742, 777, 845, 904, 928,
        933, 951,
    ),
    ("trace", 0.1): (56, 157, 186, 198, 271, 391, 452, 468, 487),
    ("trace", 0.5): (146, 173, 270, 441, 872),
    ("trace", 0.9): (40, 204, 243, 298, 398, 404, 494, 592, 841, 904, 973, 981),
}  # fmt: skip
"""Of the thousand soaks of each kind, the seeds of those that come nearest to a bound of the guard.

What a change of the guard makes it fail of the thousand, it fails of these first.
"""

pytestmark = pytest.mark.timeout(120)


def traffic(
    noise: str, rng: np.random.Generator, share: float, seconds: float, fault: Fault = healthy
) -> tuple[Requests, Requests]:
    if noise == "trace":
        return TRACE.draw(rng, share, seconds, fault)
    return synthetic(rng, share, RATE, seconds, fault)


def failures(rng: np.random.Generator, requests: Requests, rate: float) -> NDArray[np.bool_]:
    return rng.random(len(requests.started)) < rate


def soak(noise: str, share: float, seed: int) -> Soak:
    """Return one of the soaks of equal builds; both tests below play the same ones."""
    rng = np.random.default_rng([seed, round(share * 10), noise == "trace"])
    sides = traffic(noise, rng, share, SOAK_SECONDS)
    failing = (failures(rng, sides[0], USUAL_ERRORS), failures(rng, sides[1], USUAL_ERRORS))
    return Soak(*sides, SOAK_SECONDS, share, failing)


@pytest.mark.parametrize(("noise", "share"), NEAREST)
def test_equal_builds_are_never_failed(noise: str, share: float) -> None:
    for seed in sorted({*range(ALWAYS_PLAYED), *NEAREST[noise, share]}):
        verdict = hear(soak(noise, share, seed))
        assert verdict is None, (seed, verdict)


@pytest.mark.long
@pytest.mark.parametrize(("noise", "share"), NEAREST)
def test_the_nearest_are_the_nearest(noise: str, share: float) -> None:
    """Where this fails the guard, the noise or numpy's generator has changed: write its answer there."""
    soaks = (soak(noise, share, seed) for seed in range(SOAKS))
    assert nearest(soaks) == NEAREST[noise, share]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("noise", "share"), NEAREST)
def test_the_guard_itself_fails_none_of_the_equal_builds(noise: str, share: float) -> None:
    for seed in range(SOAKS):
        verdict = hear(soak(noise, share, seed))
        assert verdict is None, (seed, verdict)


# The trace is heavily loaded (p95 is 4.5 times the median) and gives the larger side 10 requests a
# second instead of 18: what 12 requests a second can tell at 90/10 takes a little longer.
@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("onset", [0.0, 60.0])
@pytest.mark.parametrize(
    ("noise", "share", "least"),
    [
        ("synthetic", 0.1, 1.0),
        ("synthetic", 0.5, 1.0),
        ("synthetic", 0.9, 1.0),
        ("trace", 0.1, 0.95),
        ("trace", 0.5, 0.99),
        ("trace", 0.9, 0.8),
    ],
)
def test_twice_the_latency_is_found_within_20_seconds(
    noise: str, share: float, least: float, onset: float, faults: int
) -> None:
    def twice(times: Floats, service: Floats, _rng: np.random.Generator) -> Floats:
        return np.where(times >= onset, 2 * service, service)

    found = 0
    for seed in range(faults):
        rng = np.random.default_rng([7, seed])
        sides = traffic(noise, rng, share, onset + 20, twice)
        verdict = play(*sides, onset + 20, share=share, onset=onset)
        found += verdict is not None and verdict[0] >= onset
    assert found >= int(least * faults)


# With a tenth of the traffic the candidate has 120 answers in a minute, six of them failures on
# average: every second time these differ clearly from an equal build's. (The trace has 20 requests a
# second at equal shares only.)
@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize(
    ("noise", "share", "least"),
    [
        ("synthetic", 0.1, 0.5),
        ("synthetic", 0.5, 0.99),
        ("synthetic", 0.9, 0.65),
        ("trace", 0.5, 0.99),
    ],
)
def test_five_per_cent_of_errors_are_found_within_60_seconds(
    noise: str, share: float, least: float, faults: int
) -> None:
    found = 0
    for seed in range(faults):
        rng = np.random.default_rng([8, seed])
        sides = traffic(noise, rng, share, 60)
        failing = (failures(rng, sides[0], 0.05), failures(rng, sides[1], USUAL_ERRORS))
        found += play(*sides, 60, share=share, failing=failing) is not None
    assert found >= int(least * faults)
