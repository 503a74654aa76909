"""Which candidate is certified: the best by weight among those that pass every required gate.

Pure. The job calls it after the choice split is measured; the operator calls it again, on the
stored recipe results, when only the gates or weights of a spec changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.modelvariant import Interval, RecipeOutcome, RecipeResult
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


def choose(recipe_results: Sequence[RecipeResult], gates: Gates, weights: Weights) -> Choice:
    """Rank the recipe results that pass every required gate by `score`; the smaller file wins a tie."""
    passing = [
        result
        for result in recipe_results
        if passes(evaluate(result, gates), allow_marginal=gates.allow_marginal)
    ]
    ranked = sorted(
        passing, key=lambda result: (-score(result, weights), result.bytes, result.recipe)
    )
    return Choice(
        ranking=tuple(result.recipe for result in ranked),
        front=pareto_front(recipe_results),
        explanation=_explain(recipe_results, ranked, gates, weights),
    )


def score(result: RecipeResult, weights: Weights) -> float:
    """Return the weighted mean of the logarithms of the speed, quality and memory ratios.

    Logarithms, so that twice as fast weighs as much as half as much memory; 0 is the baseline.
    """
    parts = zip(shares(weights), _factors(result), strict=True)
    return sum(weight * math.log(factor) for weight, factor in parts)


def pareto_front(recipe_results: Sequence[RecipeResult]) -> tuple[str, ...]:
    """Return the measured recipes that no other beats in speed, quality and memory at once."""
    return tuple(result.recipe for result in pareto_front_of(recipe_results))


def pareto_front_of(recipe_results: Sequence[RecipeResult]) -> tuple[RecipeResult, ...]:
    """Return the measured recipe results that no other beats in speed, quality and memory at once."""
    measured = [result for result in recipe_results if result.outcome is RecipeOutcome.MEASURED]
    return tuple(
        result
        for result in measured
        if not any(_dominates(_factors(other), _factors(result)) for other in measured)
    )


def nearest_miss(
    recipe_results: Sequence[RecipeResult], gates: Gates, weights: Weights
) -> RecipeResult | None:
    """Return the measured recipe result that fails the fewest required gates, the best of these by score."""
    measured = [result for result in recipe_results if result.outcome is RecipeOutcome.MEASURED]
    return min(
        measured,
        key=lambda result: (len(_shortfalls(result, gates)), -score(result, weights), result.bytes),
        default=None,
    )


def shares(weights: Weights) -> tuple[float, float, float]:
    """Return the weights of speed, quality and memory as shares of 1."""
    speed, quality, memory = (float(w) for w in (weights.speed, weights.quality, weights.memory))
    total = speed + quality + memory
    return speed / total, quality / total, memory / total


def _factors(result: RecipeResult) -> tuple[float, float, float]:
    speed, quality = _value(result.speedup, 1), _value(result.quality, 0)
    memory_left = 1 - _value(result.memory_reduction, 0)
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


def _shortfalls(result: RecipeResult, gates: Gates) -> tuple[str, ...]:
    return shortfalls(evaluate(result, gates), allow_marginal=gates.allow_marginal)


def _explain(
    recipe_results: Sequence[RecipeResult],
    ranked: Sequence[RecipeResult],
    gates: Gates,
    weights: Weights,
) -> str:
    if not recipe_results:
        return "no recipe made a build"
    if not ranked:
        return _none_passes(recipe_results, gates, weights)
    best = ranked[0]
    text = (
        f"{best.recipe} is the best of {len(ranked)} that pass every required gate"
        f" (of {len(recipe_results)} recipes, weighted score {score(best, weights):.2f}):"
        f" {figures(best)}"
    )
    return text + _faster_but(recipe_results, ranked, gates)


def _none_passes(recipe_results: Sequence[RecipeResult], gates: Gates, weights: Weights) -> str:
    """Say what each one lacks, the nearest miss first: who must be brief cuts the end."""
    nearest = nearest_miss(recipe_results, gates, weights)
    ordered = sorted(recipe_results, key=lambda result: result is not nearest)
    reasons = "; ".join(f"{result.recipe}: {_why_not(result, gates)}" for result in ordered)
    nearness = ", nearest first" if nearest and len(recipe_results) > 1 else ""
    return f"none of {len(recipe_results)} recipes passes{nearness}: {reasons}"


def _why_not(result: RecipeResult, gates: Gates) -> str:
    if result.outcome is not RecipeOutcome.MEASURED:
        return result.message or result.outcome.value
    return ", ".join(_shortfalls(result, gates))


def figures(result: RecipeResult) -> str:
    """Return what a recipe result is worth, for people."""
    speed, quality = _value(result.speedup, 1), _value(result.quality, 0)
    memory = round(_value(result.memory_reduction, 0) * 100)
    saved = f"{memory} % less memory" if memory >= 0 else f"{-memory} % more memory"
    return f"{speed:.2f}x as fast, quality {quality:.3f}, {saved}"


def _faster_but(
    recipe_results: Sequence[RecipeResult], ranked: Sequence[RecipeResult], gates: Gates
) -> str:
    """Name the fastest candidate that was refused, if it is faster than the chosen one."""
    refused = [
        result
        for result in recipe_results
        if result not in ranked
        and result.outcome is RecipeOutcome.MEASURED
        and _value(result.speedup, 0) > _value(ranked[0].speedup, 0)
    ]
    if not refused:
        return ""
    fastest = max(refused, key=lambda result: _value(result.speedup, 0))
    return (
        f"; {fastest.recipe} is faster ({_value(fastest.speedup, 0):.2f}x) but"
        f" {', '.join(_shortfalls(fastest, gates))}"
    )
