"""A race between candidates: who leads, who is beaten beyond doubt, what more blocks could still decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skerry.api.edgemodel import Gates, Weights
from skerry.api.modelvariant import RecipeOutcome, RecipeResult
from skerry.judging.racing import at_best_quality, beaten, is_open, leader, said_beaten, settled
from skerry.precision import Precision
from tests.unit.judging.recipe_results import interval, recipe_result

if TYPE_CHECKING:
    from skerry.api.modelvariant import Interval

GATES, WEIGHTS = Gates(), Weights()
CLEAR = recipe_result("clear", speedup=interval(2.0, 1.9, 2.1))


def at(low: float, high: float, **fields: Interval) -> RecipeResult:
    """Return a recipe result as good as the clear one except for its speed."""
    return recipe_result("other", speedup=interval((low + high) / 2, low, high), **fields)


def test_the_leader_is_the_best_of_those_that_pass() -> None:
    faster_but_wrong = recipe_result("wrong", speedup=interval(9), quality=interval(0.8))
    slower = at(1.2, 1.3)
    assert leader([slower, faster_but_wrong, CLEAR], GATES, WEIGHTS) == CLEAR
    assert leader([faster_but_wrong], GATES, WEIGHTS) is None
    assert leader([], GATES, WEIGHTS) is None


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(1.2, 1.8, True), (1.2, 1.95, False), (2.2, 2.3, False)]
)
def test_beaten_is_who_is_behind_at_its_fastest(low: float, high: float, *, expected: bool) -> None:
    assert beaten(at(low, high), CLEAR, WEIGHTS) is expected
    assert not beaten(at(low, high), None, WEIGHTS)


def test_what_beats_is_named_with_how_clearly() -> None:
    text = said_beaten(at(1.2, 1.3), CLEAR, WEIGHTS)
    assert text == "beaten by clear beyond doubt (score at most 0.38, there at least 0.53)"


@pytest.mark.parametrize(
    ("candidate", "best", "expected"),
    [
        # The choice: whose intervals meet.
        (at(1.8, 2.2), CLEAR, True),
        (at(1.2, 1.8), CLEAR, False),
        (at(2.2, 2.4), CLEAR, False),
        # A required gate: not slower, 0.95.
        (at(0.9, 1.1), None, True),
        (at(1.0, 1.1), None, False),
        (at(0.9, 1.1), CLEAR, False),
        # What can't be chosen any more.
        (at(1.8, 2.2, quality=interval(0.9)), CLEAR, False),
        (at(0.8, 0.9), None, False),
    ],
)
def test_more_blocks_are_for_an_open_choice_or_an_open_gate(
    candidate: RecipeResult, best: RecipeResult | None, *, expected: bool
) -> None:
    assert is_open(candidate, best, GATES, WEIGHTS) is expected


def test_before_all_samples_are_judged_the_quality_counts_as_good_as_it_may_be() -> None:
    few = at(1.8, 1.89, quality=interval(0.9, 0.8, 1.0))
    assert beaten(few, CLEAR, WEIGHTS)
    assert not beaten(at_best_quality(few), CLEAR, WEIGHTS) or at_best_quality(
        few
    ).quality == interval(1.0)
    unjudged = recipe_result("none", quality=None)
    assert at_best_quality(unjudged) == unjudged


@pytest.mark.parametrize(
    ("stopped", "best", "expected"),
    [
        (at(1.2, 1.8), CLEAR, True),
        (at(1.2, 1.8), None, False),
        # Of 200 samples, where 500 might have shown more.
        (at(1.8, 1.9, quality=interval(0.9, 0.8, 1.0)), CLEAR, False),
        (at(1.2, 1.8, quality=interval(0.8, 0.7, 0.9)), None, True),
    ],
)
def test_under_other_rules_what_was_cut_short_may_need_another_job(
    stopped: RecipeResult, best: RecipeResult | None, *, expected: bool
) -> None:
    cut = stopped.model_copy(update={"cut_short": True})
    assert settled([CLEAR, cut], best, GATES, WEIGHTS) is expected
    assert settled([CLEAR, stopped], best, GATES, WEIGHTS)


def test_what_there_was_no_time_for_is_never_settled() -> None:
    untried = RecipeResult(
        recipe="late", precision=Precision.INT8, outcome=RecipeOutcome.FAILED, cut_short=True
    )
    assert not settled([CLEAR, untried], CLEAR, GATES, WEIGHTS)
