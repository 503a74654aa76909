"""What changes under a model that serves: its class is deleted, the chart has other values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.common import LABEL_MODEL, NODE_LABEL_CLASS, NODE_LABEL_SHARD
from skerry.cluster import kinds
from tests.cluster.world import NAME, ROLLOUT_SECONDS, World, manifest
from tests.waiting import wait_for

if TYPE_CHECKING:
    from skerry.api.edgemodel import TargetStatus

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

DELETED = "op-a"
NODE = "op-a1"
TOLERATIONS = [{"key": "dedicated", "operator": "Exists"}]


def target(world: World) -> TargetStatus:
    """Return the status of the target whose class is deleted."""
    return next(t for t in world.model().status.targets if t.hardware_class_name == DELETED)


def node_labels(world: World) -> dict[str, str]:
    """Return Skerry's labels of a node of the class."""
    labels = world.api.get(kinds.NODE, None, NODE)["metadata"]["labels"]
    return {key: labels[key] for key in (NODE_LABEL_CLASS, NODE_LABEL_SHARD) if key in labels}


def uids(world: World, but: str = "") -> dict[str, str]:
    """Return the uids of the serving pods except one node's, and of the class's EdgeNodes."""
    selector = f"app.kubernetes.io/component=runtime,{LABEL_MODEL}={NAME}"
    pods = world.api.list(kinds.POD, world.namespace, selector)
    found = [pod for pod in pods if pod["spec"].get("nodeName") != but]
    found += [
        e for e in world.api.list(kinds.EDGE_NODE) if e["spec"]["hardwareClassName"] == DELETED
    ]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in found}


def templates(world: World) -> dict[str, dict[str, Any]]:
    """Return the pods' specs in the model's DaemonSets, by name."""
    found = world.api.list(kinds.DAEMON_SET, world.namespace, f"{LABEL_MODEL}={NAME}")
    return {d["metadata"]["name"]: d["spec"]["template"]["spec"] for d in found}


def apply_class(world: World) -> None:
    selector = {"nodeSelector": {"test.skerry.dev/class": DELETED}}
    body = {"apiVersion": "skerry.dev/v1alpha1", "kind": "HardwareClass"}
    world.kubectl.apply({**body, "metadata": {"name": DELETED}, "spec": selector})


def test_a_class_that_is_deleted_in_use_keeps_its_nodes_and_says_so(world: World) -> None:
    world.kubectl.apply(manifest(world.registry, NAME))
    world.until_ready(1)
    labels, present = node_labels(world), uids(world, but=NODE)
    world.kubectl("delete", "hardwareclass", DELETED)
    wait_for(
        "the status to say it",
        lambda: target(world),
        lambda t: (
            t.reason == "HardwareClassNotFound"
            and f"{t.rollout.stable} continues to serve on 2 of 2 reachable nodes" in t.message
        ),
        ROLLOUT_SECONDS,
    )
    # A label that comes back shows that the fleet loop has looked since, and heals these nodes too.
    node = world.api.get(kinds.NODE, None, NODE)
    world.api.merge(kinds.NODE, node, {"metadata": {"labels": dict.fromkeys(labels)}})
    wait_for("labels", lambda: node_labels(world), lambda found: found == labels, ROLLOUT_SECONDS)
    assert uids(world, but=NODE) == present


def test_when_it_is_there_again_all_is_as_before_without_a_build(world: World) -> None:
    stable, jobs = target(world).rollout.stable, len(world.api.list(kinds.JOB, world.namespace))
    apply_class(world)
    world.until_ready(1)
    assert target(world).rollout.stable == stable
    assert len(world.api.list(kinds.JOB, world.namespace)) == jobs


def test_other_values_of_the_chart_reach_daemonsets_that_are_there(world: World) -> None:
    """Tolerations and pull Secrets come and go; no revision, no pod changes by it."""
    before, present = templates(world), uids(world)
    changed = {"device": {"tolerations": TOLERATIONS}, "models": {"priorityClassName": "edge"}}
    registry = {"address": world.registry, "insecure": True, "pullSecret": "pull"}
    for settings in (changed | {"registry": registry}, {}):
        world.operator.stop()
        world.operator.settings = settings
        world.operator.start()
        wanted = TOLERATIONS if settings else None
        found = wait_for(
            "the DaemonSets to follow",
            lambda: templates(world),
            lambda pods, w=wanted: all(pod.get("tolerations") == w for pod in pods.values()),  # type: ignore[misc]
            ROLLOUT_SECONDS,
        )
        secrets = [pod.get("imagePullSecrets") for pod in found.values()]
        assert secrets == [[{"name": "pull"}] if settings else None] * len(found)
        assert found.keys() == before.keys()
    assert templates(world) == before
    assert uids(world) == present


def test_its_nodes_are_released_when_nobody_names_it_any_more(world: World) -> None:
    world.kubectl("delete", "hardwareclass", DELETED)
    wait_for("the status", lambda: target(world).reason, lambda r: r == "HardwareClassNotFound", 60)
    world.patch({"targets": [{"hardwareClassName": "op-b"}]})
    wait_for("no label", lambda: node_labels(world), lambda found: not found, ROLLOUT_SECONDS)
    wait_for(
        "no EdgeNode",
        lambda: world.api.find(kinds.EDGE_NODE, None, NODE),
        lambda found: found is None,
        ROLLOUT_SECONDS,
    )
    apply_class(world)
