"""Quality against the baseline: kept neighbors with cosine, or a ratio of accuracies, F1 or errors.

All functions take answers as (samples, ...) arrays of the model's first output, in the same order
for both sides. A ratio is 1 when the candidate is as good as the baseline, and less when it is worse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.judging.intervals import (
    Estimate,
    log_ratio,
    mean_of,
    paired_mean_ratio,
    paired_ratio,
    wilson,
)
from skerry.tasks import TENSOR_INFERENCE, Metric
from skerry_runtime.nonfinite import FINITE, NAMES, NAN, finite, kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Answers that differ by less than this share of their length are the same but for rounding.
SAME_ANSWER = 1e-3


class QualityError(Exception):
    """The answers can't be judged by this metric; the message is for people."""


@dataclass(frozen=True)
class Quality:
    """How good answers are: a ratio to the baseline, the counts behind it, and the mean cosine.

    `kept` of `of` samples: the neighbor kept, the right class, or an error not above the baseline's.
    """

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
        QualityError: The answers have the wrong shape for the metric, are NaN or infinite where the
            baseline's are not (or the other way round), or the baseline is never right.
    """
    _check_same_kinds(baseline, candidate)
    if TENSOR_INFERENCE.metrics[metric].vectors:
        return nearest_neighbors(baseline, candidate)
    return _BY_LABELS[metric](baseline, candidate, _needed(metric, labels))


def check_answers(metric: str, answers: NDArray[Any], labels: NDArray[Any] | None) -> None:
    """Check that answers and labels are of the sort that the metric compares, before anything is built.

    Args:
        metric: of `spec.evaluation`.
        answers: of the first few samples.
        labels: of all samples, for the metrics that need them.

    Raises:
        QualityError: They are not.
    """
    if answers.dtype.kind in "OSU":
        raise QualityError("the first output is text, and the metrics compare numbers")
    _check_some_finite(answers)
    if TENSOR_INFERENCE.metrics[metric].vectors:
        _unit_rows(answers)
    elif metric == Metric.RMSE:
        _squared_errors(answers, _needed(metric, labels)[: len(answers)])
    else:
        _check_classes(answers, _needed(metric, labels))


def _check_some_finite(answers: NDArray[Any]) -> None:
    if kinds(answers).all():
        raise QualityError(
            "the model answers the first samples with NaN or infinities alone: do the arrays hold what the"
            " model expects?"
        )


def _check_same_kinds(baseline: NDArray[Any], candidate: NDArray[Any]) -> None:
    """Check that NaN and infinities stand where the baseline has them, and nowhere else."""
    theirs, ours = (kinds(one).reshape(len(one), -1) for one in (baseline, candidate))
    if theirs.shape != ours.shape:  # the metric's to judge
        theirs = np.zeros_like(ours)
    others = np.argwhere(theirs != ours)
    if len(others):
        row, place = (int(axis) for axis in others[0])
        said, meant = (NAMES.get(int(one[row, place]), "a number") for one in (ours, theirs))
        raise QualityError(f"it answers sample {row} with {said} where the source has {meant}")


def _needed(metric: str, labels: NDArray[Any] | None) -> NDArray[Any]:
    if labels is None:
        raise QualityError(f"the metric {metric} needs labels")
    return labels


def _check_classes(answers: NDArray[Any], labels: NDArray[Any]) -> None:
    scores = answers.reshape(len(answers), -1).shape[1]
    least, most = int(labels.min()), int(labels.max())
    if scores == 1:
        given = _classes(answers)
        given = given[kinds(given) == FINITE]
        fractions = given[given != np.round(given)]
        if len(fractions):
            raise QualityError(
                f"the first output is one number a sample and no class ({fractions[0]:g}): let the"
                f" model give the class or a score for each, or use the metric {Metric.RMSE}"
            )
    elif least < 0 or most >= scores:
        raise QualityError(
            f"the first output has {scores} scores a sample, for the classes 0 to {scores - 1}, and"
            f" the labels go from {least} to {most}: number the classes as the model does, and leave out"
            " samples of none"
        )


def nearest_neighbors(baseline: NDArray[Any], candidate: NDArray[Any]) -> Quality:
    """Return the share of samples whose nearest neighbor by cosine stayed the same.

    Samples that the baseline answers with NaN or infinities have no direction, and are left out.
    """
    known = _finite_rows(baseline)
    ours, theirs = _unit_rows(candidate[known]), _unit_rows(baseline[known])
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


def f1(baseline: NDArray[Any], candidate: NDArray[Any], labels: NDArray[Any]) -> Quality:
    """Return the ratio of the two F1 scores, each the mean over the classes that the labels name.

    The mean over classes, not over samples: a class that is rare counts as much as one that is not.
    """
    ours, theirs = _F1(_classes(candidate), labels), _F1(_classes(baseline), labels)
    if not theirs.score:
        raise QualityError(
            "the baseline is never right, so there is no ratio to it: do the labels belong to this"
            " model?"
        )
    influences = ours.influences - theirs.influences
    # Answers that never differ prove no equality: two samples more, on which one of them alone
    # errs, stand for what was not seen, as in the ratio of accuracies.
    unseen = [theirs.one_error, -theirs.one_error]
    ratio = log_ratio(ours.score / theirs.score, [*influences.tolist(), *unseen])
    return Quality(ratio, int(ours.right.sum()), len(labels))


class _F1:
    """The F1 score of some answers, and what each sample does to its logarithm.

    Of a class with the shares t (right), p (answered) and l (labeled) F1 is 2t / (p + l); a sample
    moves it by the derivative, (2 [right] - F1 ([answered] + [labeled])) / (p + l).
    """

    def __init__(self, answers: NDArray[Any], labels: NDArray[Any]) -> None:
        names = np.unique(labels)[:, None]
        answered, labeled = answers == names, labels == names
        self.right = answers == labels
        either = (answered.mean(axis=1) + labeled.mean(axis=1))[:, None]
        scores = 2 * (answered & labeled).mean(axis=1, keepdims=True) / either
        self.score = float(scores.mean())
        both = answered.astype(np.float64) + labeled
        moved = (2 * (answered & labeled) - scores * both) / either
        # A right answer of the mean sample that becomes a wrong one of another class.
        lost = ((2 - scores) / either * labeled).sum(axis=0).mean() / len(names)
        scale = self.score or 1.0
        self.influences: NDArray[np.float64] = moved.mean(axis=0) / scale
        self.one_error = float(lost / scale)


def rmse(baseline: NDArray[Any], candidate: NDArray[Any], labels: NDArray[Any]) -> Quality:
    """Return the baseline's root mean square error over the candidate's, on the same samples.

    Samples that the baseline answers with NaN or infinities have no error, and are left out.
    """
    known = _finite_rows(baseline)
    baseline, candidate, labels = baseline[known], candidate[known], labels[known]
    ours, theirs = (_squared_errors(answers, labels) for answers in (candidate, baseline))
    try:
        squares = paired_mean_ratio(theirs.tolist(), ours.tolist())
    except ValueError as error:
        raise QualityError(
            "the answers are the labels exactly, so there is no ratio of errors: are the labels"
            " a model's own answers?"
        ) from error
    return Quality(squares.map(math.sqrt), int((ours <= theirs).sum()), len(labels))


_BY_LABELS: dict[str, Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], Quality]] = {
    Metric.ACCURACY: accuracy,
    Metric.F1: f1,
    Metric.RMSE: rmse,
}


def same_answers(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether all rows agree but for rounding."""
    return not len(differing(one, other))


