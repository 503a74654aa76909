"""Two engines against a real API server: both build, the better one is rolled out, the status says why."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from skerry.api import ModelVariant
from skerry.cluster import kinds
from skerry.decide.conditions import condition_of
from tests.cluster.world import World, manifest, running_world
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.cli import Cli
    from tests.cluster.conftest import Kubectl
    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

CLASSES: dict[str, tuple[str, ...]] = {"engines-a": ("engines-a1",)}
NAME = "both"


@pytest.fixture(scope="module")
def world(
    control_plane: Lab, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Yield one class, and an operator that has both engines."""
    folder = tmp_path_factory.mktemp("operator")
    speedups = {"OpenVINO": "2.6", "ONNXRuntime": "1.5"}
    with running_world(control_plane, kubectl, folder, classes=CLASSES, speedups=speedups) as made:
        yield made


def wanted(world: World, name: str, engine: str = "Auto") -> dict[str, object]:
    """Return an EdgeModel on the one class."""
    made = manifest(world.registry, name)
    made["spec"]["targets"] = [{"hardwareClassName": c, "engine": engine} for c in CLASSES]
    return made


def test_both_engines_build_and_the_better_one_is_served(world: World) -> None:
    world.kubectl.apply(wanted(world, NAME))
    model = world.until_ready(1, NAME)
    (target,) = model.status.targets
    assert target.build.engine == "OpenVINO"
    assert target.build.choice.startswith(
        "OpenVINO weight-int8-block128 is better than ONNXRuntime"
    )
    assert {build.engine: build.phase for build in target.build.engine_builds} == {
        "OpenVINO": "Certified",
        "ONNXRuntime": "Certified",
    }
    assert [rank.engine for rank in target.engines if rank.installed] == ["OpenVINO", "ONNXRuntime"]
    items = world.api.list(kinds.MODEL_VARIANT, world.namespace)
    variants = [ModelVariant.model_validate(item) for item in items]
    assert {v.spec.engine for v in variants} == {"OpenVINO", "ONNXRuntime"}
    assert {v.status.front for v in variants} == {("weight-int8-block128",)}
    chosen = next(v for v in variants if v.metadata.name == target.build.variant_name)
    assert chosen.status.artifact is not None
    assert target.build.image == chosen.status.artifact.image
    assert len(world.daemonsets(NAME)) == 1


def test_the_command_line_shows_both_builds_and_why_one_was_chosen(
    world: World, cli: Cli, tmp_path: Path
) -> None:
    said = cli("status", NAME)
    assert re.search(r"build \S+  OpenVINO  GatesPassed  chosen", said)
    assert re.search(r"build \S+  ONNXRuntime  GatesPassed\n", said)
    assert "choice: OpenVINO weight-int8-block128 is better than ONNXRuntime" in said
    assert "front: no other build is better" in said
    page = tmp_path / "page.html"
    cli("report", NAME, "--output", str(page))
    text = page.read_text()
    assert "OpenVINO weight-int8-block128 (chosen)" in text
    assert "<h3>Stages of ONNXRuntime</h3>" in text
    changed = wanted(world, NAME, "ONNXRuntime")
    file = tmp_path / "model.json"
    file.write_text(json.dumps(changed))
    config = world.operator.folder / "config.yaml"
    plan = cli("plan", "-f", str(file), "--config", str(config))
    assert "ONNXRuntime, which the target names, builds for engines-a" in plan
    assert re.search(
        r"targets\[engines-a\]\.engine.*Auto.*ONNXRuntime.*unless its build exists", plan
    )


def test_naming_the_other_engine_serves_the_build_that_is_there(world: World) -> None:
    before = world.model(NAME).status.targets[0]
    targets = [{"hardwareClassName": c, "engine": "ONNXRuntime"} for c in CLASSES]
    model = world.until_ready(world.patch({"targets": targets}, NAME), NAME)
    (target,) = model.status.targets
    assert (target.build.engine, target.rollout.stable == before.rollout.stable) == (
        "ONNXRuntime",
        False,
    )
    items = world.api.list(kinds.MODEL_VARIANT, world.namespace)
    assert len(items) == 2


def test_an_engine_that_is_not_installed_is_refused_with_the_names_of_those_that_are(
    world: World,
) -> None:
    name = "not-installed"
    world.kubectl.apply(wanted(world, name, "LlamaCPP"))
    model = wait_for(
        "the engine is missed",
        lambda: world.model(name),
        lambda m: m.status.targets and m.status.targets[0].reason == "EngineNotInstalled",
        60,
    )
    accepted = condition_of(model.status.conditions, "Accepted")
    assert accepted is not None
    assert (accepted.status.value, accepted.reason) == ("False", "EngineNotInstalled")
    assert "engine LlamaCPP is not installed (installed: OpenVINO, ONNXRuntime)" in accepted.message
    stalled = condition_of(model.status.conditions, "Stalled")
    assert stalled is not None


def test_measurement_alone_decides(world: World) -> None:
    """The same model with the figures turned round: the engine that is ranked second wins."""
    name = "turned"
    world.devices.speedups = {"OpenVINO": "1.2", "ONNXRuntime": "2.6"}
    world.kubectl.apply(wanted(world, name))
    (target,) = world.until_ready(1, name).status.targets
    assert target.build.engine == "ONNXRuntime"
    assert target.build.choice.startswith(
        "ONNXRuntime weight-int8-block128 is better than OpenVINO"
    )
