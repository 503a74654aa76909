"""What a change of a spec leads to, by field."""

from __future__ import annotations

import pytest

from skerry.api import EdgeModel
from skerry.decide.build.changes import (
    AT_ONCE,
    BUILD,
    CLASSES,
    ENGINE,
    GATED,
    UNKNOWN,
    changes,
    effect_of,
)
from tests.cluster.manifests import MINIMAL, changed


@pytest.mark.parametrize(
    ("field", "value", "effect"),
    [
        ("spec.source.uri", "oci://registry.example:5000/models/intent:4", BUILD),
        ("spec.evaluation.goldenSamples", 9, BUILD),
        ("spec.optimization.search.maxRecipes", 3, BUILD),
        ("spec.optimization.search.weights.speed", "0.9", GATED),
        ("spec.gates.quality", "0.9", GATED),
        ("spec.rollout.promotion", "Manual", AT_ONCE),
        ("spec.guard.maxDegradedNodes", "2", AT_ONCE),
        ("spec.suspend", True, AT_ONCE),
    ],
)
def test_each_field_has_its_effect(field: str, value: object, effect: str) -> None:
    before = EdgeModel.model_validate(MINIMAL)
    after = EdgeModel.model_validate(changed(MINIMAL, {field: value}))
    (change,) = changes(before.spec, after.spec)
    assert (change.field, change.now, change.effect) == (field.removeprefix("spec."), value, effect)


def test_targets_are_reported_class_by_class() -> None:
    """A class that comes, one that goes, and one that changes its engine; their order says nothing."""
    before = EdgeModel.model_validate(
        changed(MINIMAL, {"spec.targets": targets(a="Auto", b="Auto", c="Auto")})
    )
    after = EdgeModel.model_validate(
        changed(MINIMAL, {"spec.targets": targets(c="Auto", d="Auto", a="OpenVINO")})
    )
    assert [(c.field, c.was, c.now, c.effect) for c in changes(before.spec, after.spec)] == [
        ("targets[a].engine", "Auto", "OpenVINO", ENGINE),
        ("targets[b]", "Auto", None, CLASSES),
        ("targets[d]", None, "Auto", CLASSES),
    ]


def targets(**engines: str) -> list[dict[str, str]]:
    return [{"hardwareClassName": name, "engine": engine} for name, engine in engines.items()]


def test_equal_specs_have_no_change() -> None:
    spec = EdgeModel.model_validate(MINIMAL).spec
    assert changes(spec, spec) == ()


def test_every_field_of_the_schema_is_in_the_table() -> None:
    """A field that is new must be put into it."""
    fields = [
        f.alias or name
        for name, f in type(EdgeModel.model_validate(MINIMAL).spec).model_fields.items()
    ]
    prefixes = [
        f"{name}.x" if name != "optimization" else "optimization.search.maxRecipes" for name in fields
    ]
    assert UNKNOWN not in {effect_of(field) for field in prefixes}
