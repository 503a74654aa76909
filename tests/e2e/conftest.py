"""Skerry installed on the lab as a user would install it, once for all end-to-end tests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.faulty import add_field_fault
from tests.e2e.world import World
from tests.lab.client import install
from tests.lab.client.environment import ROOT, of_lab, run
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab import Lab

CLASSES = ("x86-a", "x86-b")
GONE_SECONDS = 120.0


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return folders v1, v2, faulty (each with model.onnx) and dataset."""
    made = tmp_path_factory.mktemp("tiny")
    run(sys.executable, "examples/tiny/make.py", str(made))
    add_field_fault(made / "v2" / "model.onnx", made / "faulty" / "model.onnx")
    return made


@pytest.fixture(scope="session")
def world(lab: Lab, tiny: Path) -> World:
    """Return Skerry on the lab, with hardware classes applied and the tiny models in the registry."""
    environment = of_lab(lab)
    built = install.build_and_push(environment)
    install.install_chart(environment, built, {"agent.heartbeatSeconds": "2"})
    for folder, reference in (
        ("v1", "models/tiny:1"),
        ("v2", "models/tiny:2"),
        ("faulty", "models/tiny:faulty"),
        ("dataset", "datasets/tiny:1"),
    ):
        install.push_folder(environment, tiny / folder, reference)
    environment.kubectl("apply", "-f", str(ROOT / "examples" / "minilm" / "hardwareclasses.yaml"))
    return World(environment, built, environment.registry)


@pytest.fixture(scope="module")
def namespace(world: World, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield a namespace for one module of tests; delete it with its content at the end."""
    name = request.module.__name__.rsplit("_", 1)[-1]
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    body["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "restricted"}  # type: ignore[index]
    world.environment.apply(body)
    yield name
    kubectl = world.environment.kubectl
    kubectl("delete", "namespace", name, "--wait=false")
    # Servers drain for up to a minute, which nobody waits for here.
    kubectl(
        "-n", name, "delete", "pods", "--all", "--force", "--grace-period=0", "--ignore-not-found"
    )
    found = ("get", "namespace", name, "--ignore-not-found", "--output=name")
    wait_for(
        f"namespace {name} to go", lambda: kubectl(*found), lambda left: not left, GONE_SECONDS
    )
