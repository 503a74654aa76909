"""When a candidate of a search is measured no further: another one beats it beyond doubt, or all is decided.

Pure. A candidate's quality and memory are known once it has answered; more blocks of calls sharpen its
speed alone. So a race compares scores at the ends of the interval of the speed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.modelvariant import Interval, Trial
from skerry.judging.choose import choose, score
from skerry.judging.gates import evaluate, failing, passes, undecided

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.api.edgemodel import Gates, Weights


def leader(trials: Iterable[Trial], gates: Gates, weights: Weights) -> Trial | None:
    """Return the best so far among those that pass every required gate."""
    known = list(trials)
    best = choose(known, gates, weights).chosen
    return next((trial for trial in known if trial.recipe == best), None)


def beaten(trial: Trial, best: Trial | None, weights: Weights) -> bool:
    """Return whether `trial` at its fastest scores less than `best` at its slowest."""
    return best is not None and _span(trial, weights)[1] < _span(best, weights)[0]


def at_best_quality(trial: Trial) -> Trial:
    """Return a trial as good as the samples so far let it be: all of them may show no better."""
    quality = trial.quality
    if quality is None:
        return trial
    best = Interval(value=quality.high, low=quality.high, high=quality.high)
    return trial.model_copy(update={"quality": best})


def is_open(trial: Trial, best: Trial | None, gates: Gates, weights: Weights) -> bool:
    """Return whether more blocks could decide a required gate, or which of the two is better."""
    results = evaluate(trial, gates)
    if failing(results) or beaten(trial, best, weights):
        return False
    if "speedup" in undecided(results):
        return True
    if best is None or not passes(results, allow_marginal=gates.allow_marginal):
        return False
    return not beaten(best, trial, weights)


def settled(trials: Iterable[Trial], best: Trial | None, gates: Gates, weights: Weights) -> bool:
    """Return whether what was cut short under other rules can't change the choice under these."""
    return all(
        failing(evaluate(trial, gates))
        or (trial.speedup is not None and beaten(at_best_quality(trial), best, weights))
        for trial in trials
        if trial.cut_short
    )


def said_beaten(trial: Trial, best: Trial, weights: Weights) -> str:
    """Say by what a trial is beaten, and how clearly."""
    ours, theirs = _span(trial, weights)[1], _span(best, weights)[0]
    return f"beaten by {best.recipe} beyond doubt (score at most {ours:.2f}, there at least {theirs:.2f})"


def _span(trial: Trial, weights: Weights) -> tuple[float, float]:
    """Return the score at the slowest and at the fastest that the trial may be."""
    speed = trial.speedup
    if speed is None:
        return score(trial, weights), score(trial, weights)
    low, high = (score(_at(trial, bound), weights) for bound in (speed.low, speed.high))
    return low, high


def _at(trial: Trial, speed: str) -> Trial:
    return trial.model_copy(update={"speedup": Interval(value=speed, low=speed, high=speed)})
