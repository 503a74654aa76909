"""The wider path on real kubelets: from a volume claim, by two engines, without image volumes, by hand.

One model goes through what the story leaves out, in the order of the tests: the chart is upgraded to
two operators and to delivery by init containers, the source lies in a PersistentVolumeClaim, every
installed engine builds, a ring goes first, a person promotes, and clients speak gRPC.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton

from tests.e2e.world import World, condition, skerry, tiny_model, wait_for
from tests.lab.client import install
from tests.lab.client.environment import run
from tests.lab.client.traffic import infer_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "delivered"
CLASS = "x86-b"
CLAIM = "trained-models"
RING = "example.com/ring"
STANDARD = {"agent.heartbeatSeconds": "2"}
WIDE = {**STANDARD, "operator.replicas": "2", "artifacts.delivery": "InitContainer"}
ROLLOUT_SECONDS = 600.0
TAKEOVER_SECONDS = 60.0


@pytest.fixture(scope="module")
def upgraded(world: World) -> Iterator[World]:
    """Yield a world upgraded to two operators and init containers; restore it afterwards."""
    install.install_chart(world.environment, world.built, WIDE)
    yield world
    install.install_chart(world.environment, world.built, STANDARD)


@pytest.fixture(scope="module")
def claim(world: World, namespace: str, tiny: Path, lab: Lab) -> Iterator[str]:
    """Yield a claim that holds a training job's output: the model and the data set."""
    folder = lab.kubeconfig.parents[1] / "claim"
    shutil.copytree(tiny, folder)
    run("chmod", "-R", "a+rX", str(folder))
    size, modes = {"storage": "1Gi"}, ["ReadOnlyMany"]
    meta = {"apiVersion": "v1", "metadata": {"name": CLAIM}}
    volume = {
        **meta, "kind": "PersistentVolume",
        "spec": {"capacity": size, "accessModes": modes, "storageClassName": "",
                 "hostPath": {"path": str(folder)},
                 "claimRef": {"namespace": namespace, "name": CLAIM}},
    }  # fmt: skip
    wanted = {
        **meta, "kind": "PersistentVolumeClaim",
        "spec": {"resources": {"requests": size}, "accessModes": modes, "storageClassName": "",
                 "volumeName": CLAIM},
    }  # fmt: skip
    wanted["metadata"] = {"name": CLAIM, "namespace": namespace}
    world.environment.apply(volume, wanted)
    yield f"pvc://{CLAIM}"
    world.environment.kubectl("delete", "persistentvolume", CLAIM, "--wait=false")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bench(world: World) -> Iterator[str]:
    """Yield the node of the class that is in the first ring."""
    node = world.nodes_of(CLASS)[0]
    world.environment.kubectl("label", "node", node, f"{RING}=bench")
    yield node
    world.environment.kubectl("label", "node", node, f"{RING}-")


def wanted_model(world: World, namespace: str, claim: str) -> dict[str, Any]:
    """Return a model for every installed engine, with a ring before the rest and manual promotion."""
    model = tiny_model(world.registry, namespace, NAME, [CLASS])
    spec = model["spec"]
    spec["source"] = {"uri": f"{claim}/v1"}
    spec["evaluation"]["dataset"] = {"uri": f"{claim}/dataset"}
    spec["targets"] = [{"hardwareClassName": CLASS}]
    spec["optimization"]["search"]["maxRecipes"] = 3
    waves = [{"nodeSelector": {RING: "bench"}}, {"percent": 100}]
    spec["rollout"] |= {"waves": waves, "promotion": "Manual", "soak": "3s", "traffic": [50]}
    return model


def test_the_upgraded_release_says_that_it_is_well(upgraded: World) -> None:
    said = upgraded.environment.helm("test", "skerry", "--namespace", install.NAMESPACE, "--logs")
    assert "operator" in said
    assert "leads" in said


