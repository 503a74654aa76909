"""Which engine's build a target gets: the best by weight among the certified ones, with the words why.

Pure. Each build was measured in a job of its own, and so perhaps on another node of the class; all
against the same baseline, so their ratios can be compared (docs/adr/0013). The gates have been
applied to each by itself. A difference that is smaller than what the intervals leave open is a tie,
and the smaller model wins it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.judging.choose import LEAST_FACTOR, figures, pareto_front_of, score, shares

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skerry.api.edgemodel import Weights
    from skerry.api.modelvariant import Interval, RecipeResult


@dataclass(frozen=True)
class Contender:
    """One engine's certified build, as validation measured it."""

    engine: str
    result: RecipeResult

    @property
    def title(self) -> str:
        """As people call it."""
        return f"{self.engine} {self.result.recipe}"


@dataclass(frozen=True)
class Won:
    """Who won, and why, in a sentence."""

    winner: Contender
    explanation: str


def decide_contest(contenders: Sequence[Contender], weights: Weights) -> Won:
    """Choose between certified builds; the first in order wins what nothing else decides.

    Args:
        contenders: At least one, in the order of the class's ranking of engines.
        weights: Of speed, quality and memory.
    """
    best = max(contenders, key=lambda one: score(one.result, weights))
    tied = [one for one in contenders if one is best or is_tie(best.result, one.result, weights)]
    winner = min(tied, key=lambda one: one.result.bytes)
    others = [one for one in contenders if one is not winner]
    if not others:
        return Won(winner, f"{winner.title} is the only certified build: {figures(winner.result)}")
    return Won(winner, "; ".join(_compared(winner, one, tied, weights) for one in others))


def is_tie(one: RecipeResult, other: RecipeResult, weights: Weights) -> bool:
    """Return whether the intervals leave open which of two scores is greater."""
    open_part = math.hypot(spread(one, weights), spread(other, weights))
    return abs(score(one, weights) - score(other, weights)) <= open_part


def spread(result: RecipeResult, weights: Weights) -> float:
    """Return the half width of the score's 95 % interval.

    The intervals of speed, quality and memory are taken as independent, on the scale of logarithms.
    """
    speed, quality, memory = shares(weights)
    return math.hypot(
        speed * _half_width(_bounds(result.speedup)),
        quality * _half_width(_bounds(result.quality)),
        memory * _half_width(_left(result.memory_reduction)),
    )


def joint_front(
    recipe_results: Mapping[str, Sequence[RecipeResult]],
) -> tuple[tuple[str, RecipeResult], ...]:
    """Return the measured recipe results that none of any engine beats in speed, quality and memory at once.

    As measured to choose, which is the same effort for each; by engine, in the order given.
    """
    everyone = [(engine, result) for engine, its in recipe_results.items() for result in its]
    front = pareto_front_of([result for _, result in everyone])
    return tuple((engine, result) for engine, result in everyone if any(result is f for f in front))


def _compared(
    winner: Contender, other: Contender, tied: Sequence[Contender], weights: Weights
) -> str:
    mine, its = score(winner.result, weights), score(other.result, weights)
    scores = f"weighted scores {mine:.2f} and {its:.2f}"
    against = f"{figures(winner.result)}, against {figures(other.result)}"
    if other not in tied:
        return f"{winner.title} is better than {other.title} ({scores}): {against}"
    sizes = f"{winner.result.bytes / 1e6:.1f} MB against {other.result.bytes / 1e6:.1f} MB"
    return (
        f"{winner.title} and {other.title} are equal within measurement error ({scores}), so the"
        f" smaller is chosen ({sizes}): {against}"
    )


def _bounds(interval: Interval | None) -> tuple[float, float]:
    return (1, 1) if interval is None else (float(interval.low), float(interval.high))


def _left(saved: Interval | None) -> tuple[float, float]:
    """Return the bounds of the share of memory that is left."""
    return (1, 1) if saved is None else (1 - float(saved.high), 1 - float(saved.low))


def _half_width(bounds: tuple[float, float]) -> float:
    low, high = (max(bound, LEAST_FACTOR) for bound in bounds)
    return abs(math.log(high / low)) / 2
