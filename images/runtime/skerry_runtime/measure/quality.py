"""Quality against the baseline's answers: kept neighbours with cosine, or the ratio of accuracies.

All functions take answers as (samples, ...) arrays of the model's first output, in the same order
for both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.decide.intervals import Estimate, mean_of, paired_ratio, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = "neighbours"
# Answers that differ by less than this share of their length are the same but for rounding.
SAME_ANSWER = 1e-3


class QualityError(Exception):
    """The answers can't be judged by this metric; the message is for people."""


@dataclass(frozen=True)
class Quality:
    """How good answers are: a ratio to the baseline, the counts behind it, and the mean cosine."""

    ratio: Estimate
    kept: int
    of: int
    cosine: Estimate | None = None

    def or_worse(self, other: Quality) -> Quality:
        """Return the worse of two, figure by figure."""
        worse = self if self.ratio.low <= other.ratio.low else other
        cosines = [one.cosine for one in (self, other) if one.cosine is not None]
        lowest = min(cosines, key=lambda cosine: cosine.low, default=None)
        return Quality(worse.ratio, worse.kept, worse.of, lowest)


def judge(
    metric: str,
    baseline: NDArray[Any],
    candidate: NDArray[Any],
    labels: NDArray[Any] | None,
) -> Quality:
    """Judge the candidate's answers by the metric.

    Raises:
        QualityError: The answers have the wrong shape for the metric, are not finite, or the
            baseline is never right.
    """
    if candidate.dtype.kind == "f" and not np.isfinite(candidate).all():
        raise QualityError("the model answers with values that are not finite (NaN or infinity)")
    if metric == NEIGHBOURS:
        return neighbours(baseline, candidate)
    if labels is None:
        raise QualityError("the metric accuracy needs labels")
    return accuracy(baseline, candidate, labels)


def neighbours(baseline: NDArray[Any], candidate: NDArray[Any]) -> Quality:
    """Return the share of samples whose nearest neighbour by cosine stayed the same."""
    ours, theirs = _unit_rows(candidate), _unit_rows(baseline)
    kept = int((_nearest(ours) == _nearest(theirs)).sum())
    cosine = mean_of((ours * theirs).sum(axis=1).tolist())
    return Quality(wilson(kept, len(ours)), kept, len(ours), cosine)


def accuracy(baseline: NDArray[Any], candidate: NDArray[Any], labels: NDArray[Any]) -> Quality:
    """Return the ratio of the two shares of right answers, from the same samples."""
    ours, theirs = (_classes(answers) == labels for answers in (candidate, baseline))
    both, only_ours = int((ours & theirs).sum()), int((ours & ~theirs).sum())
    only_theirs = int((~ours & theirs).sum())
    try:
        ratio = paired_ratio(both, only_ours, only_theirs)
    except ValueError as error:
        raise QualityError(f"{error}: do the labels belong to this model?") from error
    return Quality(ratio, both + only_ours, len(labels))


def same_answers(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Tell whether all rows agree but for rounding."""
    return not len(differing(one, other))


def differing(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.intp]:
    """Return the places of the rows that differ by more than rounding."""
    first, second = (a.reshape(len(a), -1).astype(np.float64) for a in (one, other))
    lengths = np.maximum(np.linalg.norm(second, axis=1), 1e-9)
    return np.flatnonzero(~(np.linalg.norm(first - second, axis=1) <= SAME_ANSWER * lengths))


def _unit_rows(answers: NDArray[Any]) -> NDArray[np.float64]:
    rows = answers.reshape(len(answers), -1).astype(np.float64)
    if rows.shape[1] < 2:  # noqa: PLR2004 - a direction needs two numbers
        raise QualityError("the metric neighbours needs a vector per sample as the first output")
    unit: NDArray[np.float64] = rows / np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), 1e-12
    )
    return unit


def _nearest(unit: NDArray[np.float64]) -> NDArray[np.intp]:
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -np.inf)
    nearest: NDArray[np.intp] = likeness.argmax(axis=1)
    return nearest


def _classes(answers: NDArray[Any]) -> NDArray[Any]:
    """Return a class per sample: the answer itself, or the place of the greatest score."""
    if answers.ndim == 1:
        return answers
    scores = answers.reshape(len(answers), -1)
    return scores[:, 0] if scores.shape[1] == 1 else scores.argmax(axis=1)
