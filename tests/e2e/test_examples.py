"""The examples on real kubelets, applied as their READMEs say, with answers that are right.

As their READMEs say but for time: two recipes, as each one more is a quarter of a minute of two busy cores, and
soaks of seconds; the examples of rollouts have one class and are built by one engine. All are applied before the
first is waited for, so that one is built while another is rolled out. (test_docs_start.py applies `tiny`,
test_replaced.py `replaced-runtime`; tests/sources and test_delivered.py have the sources.)
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.world import World, condition, skerry, tiny_model
from tests.lab.client import install
from tests.lab.client.environment import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CLASS = "x86-a"
QUICK = {"optimization": {"search": {"maxRecipes": 2}}, "rollout": {"soak": "5s"}}
ROLLOUT_SECONDS = 600.0
IMPOSSIBLE = "digits-impossible"
RING, REGION = "example.com/ring", "topology.kubernetes.io/region"

# What `examples.ask` is to print of ten samples.
ANSWERS = {
    "digits": r"^(9|10) of 10 right$",
    "pairs": r"^(9|10) of 10 right$",
    "regression": r"^sample 9: \S+, and its label is \S+$",
}


def manifest(world: World, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest below examples/ with this registry in place of the one that it names."""
    text = (ROOT / "examples" / path).read_text().replace("registry.example:5000", world.registry)
    body: dict[str, Any] = yaml.safe_load(text)
    for part, values in change.items():
        body["spec"][part] = {**body["spec"].get(part, {}), **values}
    return body


def quick(world: World, path: str) -> dict[str, Any]:
    """Return an example that is about its rollout, with the tests' own quick rollout."""
    pattern = tiny_model(world.registry, "", "", [CLASS])["spec"]
    parts = ("evaluation", "optimization", "gates", "serving", "guard")
    change: dict[str, Any] = {part: pattern[part] for part in parts}
    body = manifest(world, path, {**change, "rollout": {"soak": "3s", "traffic": [50]}})
    body["spec"]["targets"] = pattern["targets"]
    return body


@pytest.fixture(scope="module")
def rings(world: World) -> Iterator[tuple[str, str]]:
    """Yield the nodes of the class with the labels of the first and of the second ring."""
    bench, north = world.nodes_of(CLASS)
    world.environment.kubectl("label", "node", bench, f"{RING}=bench")
    world.environment.kubectl("label", "node", north, f"{REGION}=north")
    yield bench, north
    world.environment.kubectl("label", "node", bench, f"{RING}-")
    world.environment.kubectl("label", "node", north, f"{REGION}-")


@pytest.fixture(scope="module")
def applied(
    world: World, namespace: str, rings: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Return the data sets by example, with everything made, pushed and applied."""
    assert rings
    datasets = {}
    for name in ANSWERS:
        made = tmp_path_factory.mktemp(name)
        run(sys.executable, "-m", f"examples.{name}.make", str(made))
        install.push_folder(world.environment, made / "model", f"models/{name}:1")
        install.push_folder(world.environment, made / "dataset", f"datasets/{name}:1")
        datasets[name] = made / "dataset" / "dataset.npz"
    bodies = [
        *(manifest(world, f"{name}/edgemodel.yaml", QUICK) for name in ANSWERS),
        manifest(world, "digits/impossible.yaml", QUICK),
        *(quick(world, f"{name}/edgemodel.yaml") for name in ("rings", "manual-promotion")),
    ]
    for body in bodies:
        body["metadata"]["namespace"] = namespace
        world.environment.apply(body)
    return datasets


def right_answers(world: World, lab: Lab, where: tuple[str, str], dataset: Path) -> None:
    """Ask each node of the class as the README does, from outside; nearly all is to be right."""
    address = world.model(*where).status.address
    assert address is not None
    assert address.node_port_url is not None
    names = world.nodes_of(CLASS)
    for node in lab.nodes:
        if node.name in names:
            url = address.node_port_url.replace("NODE", node.ip)
            reported = run(sys.executable, "-m", "examples.ask", str(dataset), url)
            assert re.search(ANSWERS[where[1]], reported, re.MULTILINE), reported


@pytest.mark.parametrize("name", ANSWERS)
def test_an_example_is_applied_becomes_ready_and_answers(
    name: str, world: World, lab: Lab, namespace: str, applied: dict[str, Path]
) -> None:
    model = world.until_ready((namespace, name), ROLLOUT_SECONDS)
    assert {target.rollout.nodes.updated for target in model.status.targets} == {2}
    right_answers(world, lab, (namespace, name), applied[name])


def test_gates_that_can_not_be_met_stall_and_what_serves_keeps_serving(
    world: World, lab: Lab, namespace: str, applied: dict[str, Path]
) -> None:
    world.environment.kubectl(
        "-n", namespace, "wait", "--for=condition=Stalled", "--timeout=420s", f"em/{IMPOSSIBLE}"
    )
    model = world.model(namespace, IMPOSSIBLE)
    assert condition(model, "Ready") == "False: GatesNotMet"
    (message,) = (c.message for c in model.status.conditions if c.type == "Stalled")
    assert "is below the required 10.00x" in message
    assert "exceeds the allowed 8 kB" in message
    selector = ("-n", namespace, "-l", f"skerry.dev/model={IMPOSSIBLE}")
    assert world.environment.get("daemonsets", *selector)["items"] == []
    assert world.environment.get("modelroutes", *selector)["items"] == []
    assert condition(world.model(namespace, "digits"), "Ready") == "True"
    right_answers(world, lab, (namespace, "digits"), applied["digits"])


@pytest.mark.usefixtures("applied")
def test_a_metric_that_does_not_suit_is_reported_before_anything_is_built(
    world: World, namespace: str
) -> None:
    body = manifest(world, "digits/edgemodel.yaml", {"evaluation": {"metric": "RMSE"}})
    body["metadata"] |= {"namespace": namespace, "name": "unsuited"}
    world.environment.apply(body)
    world.environment.kubectl(
        "-n", namespace, "wait", "--for=condition=Stalled", "--timeout=180s", "em/unsuited"
    )
    model = world.model(namespace, "unsuited")
    assert condition(model, "Ready") == "False: EvaluationUnusable"
    (message,) = (c.message for c in model.status.conditions if c.type == "Stalled")
    assert "spec.evaluation.metric RMSE does not suit" in message
    assert "10 numbers a sample and the labels have 1" in message
    selector = ("-n", namespace, "-l", "skerry.dev/model=unsuited")
    assert world.environment.get("modelvariants", *selector)["items"] == []


@pytest.mark.usefixtures("applied")
def test_rings_are_served_in_their_order(
    world: World, namespace: str, rings: tuple[str, str]
) -> None:
    world.until_ready((namespace, "rings"), ROLLOUT_SECONDS)
    pods = world.serving_pods(namespace, "rings")
    made = {pod["spec"]["nodeName"]: pod["metadata"]["creationTimestamp"] for pod in pods}
    bench, north = (made[node] for node in rings)
    assert bench < north, "a wave later, which is seconds"


@pytest.mark.usefixtures("applied")
def test_a_person_has_the_last_word(world: World, namespace: str) -> None:
    name = "manual-promotion"
    waits = world.until(
        "a person is asked",
        (namespace, name),
        lambda m: condition(m, "Ready") == "False: AwaitingPromotion",
        ROLLOUT_SECONDS,
    )
    assert waits.status.phase == "Paused"
    skerry(world, namespace, "promote", name)
    world.until_ready((namespace, name), ROLLOUT_SECONDS)
