"""Why a pod is not there is in the EdgeModel within a minute: quotas, LimitRanges, images, Secrets, taints.

The API server, its admission and the DaemonSet, Job and quota controllers are real; what kubelets say
of pods that they can't start is played.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.api import EdgeModel, HardwareClass
from skerry.api.edgemodel import Phase
from skerry.cluster import kinds
from skerry.cluster.kinds import Kind
from skerry.decide.conditions import condition_of
from skerry.render.parts import COMPONENT_FETCHER, COMPONENT_RUNTIME
from tests.cluster.pod_states import Stuck
from tests.cluster.world import NAME, World, is_true, manifest, running_world
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.conftest import Kubectl
    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

CLASS = "why-a"
NODES = ("why-a1", "why-a2")
REPORTED_SECONDS = 60.0
QUOTA = Kind("v1", "ResourceQuota", "resourcequotas", namespaced=True)
LIMITS = Kind("v1", "LimitRange", "limitranges", namespaced=True)
TAINT = {"key": "dedicated", "value": "other", "effect": "NoSchedule"}


@pytest.fixture(scope="module")
def world(
    control_plane: Lab, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Yield one class of two nodes, and a model that serves on both."""
    folder = tmp_path_factory.mktemp("operator")
    with running_world(control_plane, kubectl, folder, classes={CLASS: NODES}) as made:
        apply(made, NAME)
        made.until_ready(1)
        yield made


def apply(world: World, name: str, **source: Any) -> None:
    model = manifest(world.registry, name)
    model["spec"]["targets"] = [{"hardwareClassName": CLASS}]
    model["spec"]["source"] |= source
    world.kubectl.apply(model)


def text(world: World, name: str, reason: str, *words: str) -> EdgeModel:
    """Wait until the EdgeModel's Ready gives this reason and message."""

    def says(model: EdgeModel) -> bool:
        ready = condition_of(model.status.conditions, "Ready")
        if ready is None or ready.reason != reason:
            return False
        return all(word in ready.message for word in words)

    return wait_for(f"{reason} of {name}", lambda: world.model(name), says, REPORTED_SECONDS)


def quota(world: World, pods: int) -> dict[str, Any]:
    """Return a quota for so many pods, once its controller has counted them."""
    world.kubectl.apply(
        {
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"},
            "spec": {"hard": {"pods": str(pods)}},
        }
    )  # fmt: skip
    return wait_for(
        "the quota",
        lambda: world.api.get(QUOTA, world.namespace, "full"),
        lambda q: q.get("status", {}).get("hard") == q["spec"]["hard"] and "used" in q["status"],
        REPORTED_SECONDS,
    )


def touch_owners(world: World) -> None:
    """Let controllers that back off try again at once."""
    for kind in (kinds.DAEMON_SET, kinds.JOB):
        for item in world.api.list(kind, world.namespace):
            world.api.merge(kind, item, {"metadata": {"annotations": {"touched": "yes"}}})


def test_pods_that_a_quota_forbids_are_reported_and_come_when_there_is_room(world: World) -> None:
    """First the job that measures, then the revision on the second wave's node; stable serves all the time."""
    serving = len(NODES)
    quota(world, serving)
    generation = world.serve("600m")
    words = (
        "exceeded quota: full",
        f"ResourceQuota full of namespace {world.namespace} must have room",
    )
    model = text(world, NAME, "PodsForbidden", *words)
    assert model.status.phase is Phase.OPTIMIZING
    assert is_true(model, "Stalled")
    assert "has no pod" in model.status.targets[0].message

    quota(world, serving + 1)
    touch_owners(world)
    model = text(world, NAME, "PodsForbidden", "wave 2 of 2", *words)
    (target,) = model.status.targets
    assert target.rollout.offenders[0] in NODES
    assert f"{target.rollout.offenders[0]}: its pod was refused" in target.message
    assert is_true(model, "Stalled")
    assert is_true(model, "Available")
    assert target.rollout.wave is not None
    assert "exceeded quota" in target.rollout.wave.message

    world.api.delete(QUOTA, world.api.get(QUOTA, world.namespace, "full"))
    touch_owners(world)
    model = world.until_ready(generation)
    assert condition_of(model.status.conditions, "Stalled") is None


def test_a_job_that_a_limit_range_refuses_says_so(world: World) -> None:
    """It is not said that it reads anything."""
    world.kubectl.apply(
        {
            "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "ratio"},
            "spec": {"limits": [{"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}]},
        }
    )  # fmt: skip
    name = "ratio"
    try:
        apply(world, name, uri="https://models.example/m.onnx")
        words = ("limit to request ratio", f"the LimitRange of namespace {world.namespace}")
        model = text(world, name, "PodsForbidden", *words)
        assert is_true(model, "Stalled")
        assert " reads " not in model.status.targets[0].message
    finally:
        world.api.delete(LIMITS, {"metadata": {"name": "ratio", "namespace": world.namespace}})
        world.kubectl("delete", "edgemodel", name)


def test_a_job_that_waits_for_a_secret_names_it(world: World) -> None:
    """The kubelet says so in an Event alone; the pod stays at ContainerCreating."""
    name = "mount"
    message = 'MountVolume.SetUp failed for volume "docker" : secret "registry-push" not found'
    world.devices.stuck[name, COMPONENT_FETCHER] = Stuck(
        "ContainerCreating", event=("FailedMount", message)
    )
    apply(world, name, uri="https://models.example/m.onnx")
    words = (
        'secret "registry-push" not found',
        f"create that secret in namespace {world.namespace}",
    )
    model = text(world, name, "VolumeNotMounted", *words)
    assert is_true(model, "Stalled")
    world.kubectl("delete", "edgemodel", name)


def test_a_revision_whose_image_cannot_be_pulled_names_node_and_words(world: World) -> None:
    """On the first wave's node alone; the model is not stalled before its deadline."""
    pods = (NAME, COMPONENT_RUNTIME)
    world.devices.stuck[pods] = Stuck("ImagePullBackOff", 'Back-off pulling image "x": not found')
    before = world.model().status.targets[0].rollout.stable
    generation = world.serve("550m")
    model = text(world, NAME, "ImagePullFailed", "cannot start", "not found")
    assert is_true(model, "Available")
    assert condition_of(model.status.conditions, "Stalled") is None
    assert model.status.targets[0].rollout.offenders
    assert model.status.targets[0].rollout.stable == before
    del world.devices.stuck[pods]
    world.until_ready(generation)


def test_a_tainted_node_is_left_out_and_comes_back_by_itself(world: World) -> None:
    """It holds no wave, is named by model and class, and catches up when the taint goes."""
    node = world.api.get(kinds.NODE, None, NODES[0])
    world.api.merge(kinds.NODE, node, {"spec": {"taints": [TAINT]}})
    named = f"{NODES[0]}: taint dedicated=other:NoSchedule"
    model = world.until_ready(world.serve("700m"))
    (target,) = model.status.targets
    assert f"left out: {named}" in target.message
    assert target.rollout.nodes.updated == 1
    assert is_true(model, "Available")
    found = world.api.get(kinds.HARDWARE_CLASS, None, CLASS)
    complete = condition_of(HardwareClass.model_validate(found).status.conditions, "Complete")
    assert complete is not None
    assert complete.reason == "NodesLeftOut"
    assert named in complete.message

    node = world.api.get(kinds.NODE, None, NODES[0])
    world.api.merge(kinds.NODE, node, {"spec": {"taints": None}})
    wait_for(
        "the node to catch up",
        world.model,
        lambda m: m.status.targets[0].rollout.nodes.updated == len(NODES),
        REPORTED_SECONDS,
    )
