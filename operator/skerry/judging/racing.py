"""When a candidate of a search is measured no further: another one beats it beyond doubt, or all is decided.

Pure. A candidate's quality and memory are known once it has answered; more blocks of calls sharpen its
speed alone. So a race compares scores at the ends of the interval of the speed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.modelvariant import Interval, RecipeResult
from skerry.judging.choose import choose, score
from skerry.judging.gates import evaluate, failing, passes, undecided

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.api.edgemodel import Gates, Weights


def leader(
    recipe_results: Iterable[RecipeResult], gates: Gates, weights: Weights
) -> RecipeResult | None:
    """Return the best so far among those that pass every required gate."""
    known = list(recipe_results)
    best = choose(known, gates, weights).chosen
    return next((result for result in known if result.recipe == best), None)


def beaten(result: RecipeResult, best: RecipeResult | None, weights: Weights) -> bool:
    """Return whether `result` at its fastest scores less than `best` at its slowest."""
    return best is not None and _span(result, weights)[1] < _span(best, weights)[0]


def at_best_quality(result: RecipeResult) -> RecipeResult:
    """Return a recipe result as good as the samples so far let it be: all of them may show no better."""
    quality = result.quality
    if quality is None:
        return result
    best = Interval(value=quality.high, low=quality.high, high=quality.high)
    return result.model_copy(update={"quality": best})


def is_open(
    result: RecipeResult, best: RecipeResult | None, gates: Gates, weights: Weights
) -> bool:
    """Return whether more blocks could decide a required gate, or which of the two is better."""
    results = evaluate(result, gates)
    if failing(results) or beaten(result, best, weights):
        return False
    if "speedup" in undecided(results):
        return True
    if best is None or not passes(results, allow_marginal=gates.allow_marginal):
        return False
    return not beaten(best, result, weights)


def settled(
    recipe_results: Iterable[RecipeResult],
    best: RecipeResult | None,
    gates: Gates,
    weights: Weights,
) -> bool:
    """Return whether what was cut short under other rules can't change the choice under these."""
    return all(
        failing(evaluate(result, gates))
        or (result.speedup is not None and beaten(at_best_quality(result), best, weights))
        for result in recipe_results
        if result.cut_short
    )


def said_beaten(result: RecipeResult, best: RecipeResult, weights: Weights) -> str:
    """Say by what a recipe result is beaten, and how clearly."""
    ours, theirs = _span(result, weights)[1], _span(best, weights)[0]
    return f"beaten by {best.recipe} beyond doubt (score at most {ours:.2f}, there at least {theirs:.2f})"


def _span(result: RecipeResult, weights: Weights) -> tuple[float, float]:
    """Return the score at the slowest and at the fastest that the recipe result may be."""
    speed = result.speedup
    if speed is None:
        return score(result, weights), score(result, weights)
    low, high = (score(_at(result, bound), weights) for bound in (speed.low, speed.high))
    return low, high


def _at(result: RecipeResult, speed: str) -> RecipeResult:
    return result.model_copy(update={"speedup": Interval(value=speed, low=speed, high=speed)})
