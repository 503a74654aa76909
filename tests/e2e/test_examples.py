"""The digits example on real kubelets, applied as its README says; beside it the variant that can't pass.

As its README says, but for fewer trials: each recipe more is a quarter of a minute of two busy cores.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from examples.demo import install
from examples.demo.environment import ROOT, run
from tests.e2e.world import World, condition

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME, IMPOSSIBLE = "digits", "digits-impossible"
TRIALS = 3
ROLLOUT_SECONDS = 420.0


@pytest.fixture(scope="module")
def digits(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the example's script makes, pushed; returns the data set."""
    made = tmp_path_factory.mktemp("digits")
    run(sys.executable, "-m", "examples.digits.make", str(made))
    install.push_folder(world.environment, made / "model", "models/digits:1")
    install.push_folder(world.environment, made / "dataset", "datasets/digits:1")
    return made / "dataset" / "dataset.npz"


def apply(world: World, namespace: str, manifest: str) -> None:
    """Apply a manifest of the example, with this registry in place of the one that it names."""
    text = (ROOT / "examples" / "digits" / manifest).read_text()
    body = yaml.safe_load(text.replace("registry.example:5000", world.registry))
    body["metadata"]["namespace"] = namespace
    body["spec"]["optimization"] = {"search": {"trials": TRIALS}}
    world.environment.apply(body)


def right_answers(world: World, lab: Lab, namespace: str, dataset: Path) -> None:
    """Ask each node of the class as the README does, from outside; nearly all is to be right."""
    address = world.model(namespace, NAME).status.address
    assert address is not None
    assert address.node_port_url is not None
    names = world.nodes_of("x86-a")
    for node in lab.nodes:
        if node.name in names:
            url = address.node_port_url.replace("NODE", node.ip)
            told = run(sys.executable, "-m", "examples.ask", str(dataset), url)
            assert re.search(r"^(9|10) of 10 right$", told, re.MULTILINE), told


def test_digits_is_applied_becomes_ready_and_reads_digits(
    world: World, lab: Lab, namespace: str, digits: Path
) -> None:
    apply(world, namespace, "edgemodel.yaml")
    model = world.until(
        "digits is ready",
        (namespace, NAME),
        lambda m: condition(m, "Ready") == "True",
        ROLLOUT_SECONDS,
    )
    assert {target.nodes.updated for target in model.status.targets} == {2}
    right_answers(world, lab, namespace, digits)


def test_gates_that_can_not_be_met_stall_and_what_serves_goes_on(
    world: World, lab: Lab, namespace: str, digits: Path
) -> None:
    apply(world, namespace, "impossible.yaml")
    world.environment.kubectl(
        "-n", namespace, "wait", "--for=condition=Stalled", "--timeout=420s", f"em/{IMPOSSIBLE}"
    )
    model = world.model(namespace, IMPOSSIBLE)
    assert condition(model, "Ready") == "False: GatesNotMet"
    (message,) = (c.message for c in model.status.conditions if c.type == "Stalled")
    assert "misses at least 10.00x" in message
    assert "misses at most 8 kB" in message
    selector = ("-n", namespace, "-l", f"skerry.dev/model={IMPOSSIBLE}")
    assert world.environment.get("daemonsets", *selector)["items"] == []
    assert world.environment.get("modelroutes", *selector)["items"] == []
    assert condition(world.model(namespace, NAME), "Ready") == "True"
    right_answers(world, lab, namespace, digits)
