"""The choice between engines: by score, ties by size, a front over all, each with words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skerry.api.edgemodel import Weights
from skerry.api.modelvariant import RecipeOutcome, RecipeResult
from skerry.judging.choose import score
from skerry.judging.contest import Contender, decide_contest, is_tie, joint_front
from tests.unit.judging.recipe_results import interval, recipe_result

WEIGHTS = Weights()
PTQ = recipe_result(
    "ptq-int8", speedup=interval(2.6, 2.5, 2.7), quality=interval(0.955, 0.94, 0.97),
    memory_reduction=interval(0.05, 0.04, 0.06), bytes=23_900_000,
)  # fmt: skip
BLOCKS = recipe_result(
    "weight-int8-block128", speedup=interval(1.5, 1.45, 1.55), quality=interval(0.966, 0.95, 0.98),
    memory_reduction=interval(0.23, 0.22, 0.24), bytes=58_800_000,
)  # fmt: skip


def test_the_better_score_wins_and_the_words_compare() -> None:
    won = decide_contest([Contender("OpenVINO", PTQ), Contender("ONNXRuntime", BLOCKS)], WEIGHTS)
    assert won.winner.engine == "OpenVINO"
    assert won.explanation == (
        "OpenVINO ptq-int8 is better than ONNXRuntime weight-int8-block128 (weighted scores 0.38"
        " and 0.23): 2.60x as fast, quality 0.955, 5 % less memory, against 1.50x as fast, quality"
        " 0.966, 23 % less memory"
    )


def test_weights_turn_the_choice() -> None:
    contenders = [Contender("OpenVINO", PTQ), Contender("ONNXRuntime", BLOCKS)]
    memory = Weights(speed="0", quality="0", memory="1")
    assert decide_contest(contenders, memory).winner.engine == "ONNXRuntime"


def test_what_measurement_can_not_tell_apart_is_decided_by_size() -> None:
    near = BLOCKS.model_copy(update={"speedup": interval(1.52, 1.47, 1.57), "bytes": 60_000_000})
    assert is_tie(near, BLOCKS, WEIGHTS)
    won = decide_contest([Contender("OpenVINO", near), Contender("ONNXRuntime", BLOCKS)], WEIGHTS)
    assert won.winner.engine == "ONNXRuntime"
    assert "are equal within measurement error" in won.explanation
    assert "the smaller is chosen (58.8 MB against 60.0 MB)" in won.explanation


def test_equal_in_all_the_first_of_the_ranking_wins() -> None:
    contenders = [Contender("OpenVINO", BLOCKS), Contender("ONNXRuntime", BLOCKS)]
    assert decide_contest(contenders, WEIGHTS).winner.engine == "OpenVINO"


def test_one_alone_wins_with_its_figures() -> None:
    won = decide_contest([Contender("ONNXRuntime", BLOCKS)], WEIGHTS)
    assert won.explanation.startswith(
        "ONNXRuntime weight-int8-block128 is the only certified build: 1.50x"
    )


def test_the_front_spans_engines_and_leaves_out_what_was_not_measured() -> None:
    source = recipe_result(
        "source", speedup=interval(1), quality=interval(1), memory_reduction=interval(0)
    )
    beaten = recipe_result(
        "float16", speedup=interval(0.9), quality=interval(0.99), memory_reduction=interval(-0.1)
    )
    refused = recipe_result("bfloat16", outcome=RecipeOutcome.NOT_SUPPORTED)
    front = joint_front({"OpenVINO": (PTQ, beaten), "ONNXRuntime": (source, BLOCKS, refused)})
    assert [(engine, one.recipe) for engine, one in front] == [
        ("OpenVINO", "ptq-int8"),
        ("ONNXRuntime", "source"),
        ("ONNXRuntime", "weight-int8-block128"),
    ]


def measured(speed: float, quality: float, saved: float, width: float, size: int) -> RecipeResult:
    return recipe_result(
        "any",
        speedup=interval(speed, speed * (1 - width), speed * (1 + width)),
        quality=interval(quality, quality * (1 - width), quality * (1 + width)),
        memory_reduction=interval(saved, saved - width, saved + width),
        bytes=size,
    )


TRIALS = st.builds(
    measured,
    st.floats(0.2, 8), st.floats(0.5, 1), st.floats(-1, 0.9), st.floats(0, 0.05),
    st.integers(1, 100),
)  # fmt: skip
WEIGHT = st.sampled_from(["0", "0.3", "1"])


@given(
    st.lists(TRIALS, min_size=1, max_size=4),
    st.builds(Weights, speed=st.just("0.4"), quality=WEIGHT, memory=WEIGHT),
)
def test_no_one_beats_the_winner_beyond_what_intervals_leave_open(
    recipe_results: list[RecipeResult], weights: Weights
) -> None:
    contenders = [Contender(f"Engine{place}", one) for place, one in enumerate(recipe_results)]
    winner = decide_contest(contenders, weights).winner.result
    best = max(recipe_results, key=lambda one: score(one, weights))
    assert winner is best or is_tie(best, winner, weights)
    assert winner.bytes <= best.bytes
    again = decide_contest(list(reversed(contenders)), weights).winner.result
    assert (again.bytes, is_tie(best, again, weights) or again is best) == (winner.bytes, True)
