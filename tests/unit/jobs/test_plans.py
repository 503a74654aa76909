"""A plan comes out of a container's environment as the operator put it in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.artifact import Role
from skerry.jobs.errors import StageError
from skerry.jobs.plans import AssessPlan, FetchPlan, JobPlan, RegistryAccess
from tests.unit.render.test_objects import build_job

if TYPE_CHECKING:
    from skerry.jobs.plans import Plan

REGISTRY = RegistryAccess(address="reg.example", repository="skerry/assist/intent")
FETCH = FetchPlan(role=Role.SOURCE, uri="s3://bucket/model.onnx", size_limit=1, registry=REGISTRY)
BUILD = build_job().plan
ASSESS = AssessPlan(
    source_digest="sha256:" + "a" * 64, evaluation=BUILD.evaluation, engine="ONNXRuntime",
    assessment_key="b" * 64, registry=REGISTRY,
)  # fmt: skip
PLANS = [BUILD, ASSESS, FETCH]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: type(plan).__name__)
def test_a_plan_is_read_as_it_was_written(plan: Plan) -> None:
    assert type(plan).from_environment(plan.to_environment()) == plan


def test_each_plan_has_a_variable_of_its_own() -> None:
    found = [name for plan in PLANS for name in plan.to_environment()]
    assert found == ["SKERRY_PLAN", "SKERRY_ASSESS_PLAN", "SKERRY_FETCH"]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "(the variable: "),
        ({"SKERRY_PLAN": "{}"}, "(edgeModel: is missing, and must be set; mistakes: 16)"),
    ],
    ids=("missing", "without fields"),
)
def test_a_plan_of_another_release_says_so(environment: dict[str, Any], words: str) -> None:
    with pytest.raises(StageError, match="SKERRY_PLAN holds no plan of this release") as refused:
        JobPlan.from_environment(environment)
    assert words in str(refused.value)
