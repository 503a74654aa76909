"""The screen against the guard: the same figures at each step, and no failed soak is ever cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from skerry.api.edgenode import VerdictOutcome
from skerry.api.guard import DEFAULT_RULES
from skerry.judging.guard import Answer, Evidence, Side, errors, shift, tail
from skerry.judging.guard.verdict import tolerated
from tests.unit.judging.guard import screen
from tests.unit.judging.guard.soak import COARSE_CADENCE_SECONDS, GUARD, Soak, hear
from tests.unit.judging.guard.test_simulation import failures, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.judging.guard.noise import Floats

pytestmark = pytest.mark.long  # only what that lane finds is used by the other

SECONDS = 300.0
SEEDS = range(4)
MILD = (1.0, 1.15, 1.3, 1.6)
"""So many times as slow from the middle on."""


def drawn(noise: str, share: float, seed: int, *, tail_only: bool = False) -> Soak:
    """Return a soak of equals, or with a fault on either side of what the guard notices."""
    rng = np.random.default_rng([11, seed])
    times = MILD[seed % len(MILD)]

    def slower(at: Floats, service: Floats, rng: np.random.Generator) -> Floats:
        hit = rng.random(len(at)) < 0.08 if tail_only else np.ones(len(at), bool)
        return np.where(
            (at > SECONDS / 2) & hit, (12 if tail_only else 1) * times * service, service
        )

    sides = traffic(noise, rng, share, SECONDS, slower)
    bad = (0.002, 0.03)[seed % 2]
    failing = failures(rng, sides[0], bad), failures(rng, sides[1], 0.002)
    return Soak(*sides, SECONDS, share, failing)


def steps(soak: Soak) -> Iterator[tuple[float, Evidence]]:
    """Yield the guard's evidence after each ten seconds."""
    evidence = Evidence()
    evidence.begin_step(round(soak.share * 100))
    for step in range(1, int(soak.seconds / COARSE_CADENCE_SECONDS) + 1):
        now = step * COARSE_CADENCE_SECONDS
        for side, requests, failed in zip(
            Side, (soak.candidate, soak.stable), soak.failing, strict=True
        ):
            span = slice(
                *np.searchsorted(requests.answered, (now - COARSE_CADENCE_SECONDS, now)).tolist()
            )
            rows = zip(requests.started[span], requests.answered[span], failed[span], strict=True)
            evidence.live.add(side, [Answer(float(a), float(b), bool(c)) for a, b, c in rows])
        yield now, evidence


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("noise", ["synthetic", "trace"])
def test_the_screen_s_z_is_the_guard_s(noise: str, share: float) -> None:
    compared = 0
    for seed in SEEDS:
        soak = drawn(noise, share, seed)
        found = screen.shift_z(*screen.sides_of(soak))
        if found is None:
            continue
        for (now, evidence), z in zip(steps(soak), found, strict=True):
            window = evidence.live.recent.window(now, GUARD.min_samples)
            if z == -np.inf:
                assert min(len(window.candidate), len(window.stable)) < GUARD.min_samples
            else:
                assert shift.excess(window, screen.TOLERATED_SHIFT) == pytest.approx(z, abs=1e-7)
                compared += 1
    assert compared > SECONDS / COARSE_CADENCE_SECONDS


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("noise", ["synthetic", "trace"])
def test_the_screen_s_tail_is_the_guard_s(
    noise: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    compared = 0
    fisher = tail.fisher

    def ask(*table: int) -> float:
        asked.append(fisher(*table))
        return asked[-1]

    for seed in SEEDS:
        soak = drawn(noise, share, seed, tail_only=True)
        found = screen.tail_p(*screen.sides_of(soak))
        if found is None:
            continue
        with monkeypatch.context() as patched:
            patched.setattr(tail, "fisher", ask)
            for (_, evidence), p in zip(steps(soak), found, strict=True):
                asked.clear()
                tails = evidence.live.tails
                tail.judge(
                    tails[Side.CANDIDATE],
                    tails[Side.STABLE],
                    screen.TOLERATED_TAIL,
                    GUARD.min_samples,
                )
                assert (asked or [1.0])[-1] == pytest.approx(p)
                compared += bool(asked)
    assert compared or noise == "trace"  # whose own p95 is 4.5 times its median


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_what_the_rule_of_errors_fails_is_never_cleared(share: float) -> None:
    failed = 0
    for seed in range(12):
        rng = np.random.default_rng([12, seed])
        sides = traffic("synthetic", rng, share, SECONDS)
        failing = failures(rng, sides[0], 0.01 * (seed + 1)), failures(rng, sides[1], 0.002)
        soak = Soak(*sides, SECONDS, share, failing)
        outcomes = {
            errors.judge(
                evidence.live.counts[Side.CANDIDATE],
                evidence.live.counts[Side.STABLE],
                screen.TOLERATED_ERRORS,
                GUARD.min_samples,
                now,
            ).outcome
            for now, evidence in steps(soak)
        }
        doubted = outcomes & {VerdictOutcome.FAIL, VerdictOutcome.INCONCLUSIVE}
        failed += bool(doubted)
        assert not doubted or screen.errors_may_fail(soak.candidate.answered, failing[0], SECONDS)
    assert failed


@pytest.mark.parametrize("tail_only", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("noise", ["synthetic", "trace"])
def test_no_soak_that_the_guard_fails_is_cleared(
    noise: str, share: float, *, tail_only: bool
) -> None:
    for seed in SEEDS:
        soak = drawn(noise, share, seed, tail_only=tail_only)
        assert hear(soak) is None or screen.may_be_failed(soak), seed


def test_the_bounds_are_the_default_rules() -> None:
    bounds = [tolerated(rule) for rule in DEFAULT_RULES[:3]]
    assert bounds == [screen.TOLERATED_SHIFT, screen.TOLERATED_TAIL, screen.TOLERATED_ERRORS]
