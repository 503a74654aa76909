"""Pods of replaced servers, and pods for clusters without image volumes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from skerry.api.config import ArtifactSettings, Delivery
from skerry.api.placement import Placement
from skerry.engines.flavors import FLAVORS, Flavor, flavored
from skerry.engines.server import SKERRY_RUNTIME
from skerry.render.daemonsets import daemonset
from skerry.render.image_volumes import delivered
from skerry.render.jobs import optimization_job
from skerry_agent.kubelet import Pod
from tests.kubelet import expanded
from tests.unit.decide.plan_world import CONFIG, IMAGE
from tests.unit.render.test_objects import OWNER, SERVED, build_job

OTHER_IMAGE = "reg.example/others/server@sha256:" + "b" * 64


def rendered(flavor: Flavor, *args: str) -> dict[str, Any]:
    server = flavored(SKERRY_RUNTIME, flavor, OTHER_IMAGE, args)
    served = dataclasses.replace(SERVED, server=server)
    return daemonset(OWNER, served, Placement())


def containers(workload: dict[str, Any]) -> dict[str, Any]:
    """Return containers by name, with arguments and variables as the kubelet expands them."""
    pod = workload["spec"]["template"]["spec"]
    found = (*pod.get("initContainers", ()), *pod["containers"])
    return {one["name"]: expanded(one) for one in found}


@pytest.mark.parametrize("flavor", Flavor)
def test_every_server_has_its_files_its_ports_and_its_golden_samples(
    flavor: Flavor,
) -> None:
    workload = rendered(flavor, "--log-level=1")
    by_name = containers(workload)
    assert by_name["runtime"]["image"] == OTHER_IMAGE
    assert by_name["runtime"]["args"][-1] == "--log-level=1"
    assert "command" not in by_name["runtime"], "the image's own entry point stays"
    assert by_name["runtime"]["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert by_name["prepare"]["command"][2:] == [
        "skerry_runtime.repository",
        FLAVORS[flavor].layout,
        "/repository",
    ]
    assert {by_name["prepare"]["image"], by_name["golden"]["image"]} == {IMAGE}
    for one in by_name.values():
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert one["resources"]["limits"].keys() == {"cpu", "memory"}
    metadata = {"namespace": "assist", "name": "intent-x"}
    pod = Pod.of({"metadata": metadata, "spec": workload["spec"]["template"]["spec"]})
    assert (pod.ports.http, pod.ports.grpc, pod.ports.golden) == (8080, 8081, 8090)


def test_triton_is_started_on_the_repository() -> None:
    args = containers(rendered(Flavor.TRITON))["runtime"]["args"]
    assert args[:4] == [
        "tritonserver", "--model-repository=/repository", "--http-port=8080", "--grpc-port=8081",
    ]  # fmt: skip


def test_openvino_model_server_is_started_on_the_model() -> None:
    args = containers(rendered(Flavor.OPENVINO_MODEL_SERVER))["runtime"]["args"]
    options = dict(zip(args[:-1:2], args[1::2], strict=True))
    assert options["--model_path"] == "/repository/intent"
    assert (options["--rest_port"], options["--port"]) == ("8080", "8081")
    assert json.loads(options["--plugin_config"])["INFERENCE_NUM_THREADS"] == 1
    assert args[-1] == "--metrics_enable"  # it has none otherwise


@pytest.mark.parametrize("flavor", list(Flavor))
def test_prometheus_finds_the_metrics_of_every_flavor(flavor: Flavor) -> None:
    annotations = rendered(flavor)["spec"]["template"]["metadata"]["annotations"]
    own = flavor in {Flavor.MLSERVER, Flavor.TRITON}
    assert annotations["prometheus.io/port"] == ("8082" if own else "8080")
    assert annotations["prometheus.io/path"] == "/metrics"


def test_image_volumes_stay_where_kubelets_have_them() -> None:
    workload = daemonset(OWNER, SERVED, Placement())
    assert delivered(workload, CONFIG) is workload


@pytest.mark.parametrize("kind", ["serving", "job"])
def test_images_are_pulled_by_init_containers_where_kubelets_cannot(kind: str) -> None:
    config = CONFIG.model_copy(
        update={
            "artifacts": ArtifactSettings(delivery=Delivery.INIT_CONTAINER),
            "registry": CONFIG.registry.model_copy(
                update={"push_secret": "push", "insecure": True}
            ),
        }
    )
    plain = (
        daemonset(OWNER, SERVED, Placement())
        if kind == "serving"
        else optimization_job(OWNER, build_job(), config)
    )
    images = {
        volume["name"]: volume["image"]["reference"]
        for volume in plain["spec"]["template"]["spec"]["volumes"]
        if "image" in volume
    }
    pod = delivered(plain, config)["spec"]["template"]["spec"]
    assert not [volume for volume in pod["volumes"] if "image" in volume]
    first = pod["initContainers"][: len(images)]
    assert [one["name"] for one in first] == [f"pull-{name}" for name in images]
    for name, one in zip(images, first, strict=True):
        assert one["command"][2:] == ["skerry_runtime.pull", images[name], "/pulled"]
        assert one["image"] == IMAGE
        assert {"name": name, "mountPath": "/pulled"} in one["volumeMounts"]
        variables = {entry["name"]: entry["value"] for entry in one["env"]}
        assert variables["SKERRY_INSECURE_REGISTRY"] == config.registry.address
    names = [volume["name"] for volume in pod["volumes"]]
    assert len(names) == len(set(names))
    assert "image" in plain["spec"]["template"]["spec"]["volumes"][0], "the plain one is left alone"
