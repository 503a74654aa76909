"""The choice among candidates: by weight, among those that pass, and explained."""

from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.api.edgemodel import Gates, Weights
from skerry.api.modelvariant import RecipeOutcome, RecipeResult
from skerry.judging.choose import choose, nearest_miss, pareto_front, score
from skerry.judging.gates import evaluate, passes
from tests.unit.judging.recipe_results import interval, recipe_result

GATES, WEIGHTS = Gates(), Weights()
FAST_LOSSY = recipe_result("dynamic-int8", quality=interval(0.918, 0.893, 0.938))
SLOW_LOSSY = recipe_result("dynamic-int4", quality=interval(0.8), speedup=interval(0.5))
WEIGHT_ONLY = recipe_result(
    "weight-only-int8", speedup=interval(1.47, 1.4, 1.5), memory_reduction=interval(0.36)
)
SOURCE = recipe_result("source", speedup=interval(1.0, 0.98, 1.02), memory_reduction=interval(0.0))
FAILED = recipe_result(
    "bfloat16", outcome=RecipeOutcome.NOT_SUPPORTED, message="the CPU has no AMX"
)


def test_best_of_those_that_pass() -> None:
    choice = choose([SOURCE, FAST_LOSSY, WEIGHT_ONLY, FAILED], GATES, WEIGHTS)
    assert choice.ranking == ("weight-only-int8", "source")
    assert choice.chosen == "weight-only-int8"
    assert choice.explanation == (
        "weight-only-int8 is the best of 2 that pass every required gate (of 4 recipes,"
        " weighted score 0.28): 1.47x as fast, quality 0.990, 36 % less memory; dynamic-int8 is"
        " faster (2.20x) but quality 0.918 (0.893 to 0.938) is below the required 0.950"
    )


def test_no_candidate_passes_and_each_gets_its_reason() -> None:
    choice = choose([FAST_LOSSY, FAILED], GATES, WEIGHTS)
    assert choice.chosen is None
    assert choice.explanation == (
        "none of 2 recipes passes, nearest first: dynamic-int8: quality 0.918 (0.893 to 0.938)"
        " is below the required 0.950; bfloat16: the CPU has no AMX"
    )
    assert choose([], GATES, WEIGHTS).explanation == "no recipe made a build"


def test_the_nearest_miss_is_reported_first_because_the_end_may_be_cut() -> None:
    text = choose([FAILED, SLOW_LOSSY, FAST_LOSSY], GATES, WEIGHTS).explanation
    places = [text.index(one.recipe) for one in (FAST_LOSSY, FAILED, SLOW_LOSSY)]
    assert places == sorted(places)


def test_more_memory_is_called_more() -> None:
    text = choose([recipe_result(memory_reduction=interval(-0.011))], GATES, WEIGHTS).explanation
    assert text.endswith("1 % more memory")


def test_weights_decide() -> None:
    fast = recipe_result("fast", speedup=interval(3.0), memory_reduction=interval(0.1))
    small = recipe_result("small", speedup=interval(1.1), memory_reduction=interval(0.8))
    speed = Weights(speed="1", quality="0", memory="0")
    memory = Weights(speed="0", quality="0", memory="5")
    assert choose([fast, small], GATES, speed).chosen == "fast"
    assert choose([fast, small], GATES, memory).chosen == "small"


def test_ties_go_to_the_smaller_file_then_by_name() -> None:
    large, small = recipe_result("a", bytes=2), recipe_result("b", bytes=1)
    assert choose([large, small], GATES, WEIGHTS).ranking == ("b", "a")
    assert choose([large, small, recipe_result("c", bytes=1)], GATES, WEIGHTS).ranking == (
        "b",
        "c",
        "a",
    )


def test_front_keeps_what_nothing_beats() -> None:
    dominated = recipe_result("worse", speedup=interval(1.2), memory_reduction=interval(0.1))
    front = pareto_front([SOURCE, FAST_LOSSY, WEIGHT_ONLY, dominated, FAILED])
    assert front == ("dynamic-int8", "weight-only-int8")


def test_nearest_miss_fails_the_fewest_gates() -> None:
    twice = recipe_result("twice", quality=interval(0.5), speedup=interval(0.5))
    once = recipe_result("once", quality=interval(0.94))
    missed = nearest_miss([twice, once, FAILED], GATES, WEIGHTS)
    assert missed is not None
    assert missed.recipe == "once"
    assert nearest_miss([FAILED], GATES, WEIGHTS) is None


def test_score_of_the_baseline_is_zero() -> None:
    same = recipe_result(quality=interval(1), speedup=interval(1), memory_reduction=interval(0))
    assert score(same, WEIGHTS) == 0


def test_a_model_without_memory_of_its_own_has_a_finite_score() -> None:
    assert score(recipe_result(memory_reduction=interval(1.0)), WEIGHTS) < 5


figures = st.floats(0.5, 4).map(lambda x: round(x, 3))
some_recipe_results = st.lists(
    st.builds(
        lambda speed, quality, memory, size: recipe_result(
            f"r{speed}{quality}{memory}{size}",
            speedup=interval(speed),
            quality=interval(quality / 4),
            memory_reduction=interval(1 - memory / 2),
            bytes=size,
        ),
        figures,
        figures,
        figures,
        st.integers(1, 5),
    ),
    max_size=6,
    unique_by=lambda one: one.recipe,
)


@settings(deadline=None)  # a busy machine is no fault of the choice
@given(some_recipe_results)
def test_the_choice_passes_and_does_not_depend_on_the_order(
    recipe_results: list[RecipeResult],
) -> None:
    choice = choose(recipe_results, GATES, WEIGHTS)
    by_name = {one.recipe: one for one in recipe_results}
    for name in choice.ranking:
        assert passes(evaluate(by_name[name], GATES), allow_marginal=False)
    assert choose(recipe_results[::-1], GATES, WEIGHTS).ranking == choice.ranking


@given(some_recipe_results)
def test_the_front_is_empty_only_without_recipe_results(recipe_results: list[RecipeResult]) -> None:
    assert bool(pareto_front(recipe_results)) == bool(recipe_results)
