"""What would have to be asked for, for the nearest miss to pass; and that it then does."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.api.edgemodel import Gates
from skerry.api.modelvariant import Interval, RecipeResult
from skerry.judging.gates import evaluate, passes
from skerry.judging.nearest import passing_gates
from tests.unit.decide.plan_world import recipe_result

ENOUGH = {
    "quality": Interval(value="0.97", low="0.951", high="0.98"),
    "speedup": Interval(value="1.3", low="1.256", high="1.4"),
    "memory_reduction": Interval(value="0.3", low="0.254", high="0.35"),
    "bytes": 200_000,
    "cosine": None,
    "movement": Interval(value="0.11", low="0.09", high="0.121"),
}


def measured(**changes: Any) -> RecipeResult:
    return recipe_result().model_copy(update=ENOUGH | changes)


@pytest.mark.parametrize(
    ("gates", "nearest", "then"),
    [
        ({"quality": "0.96"}, 'spec.gates.quality: "0.95"', {"quality": "0.95"}),
        ({"movement": "0.1"}, 'spec.gates.movement: "0.13"', {"movement": "0.13"}),
        ({"speedup": "10x"}, "spec.gates.speedup: 1.25x", {"speedup": "1.25x"}),
        ({"memoryReduction": "0.4"}, 'spec.gates.memoryReduction: "0.25"', {"memoryReduction": "0.25"}),
        ({"artifactSize": "8Ki"}, "spec.gates.artifactSize: 196Ki", {"artifactSize": "196Ki"}),
        (
            {"quality": "0.99", "speedup": "2"},
            'spec.gates.quality: "0.95" and spec.gates.speedup: 1.25x',
            {"quality": "0.95", "speedup": "1.25x"},
        ),
    ],
)  # fmt: skip
def test_the_gates_that_are_named_let_it_pass(
    gates: dict[str, str], nearest: str, then: dict[str, str]
) -> None:
    asked = Gates.model_validate(gates)
    results = evaluate(measured(), asked)
    assert not passes(results, allow_marginal=False)
    assert passing_gates(results, asked) == nearest
    assert passes(evaluate(measured(), Gates.model_validate(then)), allow_marginal=False)


def test_size_is_reported_in_a_unit_of_its_order() -> None:
    asked = Gates(artifact_size="1Mi")
    big = measured(bytes=90_000_000)
    assert passing_gates(evaluate(big, asked), asked) == "spec.gates.artifactSize: 86Mi"


@pytest.mark.parametrize(
    "recipe_result_",
    [
        measured(cosine=Interval(value="0.5", low="0.4", high="0.6")),
        measured(quality=Interval(value="0.01", low="0.001", high="0.02")),
        measured(memory_reduction=Interval(value="-0.4", low="-0.5", high="-0.3")),
        measured(speedup=None),
        measured(),
    ],
    ids=["cosine has no field", "no quality", "hungrier", "not measured", "passes"],
)
def test_nothing_is_named_that_would_not_help(recipe_result_: RecipeResult) -> None:
    assert passing_gates(evaluate(recipe_result_, Gates()), Gates()) == ""


def test_a_recipe_result_that_was_given_up_is_reported_as_far_as_it_was_measured() -> None:
    asked = Gates(quality="0.99")
    known = [one for one in evaluate(measured(), asked) if one.name == "quality"]
    assert passing_gates(known, asked) == 'spec.gates.quality: "0.95", as far as measured'
