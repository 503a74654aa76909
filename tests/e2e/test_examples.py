"""The digits example on real kubelets, applied as its README says; beside it the variant that can't pass.

As its README says, but for fewer trials: each recipe more is a quarter of a minute of two busy cores.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from examples.demo import install
from examples.demo.environment import ROOT, run
from examples.demo.traffic import infer_request
from tests.e2e.world import World, condition

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME, IMPOSSIBLE = "digits", "digits-impossible"
TRIALS = 3
ROLLOUT_SECONDS = 420.0
ASKED = 10
LEAST_RIGHT = 9


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


def right_answers(world: World, lab: Lab, namespace: str, dataset: Path) -> int:
    """How many of ASKED images, asked in turn from all nodes of the class, are told right."""
    address = world.model(namespace, NAME).status.address
    assert address is not None
    nodes = [n for n, e in world.nodes().items() if e.spec.hardware_class == "x86-a"]
    labels = np.load(dataset)["labels"]
    right = 0
    for sample in range(ASKED):
        body = json.dumps(infer_request(dataset, sample))
        url = f"{address.cluster_ip_url}/v2/models/{NAME}/infer"
        command = ("curl", "-sS", "--fail-with-body", "-m", "5", url, "-d", body)
        answer = json.loads(lab.in_node(nodes[sample % len(nodes)], *command))
        (scores,) = answer["outputs"]
        assert scores["name"] == "scores"
        right += int(np.argmax(scores["data"])) == labels[sample]
    return right


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
    assert right_answers(world, lab, namespace, digits) >= LEAST_RIGHT


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
    assert right_answers(world, lab, namespace, digits) >= LEAST_RIGHT
