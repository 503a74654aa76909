"""Which candidate is certified: the best by weight among those that pass every required gate.

Pure. The job calls it after the choice split is measured; the operator calls it again, on the
stored trials, when only the gates or weights of a spec changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.modelvariant import Interval, Trial, TrialOutcome
from skerry.judging.gates import evaluate, passes, shortfalls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skerry.api.edgemodel import Gates, Weights

# A build that needs (next to) nothing must not win by an endless logarithm.
LEAST_FACTOR = 0.01


@dataclass(frozen=True)
class Choice:
    """The ranking of the candidates that pass, the front of all, and why, in one sentence."""

    ranking: tuple[str, ...]
    front: tuple[str, ...]
    explanation: str

    @property
    def chosen(self) -> str | None:
        """The best recipe, or None when no candidate passes."""
        return self.ranking[0] if self.ranking else None


def choose(trials: Sequence[Trial], gates: Gates, weights: Weights) -> Choice:
    """Rank the trials that pass every required gate by `score`; the smaller file wins a tie."""
    passing = [
        trial
        for trial in trials
        if passes(evaluate(trial, gates), allow_marginal=gates.allow_marginal)
    ]
    ranked = sorted(passing, key=lambda trial: (-score(trial, weights), trial.bytes, trial.recipe))
    return Choice(
        ranking=tuple(trial.recipe for trial in ranked),
        front=pareto_front(trials),
        explanation=_explain(trials, ranked, gates, weights),
    )


def score(trial: Trial, weights: Weights) -> float:
    """Return the weighted mean of the logarithms of the speed, quality and memory ratios.

    Logarithms, so that twice as fast weighs as much as half as much memory; 0 is the baseline.
    """
    parts = zip(shares(weights), _factors(trial), strict=True)
    return sum(weight * math.log(factor) for weight, factor in parts)


def pareto_front(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the measured recipes that no other beats in speed, quality and memory at once."""
    return tuple(trial.recipe for trial in pareto_front_of(trials))


def pareto_front_of(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Return the measured trials that no other beats in speed, quality and memory at once."""
    measured = [trial for trial in trials if trial.outcome is TrialOutcome.MEASURED]
    return tuple(
        trial
        for trial in measured
        if not any(_dominates(_factors(other), _factors(trial)) for other in measured)
    )


def nearest_miss(trials: Sequence[Trial], gates: Gates, weights: Weights) -> Trial | None:
    """Return the measured trial that fails the fewest required gates, the best of these by score."""
    measured = [trial for trial in trials if trial.outcome is TrialOutcome.MEASURED]
    return min(
        measured,
        key=lambda trial: (len(_shortfalls(trial, gates)), -score(trial, weights), trial.bytes),
        default=None,
    )


def shares(weights: Weights) -> tuple[float, float, float]:
    """Return the weights of speed, quality and memory as shares of 1."""
    speed, quality, memory = (float(w) for w in (weights.speed, weights.quality, weights.memory))
    total = speed + quality + memory
    return speed / total, quality / total, memory / total


def _factors(trial: Trial) -> tuple[float, float, float]:
    speed, quality = _value(trial.speedup, 1), _value(trial.quality, 0)
    memory_left = 1 - _value(trial.memory_reduction, 0)
    return (
        max(speed, LEAST_FACTOR),
        max(quality, LEAST_FACTOR),
        1 / max(memory_left, LEAST_FACTOR),
    )


def _value(interval: Interval | None, otherwise: float) -> float:
    return otherwise if interval is None else float(interval.value)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def _shortfalls(trial: Trial, gates: Gates) -> tuple[str, ...]:
    return shortfalls(evaluate(trial, gates), allow_marginal=gates.allow_marginal)


def _explain(
    trials: Sequence[Trial], ranked: Sequence[Trial], gates: Gates, weights: Weights
) -> str:
    if not trials:
        return "no recipe made a build"
    if not ranked:
        return _none_passes(trials, gates, weights)
    best = ranked[0]
    text = (
        f"{best.recipe} is the best of {len(ranked)} that pass every required gate"
        f" (of {len(trials)} recipes, weighted score {score(best, weights):.2f}):"
        f" {figures(best)}"
    )
    return text + _faster_but(trials, ranked, gates)


def _none_passes(trials: Sequence[Trial], gates: Gates, weights: Weights) -> str:
    """Say what each one lacks, the nearest miss first: who must be brief cuts the end."""
    nearest = nearest_miss(trials, gates, weights)
    ordered = sorted(trials, key=lambda trial: trial is not nearest)
    reasons = "; ".join(f"{trial.recipe}: {_why_not(trial, gates)}" for trial in ordered)
    nearness = ", nearest first" if nearest and len(trials) > 1 else ""
    return f"none of {len(trials)} recipes passes{nearness}: {reasons}"


def _why_not(trial: Trial, gates: Gates) -> str:
    if trial.outcome is not TrialOutcome.MEASURED:
        return trial.message or trial.outcome.value
    return ", ".join(_shortfalls(trial, gates))


def figures(trial: Trial) -> str:
    """Return what a trial is worth, for people."""
    speed, quality = _value(trial.speedup, 1), _value(trial.quality, 0)
    memory = round(_value(trial.memory_reduction, 0) * 100)
    saved = f"{memory} % less memory" if memory >= 0 else f"{-memory} % more memory"
    return f"{speed:.2f}x as fast, quality {quality:.3f}, {saved}"


def _faster_but(trials: Sequence[Trial], ranked: Sequence[Trial], gates: Gates) -> str:
    """Name the fastest candidate that was refused, if it is faster than the chosen one."""
    refused = [
        trial
        for trial in trials
        if trial not in ranked
        and trial.outcome is TrialOutcome.MEASURED
        and _value(trial.speedup, 0) > _value(ranked[0].speedup, 0)
    ]
    if not refused:
        return ""
    fastest = max(refused, key=lambda trial: _value(trial.speedup, 0))
    return (
        f"; {fastest.recipe} is faster ({_value(fastest.speedup, 0):.2f}x) but"
        f" {', '.join(_shortfalls(fastest, gates))}"
    )