def differing(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.intp]:
    """Return the places of the rows that differ by more than rounding; NaN is the same as NaN."""
    first, second = (finite(a).reshape(len(a), -1) for a in (one, other))
    otherwise = (kinds(one) != kinds(other)).reshape(len(one), -1).any(axis=1)
    lengths = np.maximum(np.linalg.norm(second, axis=1), 1e-9)
    apart = np.linalg.norm(first - second, axis=1) > SAME_ANSWER * lengths
    return np.flatnonzero(otherwise | apart)


def _finite_rows(answers: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which samples are answered with finite numbers alone.

    Raises:
        QualityError: None is.
    """
    found: NDArray[np.bool_] = (kinds(answers).reshape(len(answers), -1) == FINITE).all(axis=1)
    if not found.any():
        raise QualityError(
            "the source answers every sample with a NaN or an infinity among its numbers"
        )
    return found


def _unit_rows(answers: NDArray[Any]) -> NDArray[np.float64]:
    rows = answers.reshape(len(answers), -1).astype(np.float64)
    if rows.shape[1] < 2:  # noqa: PLR2004 - a direction needs two numbers
        raise QualityError(
            f"the metric {Metric.NEAREST_NEIGHBORS} needs a vector per sample as the first output"
        )
    unit: NDArray[np.float64] = rows / np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), 1e-12
    )
    return unit


def _nearest(unit: NDArray[np.float64]) -> NDArray[np.intp]:
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -np.inf)
    nearest: NDArray[np.intp] = likeness.argmax(axis=1)
    return nearest


def _squared_errors(answers: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the squared error of each sample, the mean over the numbers that it is answered with."""
    given, wanted = (a.reshape(len(a), -1).astype(np.float64) for a in (answers, labels))
    if given.shape != wanted.shape:
        raise QualityError(
            f"the first output has {given.shape[1]} numbers a sample and the labels have"
            f" {wanted.shape[1]}: the metric {Metric.RMSE} compares them one by one"
        )
    errors: NDArray[np.float64] = np.square(given - wanted).mean(axis=1)
    return errors


def _classes(answers: NDArray[Any]) -> NDArray[Any]:
    """Return a class per sample: the answer itself, or the place of the greatest score; -1 where all are NaN."""
    if answers.ndim == 1:
        return answers
    scores = answers.reshape(len(answers), -1)
    if scores.shape[1] == 1:
        return scores[:, 0]
    none = kinds(scores) == NAN
    return np.where(none.all(axis=1), -1, np.where(none, -np.inf, scores).argmax(axis=1))
