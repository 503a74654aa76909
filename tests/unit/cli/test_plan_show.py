"""What `skerry plan` prints of a class whose nodes have reported what they are."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from skerry.api import EdgeModel, HardwareClass
from skerry.api.config import OperatorConfig
from skerry.cli.plan.show import plan
from skerry.cli.plan.source import UNREAD
from tests.cluster.manifests import DIGEST, MINIMAL, changed

CLASS = {
    "metadata": {"name": "x86-vnni"},
    "spec": {"nodeSelector": {"site": "a"}, "constraints": {"link": "Metered"}},
    "status": {
        "facts": {
            "reported": 4,
            "features": ["avx2", "avx512_vnni"],
            "power": [{"value": "Mains", "nodes": 3}, {"value": "Battery", "nodes": 1}],
        }
    },
}


def test_a_plan_says_what_was_found_and_what_constrains_it() -> None:
    model = EdgeModel.model_validate(MINIMAL)
    classes = {"x86-vnni": HardwareClass.model_validate(CLASS)}
    console = Console(width=400)
    with console.capture() as printed:
        made = plan(model, UNREAD, classes, None, None, in_cluster=False, all_classes=False)
        console.print(made.shown)
    said = printed.get()
    assert "found on all 4 nodes that reported: avx512_vnni" in said
    assert "constraint: battery: 1 of 4 nodes run on it now" in said
    assert "constraint: metered link (spec.constraints.link of x86-vnni)" in said


IMAGE = f"registry.example/image@{DIGEST}"
ORDER = [("1", "OpenVINO"), ("2", "Olive"), ("3", "ONNXRuntime")]
ENGINE = {"version": "1", "recipeSet": "x/1", "optimizerImage": IMAGE, "runtimeImage": IMAGE}


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        ("Auto", "the best build by weight (speed 0.4, quality 0.3, memory 0.3) that passes"),
        ("OpenVINO", "OpenVINO, which the target names, builds for x86-vnni; it is rolled out if it passes"),
        ("LlamaCPP", "no installed engine LlamaCPP suits it: the target would fail"),
    ],
)  # fmt: skip
def test_a_plan_says_what_is_built_by_whom_and_what_a_change_leads_to(
    engine: str, says: str
) -> None:
    """Both engines installed, and a live model that asks for all of them."""
    config = OperatorConfig.model_validate(
        {
            "registry": {"address": "r.example:5000"},
            "engines": {"ONNXRuntime": ENGINE, "OpenVINO": ENGINE},
        }
    )
    targets = [{"hardwareClassName": "x86-vnni", "engine": engine}]
    model = EdgeModel.model_validate(changed(MINIMAL, {"spec.targets": targets}))
    auto = [{"hardwareClassName": "x86-vnni"}]
    live = EdgeModel.model_validate(changed(MINIMAL, {"spec.targets": auto}))
    classes = {"x86-vnni": HardwareClass.model_validate(CLASS)}
    console = Console(width=400)
    made = plan(model, UNREAD, classes, config, live, in_cluster=True, all_classes=True)
    with console.capture() as printed:
        console.print(made.shown)
    said = printed.get()
    assert re.findall(r"│ (\d)[ *]+│ (\w+) ", said) == ORDER
    assert says in said
    changes = "targets[x86-vnni].engine" in said
    assert changes == (engine != "Auto")
    assert made.failing == (("intent on x86-vnni",) if engine == "LlamaCPP" else ())


@pytest.mark.parametrize(
    ("in_cluster", "all_classes"), [(True, True), (False, False), (True, False)]
)
def test_a_class_that_is_not_there_fails_where_that_is_known(
    *, in_cluster: bool, all_classes: bool
) -> None:
    """A user who may not list classes learns nothing about one that is missing here."""
    model = EdgeModel.model_validate(MINIMAL)
    made = plan(model, UNREAD, {}, None, None, in_cluster=in_cluster, all_classes=all_classes)
    assert bool(made.failing) == all_classes
    console = Console(width=400)
    with console.capture() as printed:
        console.print(made.shown)
    assert ("there is no such HardwareClass" in printed.get()) == all_classes