def test_both_engines_build_and_a_person_is_waited_for(
    upgraded: World, namespace: str, claim: str, bench: str
) -> None:
    world = upgraded
    world.environment.apply(wanted_model(world, namespace, claim))
    seen_in_ring: list[set[str]] = []

    def waits(model: Any) -> bool:
        pods = world.serving_pods(namespace, NAME)
        nodes = {p["spec"].get("nodeName", "") for p in pods} - {""}
        # Read after the pods: the next wave was not open when they were listed.
        if any(
            t.rollout.wave and t.rollout.wave.index == 0
            for t in world.model(namespace, NAME).status.targets
        ):
            seen_in_ring.append(nodes)
        return condition(model, "Ready") == "False: AwaitingPromotion"

    model = world.until("a person is asked", (namespace, NAME), waits, ROLLOUT_SECONDS)
    (target,) = model.status.targets
    outcomes = {build.engine: build.phase for build in target.build.engine_builds}
    assert set(outcomes) == {"ONNXRuntime", "OpenVINO"}, "each installed engine has built"
    assert outcomes["ONNXRuntime"] == "Certified"
    # So small a model weighs less than what an engine needs itself: OpenVINO may miss the memory gate.
    assert outcomes["OpenVINO"] in {"Certified", "Failed"}
    assert "OpenVINO" in target.build.choice, "and its outcome is reported"
    for variant in world.environment.get("-n", namespace, "modelvariants")["items"]:
        failed = [t for t in variant["status"]["recipeResults"] if t["outcome"] == "Failed"]
        assert not failed, "each recipe runs in the image that it is built into"
    assert target.build.choice.startswith(target.build.engine or "none"), target.build.choice
    assert seen_in_ring, "the ring was a wave of its own"
    assert all(nodes <= {bench} for nodes in seen_in_ring), "nobody else before the ring was done"


def test_a_person_promotes(upgraded: World, namespace: str) -> None:
    said = skerry(upgraded, namespace, "promote", NAME)
    assert CLASS in said
    upgraded.until_ready((namespace, NAME), 120)
    tree = skerry(upgraded, namespace, "status", NAME)
    assert "OpenVINO" in tree
    assert "ONNXRuntime" in tree
    pods = upgraded.serving_pods(namespace, NAME)
    assert len(pods) == 2
    for pod in pods:
        assert not [volume for volume in pod["spec"]["volumes"] if "image" in volume]
        assert [c["name"] for c in pod["spec"]["initContainers"]] == ["pull-model"]


def test_clients_speak_grpc_by_the_same_port(
    upgraded: World, namespace: str, lab: Lab, tiny: Path
) -> None:
    names = upgraded.nodes_of(CLASS)
    node = next(n for n in lab.nodes if n.name in names)
    authority = [("grpc.default_authority", f"{NAME}.{namespace}.svc")]
    client = triton.InferenceServerClient(f"{node.ip}:30080", channel_args=authority)
    assert [one.name for one in client.get_model_metadata(NAME).outputs]
    (wanted,) = infer_request(tiny / "dataset" / "dataset.npz")["inputs"]
    values = np.array(wanted["data"], dtype=np.float32).reshape(wanted["shape"])
    tensor = triton.InferInput(wanted["name"], wanted["shape"], wanted["datatype"])
    tensor.set_data_from_numpy(values)
    answer = client.infer(NAME, [tensor]).get_response()
    rest = run("curl", "-sS", "-m", "5", f"http://{node.ip}:30080/{namespace}/{NAME}/v2/models/{NAME}/infer",
               "-d", json.dumps(infer_request(tiny / "dataset" / "dataset.npz")))  # fmt: skip
    (by_rest,) = json.loads(rest)["outputs"]
    (by_grpc,) = answer.outputs
    assert list(by_grpc.shape) == by_rest["shape"]
    assert np.allclose(
        np.frombuffer(answer.raw_output_contents[0], dtype=np.float32), by_rest["data"], atol=1e-5
    )


def test_the_other_operator_takes_over(upgraded: World, namespace: str) -> None:
    world = upgraded
    lease = ("-n", install.NAMESPACE, "lease", "skerry-operator")
    holder = world.environment.get(*lease)["spec"]["holderIdentity"]
    world.environment.kubectl(
        "-n", install.NAMESPACE, "delete", "pod", holder, "--force", "--grace-period=0"
    )
    now = wait_for(
        "another leads",
        lambda: world.environment.get(*lease)["spec"].get("holderIdentity"),
        lambda found: found and found != holder,
        TAKEOVER_SECONDS,
    )
    wanted = world.patch(namespace, NAME, {"rollout": {"soak": "4s"}})
    world.until(
        f"{now} acts", (namespace, NAME), lambda m: m.status.observed_generation >= wanted, 60
    )
