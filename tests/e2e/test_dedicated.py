"""Dedicated nodes on real kubelets: tainted before the first build, and their class deleted while they serve.

The tests of this module tell one story, in their order: the chart tolerates the taint; a model is built,
rolled out and updated on tainted nodes; the class goes and comes again under traffic; a NoExecute taint comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.world import World, is_ready, lost_by_switching, tiny_model, wait_for
from tests.lab.client import install
from tests.lab.client.environment import ROOT
from tests.lab.client.traffic import Traffic, infer_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from skerry.api import EdgeModel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "dedicated"
CLASS = "x86-b"
TAINT = "dedicated=edge"
STANDARD = {"agent.heartbeatSeconds": "2"}
TOLERANT = {
    **STANDARD,
    "device.tolerations[0].key": "dedicated",
    "device.tolerations[0].operator": "Equal",
    "device.tolerations[0].value": "edge",
}
ROLLOUT_SECONDS = 420.0
SEEN_SECONDS = 60.0
ANSWERS_LONG_ENOUGH = 150
"""Of two nodes, eight a second each: some ten seconds, in which the DaemonSets' pods would be long gone."""


@pytest.fixture(scope="module")
def tainted(world: World) -> Iterator[list[str]]:
    """Yield the dedicated nodes of the class, with a chart that tolerates them."""
    install.install_chart(world.environment, world.built, TOLERANT)
    names = world.nodes_of(CLASS)
    taint(world, names, f"{TAINT}:NoSchedule")
    yield names
    untaint(world, names)
    install.install_chart(world.environment, world.built, STANDARD)


def taint(world: World, names: list[str], *taints: str) -> None:
    world.environment.kubectl("taint", "node", "--overwrite", *names, *taints)


def untaint(world: World, names: list[str]) -> None:
    for name in names:
        patch = ("--type", "merge", "-p", '{"spec": {"taints": null}}')
        world.environment.kubectl("patch", "node", name, *patch)


def pods(world: World, namespace: str) -> dict[str, str]:
    """Return the ready pods that serve the model: uid by node."""
    return {
        pod["spec"]["nodeName"]: pod["metadata"]["uid"]
        for pod in world.serving_pods(namespace, NAME)
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
        and not pod["metadata"].get("deletionTimestamp")
    }


def test_a_model_is_built_and_served_on_tainted_nodes(
    world: World, namespace: str, tainted: list[str]
) -> None:
    world.environment.apply(tiny_model(world.registry, namespace, NAME, [CLASS]))
    world.until_ready((namespace, NAME), ROLLOUT_SECONDS)
    assert sorted(pods(world, namespace)) == tainted


def test_a_new_revision_reaches_tainted_nodes(
    world: World, namespace: str, tainted: list[str]
) -> None:
    source = {"source": {"uri": f"oci://{world.registry}/models/tiny:2"}}
    wanted = world.patch(namespace, NAME, source)
    model = world.until(
        "promotion", (namespace, NAME), lambda m: is_ready(m, wanted), ROLLOUT_SECONDS
    )
    assert [t.rollout.nodes.updated for t in model.status.targets] == [len(tainted)]


def test_a_class_that_is_deleted_in_use_loses_no_request(
    world: World, namespace: str, tainted: list[str], tiny: Path
) -> None:
    # The load's own pods tolerate nothing.
    untaint(world, tainted)
    before = pods(world, namespace)
    request = infer_request(tiny / "dataset" / "dataset.npz")
    load = world.load((namespace, NAME), CLASS, (request,))
    where = (namespace, NAME)
    with Traffic(world.environment) as traffic:
        traffic.start(load)
        world.environment.kubectl("delete", "hardwareclass", CLASS)

        def says(model: EdgeModel) -> bool:
            (target,) = model.status.targets
            text = f"{target.rollout.stable} continues to serve on 2 of 2 reachable nodes"
            return target.reason == "HardwareClassNotFound" and text in target.message

        world.until("the status says it", where, says, SEEN_SECONDS)
        enough = len(traffic.answers) + ANSWERS_LONG_ENOUGH
        wait_for(
            "traffic after it", lambda: len(traffic.answers), lambda n: n > enough, SEEN_SECONDS
        )
        world.environment.kubectl(
            "apply", "-f", str(ROOT / "examples" / "minilm" / "hardwareclasses.yaml")
        )
        world.until_ready(where, SEEN_SECONDS)
        traffic.catch_up()
        assert lost_by_switching(traffic) == {}
        traffic.end(load)
    assert pods(world, namespace) == before


def test_a_taint_that_evicts_leaves_what_tolerates_it(
    world: World, namespace: str, tainted: list[str]
) -> None:
    """A pod that tolerates nothing shows when the evictions are through."""
    before = pods(world, namespace)
    (node, *_) = tainted
    world.environment.apply(_idle(world, namespace, node))
    get = ("-n", namespace, "pod", "idle")
    wait_for(
        "the pod that tolerates nothing",
        lambda: world.environment.get(*get)["status"].get("phase"),
        lambda phase: phase == "Running",
        SEEN_SECONDS,
    )
    taint(world, [node], f"{TAINT}:NoExecute")
    world.environment.kubectl(
        "-n", namespace, "wait", "--for=delete", "pod/idle", f"--timeout={SEEN_SECONDS:.0f}s"
    )
    assert pods(world, namespace) == before
    world.until_ready((namespace, NAME), SEEN_SECONDS)


def _idle(world: World, namespace: str, node: str) -> dict[str, Any]:
    """Return an idle pod for a node."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "idle",
        "image": world.built["images"]["agent"],
        "command": ["python3", "-c", "import signal; signal.pause()"],
        "securityContext": security,
    }
    spec = {
        "nodeName": node,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    metadata = {"name": "idle", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
