"""Gates as a table, and what must hold for any interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.api.edgemodel import GateProfile, Gates
from skerry.api.modelvariant import GateOutcome, GateResult, Interval, RecipeOutcome
from skerry.judging.gates import (
    evaluate,
    failing,
    holds,
    measured,
    passes,
    shortfalls,
    undecided,
    with_message,
)
from tests.unit.judging.recipe_results import interval, recipe_result

PASS, FAIL, MARGINAL = GateOutcome.PASS, GateOutcome.FAIL, GateOutcome.MARGINAL
STANDARD, STRICT = Gates(), Gates(profile=GateProfile.STRICT)
RANK = {FAIL: 0, MARGINAL: 1, PASS: 2}


def result(name: str, results: tuple[GateResult, ...]) -> GateResult:
    return next(one for one in results if one.name == name)


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        (
            STANDARD,
            {
                "quality": ("0.95", True),
                "cosine": ("0.99", True),
                "movement": ("0.25", True),
                "speedup": ("0.95", True),
                "speedupAim": ("2.0", False),
                "memoryReduction": ("-0.05", True),
                "memoryReductionAim": ("0.5", False),
            },
        ),
        (
            STRICT,
            {
                "quality": ("0.95", True),
                "cosine": ("0.99", True),
                "movement": ("0.25", True),
                "speedup": ("2.0", True),
                "memoryReduction": ("0.5", True),
            },
        ),
        (
            Gates(quality="0.9", speedup="1.5x", memory_reduction="0.4", artifact_size="100Mi"),
            {
                "quality": ("0.9", True),
                "cosine": ("0.99", True),
                "movement": ("0.25", True),
                "speedup": ("1.5", True),
                "memoryReduction": ("0.4", True),
                "artifactSize": ("104857600", True),
            },
        ),
        (
            Gates(profile=GateProfile.STRICT, speedup="1.2"),
            {
                "quality": ("0.95", True),
                "cosine": ("0.99", True),
                "movement": ("0.25", True),
                "speedup": ("1.2", True),
                "memoryReduction": ("0.5", True),
            },
        ),
    ],
)
def test_profiles(gates: Gates, expected: dict[str, tuple[str, bool]]) -> None:
    results = evaluate(recipe_result(), gates)
    assert {one.name: (one.threshold, one.required) for one in results} == expected
    assert all(one.outcome is PASS for one in results)


@pytest.mark.parametrize(
    ("field", "observed", "name", "outcome"),
    [
        ("quality", interval(0.97, 0.95, 0.98), "quality", PASS),
        ("quality", interval(0.96, 0.9499, 0.98), "quality", MARGINAL),
        ("quality", interval(0.93, 0.91, 0.95), "quality", MARGINAL),
        ("quality", interval(0.93, 0.91, 0.9499), "quality", FAIL),
        ("cosine", interval(0.98, 0.979, 0.981), "cosine", FAIL),
        ("movement", interval(0.25, 0.24, 0.25), "movement", PASS),
        ("movement", interval(0.24, 0.22, 0.26), "movement", MARGINAL),
        ("movement", interval(1.4, 1.3, 1.5), "movement", FAIL),
        ("speedup", interval(1.0, 0.97, 1.03), "speedup", PASS),
        ("speedup", interval(1.0, 0.97, 1.03), "speedupAim", FAIL),
        ("speedup", interval(0.9, 0.88, 0.93), "speedup", FAIL),
        ("speedup", interval(0.96, 0.93, 0.99), "speedup", MARGINAL),
        ("speedup", interval(2.0, 1.9, 2.1), "speedupAim", MARGINAL),
        ("memory_reduction", interval(-0.01, -0.04, 0.02), "memoryReduction", PASS),
        ("memory_reduction", interval(-0.2, -0.25, -0.15), "memoryReduction", FAIL),
        ("memory_reduction", None, "memoryReduction", FAIL),
        ("speedup", None, "speedup", FAIL),
    ],
)
def test_outcomes(field: str, observed: Interval | None, name: str, outcome: GateOutcome) -> None:
    assert (
        result(
            name, evaluate(recipe_result().model_copy(update={field: observed}), STANDARD)
        ).outcome
        is outcome
    )


@pytest.mark.parametrize(("size", "outcome"), [(104_857_600, PASS), (104_857_601, FAIL)])
def test_size_is_at_most(size: int, outcome: GateOutcome) -> None:
    results = evaluate(recipe_result(bytes=size), Gates(artifact_size="100Mi"))
    assert result("artifactSize", results).outcome is outcome


def test_cosine_is_a_gate_only_where_it_is_measured() -> None:
    names = {one.name for one in evaluate(recipe_result(cosine=None), STANDARD)}
    assert "cosine" not in names


@pytest.mark.parametrize("outcome", [RecipeOutcome.FAILED, RecipeOutcome.NOT_SUPPORTED])
def test_what_was_not_measured_passes_nothing(outcome: RecipeOutcome) -> None:
    results = evaluate(recipe_result(outcome=outcome), STANDARD)
    assert results == ()
    assert not passes(results, allow_marginal=True)


def test_missed_aims_stop_nothing() -> None:
    results = evaluate(recipe_result(speedup=interval(1.2, 1.1, 1.3)), STANDARD)
    assert result("speedupAim", results).outcome is FAIL
    assert passes(results, allow_marginal=False)
    assert not passes(
        evaluate(recipe_result(speedup=interval(1.2, 1.1, 1.3)), STRICT), allow_marginal=True
    )


def test_marginal_fails_unless_allowed() -> None:
    results = evaluate(recipe_result(quality=interval(0.955, 0.94, 0.97)), STANDARD)
    assert not passes(results, allow_marginal=False)
    assert passes(results, allow_marginal=True)
    assert undecided(results) == ("quality",)


def test_nothing_more_is_measured_once_a_required_gate_failed() -> None:
    hopeless = recipe_result(quality=interval(0.5), speedup=interval(0.95, 0.9, 1.0))
    assert undecided(evaluate(hopeless, STANDARD)) == ()


def test_an_undecided_aim_is_not_measured_further() -> None:
    assert undecided(evaluate(recipe_result(speedup=interval(2.0, 1.9, 2.1)), STANDARD)) == ()


def test_messages_are_for_people() -> None:
    missed = recipe_result(
        quality=interval(0.918, 0.893, 0.938), memory_reduction=None, bytes=200_000_000
    )
    results = evaluate(missed, Gates(artifact_size="100M"))
    assert shortfalls(results, allow_marginal=False) == (
        "quality 0.918 (0.893 to 0.938) is below the required 0.950",
        "memory saved was not measured (required -5 %)",
        "size 200.0 MB exceeds the allowed 100.0 MB",
    )


def test_a_message_that_a_summary_has_cut_is_reported_in_full_again() -> None:
    for one in evaluate(
        recipe_result(speedup=interval(0.5)), Gates(speedup="1.5x", artifact_size="1Mi")
    ):
        assert with_message(one.model_copy(update={"message": one.message[:9]})) == one


bounds = st.tuples(*[st.floats(-0.5, 3)] * 3).map(sorted)


@given(bounds, st.floats(0, 2), st.floats(0, 2), st.floats(0, 3))
def test_a_better_interval_is_never_judged_worse(
    low_value_high: list[float], raise_low: float, raise_high: float, threshold: float
) -> None:
    low, value, high = low_value_high
    gates = Gates(speedup=f"{threshold:.4f}")
    before = recipe_result(speedup=interval(value, low, high))
    better_low = low + raise_low
    better_high = max(high + raise_high, better_low)
    middle = min(max(value, better_low), better_high)
    after = recipe_result(speedup=interval(middle, better_low, better_high))
    outcomes = [result("speedup", evaluate(one, gates)).outcome for one in (before, after)]
    assert RANK[outcomes[1]] >= RANK[outcomes[0]]


@given(bounds, st.floats(0, 3), st.floats(0, 3))
def test_a_lower_threshold_is_never_harder(
    low_value_high: list[float], threshold: float, other: float
) -> None:
    low, value, high = low_value_high
    measured = recipe_result(speedup=interval(value, low, high))
    easy, hard = sorted((threshold, other))
    outcomes = [
        result("speedup", evaluate(measured, Gates(speedup=f"{one:.4f}"))).outcome
        for one in (easy, hard)
    ]
    assert RANK[outcomes[0]] >= RANK[outcomes[1]]


@given(bounds, bounds, st.sampled_from([STANDARD, STRICT]))
def test_allowing_marginal_only_ever_lets_more_through(
    quality: list[float], speedup: list[float], gates: Gates
) -> None:
    measured = recipe_result(
        quality=interval(quality[1], quality[0], quality[2]),
        speedup=interval(speedup[1], speedup[0], speedup[2]),
    )
    results = evaluate(measured, gates)
    if passes(results, allow_marginal=False):
        assert passes(results, allow_marginal=True)
    for one in results:
        assert holds(one, allow_marginal=True) >= holds(one, allow_marginal=False)


@pytest.mark.parametrize(
    ("quality", "allow_marginal", "fails", "can_pass"),
    [
        (("0.97", "0.96", "0.98"), False, False, True),
        (("0.95", "0.93", "0.97"), False, False, False),
        (("0.95", "0.93", "0.97"), True, False, True),
        (("0.9", "0.88", "0.92"), True, True, False),
    ],
)
def test_gates_of_what_is_measured_so_far(
    quality: tuple[str, str, str], *, allow_marginal: bool, fails: bool, can_pass: bool
) -> None:
    value, low, high = quality
    seen = recipe_result(quality=Interval(value=value, low=low, high=high)).model_copy(
        update={"speedup": None, "memory_reduction": None}
    )
    results = measured(evaluate(seen, STANDARD))
    assert "speedup" not in {one.name for one in results}
    assert failing(results) is fails
    assert passes(results, allow_marginal=allow_marginal) is can_pass
