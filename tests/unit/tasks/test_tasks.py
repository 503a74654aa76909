"""A task is complete: whatever a spec can ask for, it says what follows."""

from __future__ import annotations

import pytest

from skerry.api.edgemodel import GateProfile, Gates
from skerry.engines import installed_engines
from skerry.engines.plugin import baseline_among
from skerry.judging import gates
from skerry.tasks import TENSOR_INFERENCE, Metric
from tests.unit.judging.recipe_results import recipe_result


def test_every_metric_of_the_spec_has_its_rules() -> None:
    assert TENSOR_INFERENCE.metrics.keys() == set(Metric)


def test_every_figure_that_is_gated_is_read_from_a_recipe_result() -> None:
    assert set(TENSOR_INFERENCE.gates.values()) == gates._READ.keys()


@pytest.mark.parametrize("profile", GateProfile)
def test_every_gate_is_one_of_the_task_s(profile: GateProfile) -> None:
    results = gates.evaluate(recipe_result(), Gates(profile=profile, artifact_size="1Gi"))
    assert len(results) >= 4
    assert {result.name for result in results} <= TENSOR_INFERENCE.gates.keys()


def test_all_engines_of_a_task_have_one_baseline() -> None:
    engines = installed_engines()
    assert all(engine.task is TENSOR_INFERENCE for engine in engines.values())
    assert sum(engine.baseline for engine in engines.values()) == 1
    baselines = {baseline_among(engines, name) for name in (*engines, "Homemade")}
    assert len(baselines) == 1
    assert baseline_among({}, "Homemade") == "Homemade"
