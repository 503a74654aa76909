"""The rendered objects hold what the contract between operator, kubelet and agents says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api import EdgeNodeSpec
from skerry.api.artifact import Role
from skerry.api.common import NODE_LABEL_CLASS, NODE_LABEL_SHARD, ResourceLimits
from skerry.api.config import BuildResources
from skerry.api.modelroute import RoutePlacement
from skerry.api.placement import ANNOTATION_PLACEMENT, Placement, Ring
from skerry.api.units import parse_quantity
from skerry.decide.decision import AssessJob, BuildJob, FetchJob, ServedRevision
from skerry.decide.snapshot import Pin, Pins
from skerry.jobs.plans import JobPlan
from skerry.render.daemonsets import daemonset, with_placement
from skerry.render.fetch_jobs import fetch_job
from skerry.render.jobs import assess_job, optimization_job
from skerry.render.nodes import edge_node, node_labels
from skerry.render.parts import Owner, cores, job_resources, serving_resources
from skerry.render.rolebindings import agent_role_binding
from skerry.render.routes import route
from skerry.render.services import service
from tests.unit.decide.plan_world import CONFIG, DATASET, IMAGE, SOURCE, assessed, built, world

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = Owner("intent", "assist", "u1")
SERVED = ServedRevision(
    "0123456789", "x86", "reg/x@sha256:1", IMAGE, ResourceLimits(cpu="250m", memory="64Mi")
)


def ring(shards: set[int], **labels: str) -> Ring:
    return Ring(node_selector=tuple(sorted(labels.items())), shards=frozenset(shards))


PLACEMENTS = [
    Placement(),
    Placement.only(frozenset({3, 1})),
    Placement.without(frozenset({7})),
    Placement.only(rings=(ring({2, 5}, site="north"),)),
    Placement.only(frozenset({1}), (ring({9}, a="", b="2"), ring({4}, site="x"))),
]
NODES = [
    (shard, labels)
    for shard in (None, *range(10))
    for labels in ({}, {"site": "north"}, {"site": "x"}, {"a": "", "b": "2"}, {"a": ""})
]


def build_job() -> BuildJob:
    (job,) = assessed().decide().jobs
    assert isinstance(job, BuildJob)
    return job


def the_assess_job() -> AssessJob:
    (job,) = world().decide().jobs
    assert isinstance(job, AssessJob)
    return job


def a_fetch_job(uri: str, **source: str) -> FetchJob:
    start = world(source={"uri": uri, **source})
    (job,) = start.with_(pins=Pins({Role.DATASET: Pin(DATASET)})).decide().jobs
    assert isinstance(job, FetchJob)
    return job


def pod_templates() -> Iterator[dict[str, Any]]:
    yield daemonset(OWNER, SERVED, Placement())["spec"]["template"]
    yield optimization_job(OWNER, build_job(), CONFIG)["spec"]["template"]
    yield assess_job(OWNER, the_assess_job(), CONFIG)["spec"]["template"]
    for uri in ("s3://models/intent.onnx", "pvc://models/intent.onnx"):
        yield fetch_job(OWNER, a_fetch_job(uri), CONFIG)["spec"]["template"]


def test_every_pod_is_confined() -> None:
    for template in pod_templates():
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_stages_in_order_with_their_images_and_limits() -> None:
    resources = BuildResources(cpu="2", memory="3Gi")
    builds = CONFIG.builds.model_copy(update={"resources": resources})
    engine = CONFIG.engines["ONNXRuntime"].model_copy(update={"runtime_image": "reg/other@x"})
    engines = {"ONNXRuntime": engine}
    config = CONFIG.model_copy(update={"builds": builds, "engines": engines})
    job = optimization_job(OWNER, build_job(), config)
    pod = job["spec"]["template"]["spec"]
    names = [container["name"] for container in (*pod["initContainers"], *pod["containers"])]
    assert names == [
        "find-finished", "baseline-measurement", "format-conversion", "quantization",
        "hardware-acceleration", "quality", "validation", "pack",
    ]  # fmt: skip
    by_name = {c["name"]: c for c in (*pod["initContainers"], *pod["containers"])}
    # serving 512Mi: baseline and candidate at once, and what compares them
    # What is certified is timed as it will serve; what only chooses, at full speed.
    for stage, cpu in (("baseline-measurement", "2"), ("validation", "1")):
        assert by_name[stage]["resources"]["limits"] == {"cpu": cpu, "memory": "1280Mi"}
        assert by_name[stage]["command"][:3] == ["python3", "-m", "skerry_runtime.measure"]
        assert by_name[stage]["image"] == engine.runtime_image
    # Neither answers nor ratios of times depend on the serving limit: candidates must not be raced under it.
    quality = by_name["quality"]
    assert quality["command"] == ["python3", "-m", "skerry_runtime.measure", "quality"]
    assert quality["image"] == engine.runtime_image
    for stage in ("quality", "quantization", "pack"):
        assert by_name[stage]["resources"]["limits"] == {"cpu": "2", "memory": "3Gi"}
    assert by_name["quantization"]["image"] == engine.optimizer_image
    assert job["spec"]["activeDeadlineSeconds"] == 1800
    assert job["spec"]["backoffLimit"] == 2
    assert len(job["metadata"]["name"]) <= 63


@pytest.mark.parametrize(
    ("builds", "raced"),
    [
        (BuildResources(cpu="500m", memory="1Gi"), {"cpu": "1", "memory": "1280Mi"}),
        (BuildResources(cpu="4", memory="8Gi"), {"cpu": "4", "memory": "8Gi"}),
    ],
)
def test_a_race_has_no_less_than_what_serves(builds: BuildResources, raced: dict[str, str]) -> None:
    settings = CONFIG.builds.model_copy(update={"resources": builds})
    job = optimization_job(OWNER, build_job(), CONFIG.model_copy(update={"builds": settings}))
    by_name = {one["name"]: one for one in job["spec"]["template"]["spec"]["initContainers"]}
    assert by_name["quality"]["resources"]["limits"] == raced


def test_the_job_runs_on_its_class_with_pinned_volumes_and_its_plan() -> None:
    pod = optimization_job(OWNER, build_job(), CONFIG)["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["source"]["image"]["reference"] == f"reg.example/models/intent@{SOURCE.digest}"
    assert "docker" not in volumes
    required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": NODE_LABEL_CLASS, "operator": "In", "values": ["x86"]}]}
    ]
    values = {entry["name"]: entry.get("value") for entry in pod["initContainers"][1]["env"]}
    assert JobPlan.model_validate_json(values["SKERRY_PLAN"] or "") == build_job().plan
    assert values["SKERRY_CPU_LIMIT"] == "1"


def test_push_credentials_are_mounted_where_the_plan_says() -> None:
    registry = CONFIG.registry.model_copy(update={"push_secret": "push"})
    config = CONFIG.model_copy(update={"registry": registry})
    pod = optimization_job(OWNER, build_job(), config)["spec"]["template"]["spec"]
    secret = next(volume for volume in pod["volumes"] if volume["name"] == "docker")["secret"]
    assert secret["secretName"] == "push"
    (job,) = assessed().with_(config=config).decide().jobs
    assert isinstance(job, BuildJob)
    assert job.plan.registry.docker_config == "/docker/config.json"
    mounts = pod["containers"][0]["volumeMounts"]
    assert {"name": "docker", "mountPath": "/docker", "readOnly": True} in mounts


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_daemonset_covers_the_nodes_of_its_placement_and_carries_it(placement: Placement) -> None:
    rendered = daemonset(OWNER, SERVED, placement)
    moved = with_placement(OWNER, daemonset(OWNER, SERVED, PLACEMENTS[-1]), placement)
    assert moved == rendered
    for shard, labels in NODES:
        assert _is_meant_for(rendered, shard, labels) == placement.covers(shard, labels)
    carried = rendered["metadata"]["annotations"][ANNOTATION_PLACEMENT]
    assert Placement.model_validate_json(carried) == placement


@pytest.mark.parametrize("one", PLACEMENTS)
@pytest.mark.parametrize("other", PLACEMENTS)
def test_a_union_covers_what_either_covers(one: Placement, other: Placement) -> None:
    both = one.union(other)
    assert both == one if one == other else True
    for shard, labels in NODES:
        either = one.covers(shard, labels) or other.covers(shard, labels)
        assert both.covers(shard, labels) or not either
        limited = one.kind == other.kind or not (one.rings or other.rings)
        assert both.covers(shard, labels) == either or not limited


def test_the_serving_pod_is_what_agents_look_for() -> None:
    rendered = daemonset(OWNER, SERVED, Placement.only(frozenset({3})))
    assert rendered["metadata"]["name"] == "intent-0123456789"
    assert rendered["spec"]["updateStrategy"] == {"type": "OnDelete"}
    template = rendered["spec"]["template"]
    assert template["metadata"]["labels"] == {
        "app.kubernetes.io/name": "skerry",
        "app.kubernetes.io/part-of": "skerry",
        "app.kubernetes.io/managed-by": "skerry",
        "app.kubernetes.io/component": "runtime",
        "skerry.dev/model": "intent",
        "skerry.dev/hardware-class": "x86",
        "skerry.dev/revision": "0123456789",
    }
    assert "nodeSelector" not in template["spec"]
    container = template["spec"]["containers"][0]
    values = {entry["name"]: entry["value"] for entry in container["env"]}
    assert values["SKERRY_CPU_LIMIT"] == "0.25"
    assert values["SKERRY_REVISION"] == "0123456789"
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    shard = template["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"][0]["matchExpressions"][1]
    assert shard == {"key": NODE_LABEL_SHARD, "operator": "In", "values": ["3"]}


@pytest.mark.parametrize(
    ("cpu", "decimal", "requested"),
    [("1", "1", "250m"), ("250m", "0.25", "63m"), ("1500m", "1.5", "375m"), ("1m", "0.001", "1m")],
)
def test_cpu_as_decimal_and_as_request(cpu: str, decimal: str, requested: str) -> None:
    limits = ResourceLimits(cpu=cpu, memory="64Mi")
    assert cores(limits) == decimal
    assert serving_resources(limits)["requests"]["cpu"] == requested


@pytest.mark.parametrize(
    "cpu", ["1m", "1.5m", "3m", "5m", "10m", "0.001", "0.0015", "0.57", "1000000"]
)
def test_no_request_is_greater_than_its_limit(cpu: str) -> None:
    limits = ResourceLimits(cpu=cpu, memory="64Mi")
    for resources in (job_resources(limits), serving_resources(limits)):
        asked = parse_quantity(resources["requests"]["cpu"])
        assert 0 < asked <= parse_quantity(resources["limits"]["cpu"])


@pytest.mark.parametrize(
    ("serving", "measuring"),
    [
        ("512Mi", "1280Mi"),
        ("1", "257Mi"),
        ("4398046510975Mi", "8796093022206Mi"),
        ("9999999999999Gi", "8796093022207Mi"),
        ("999999999999999G", "8796093022207Mi"),
    ],
)
def test_what_measures_gets_a_quantity_that_the_schema_takes(serving: str, measuring: str) -> None:
    job = build_job()
    limits = ResourceLimits(cpu="1", memory=serving)
    job = replace(job, plan=job.plan.model_copy(update={"limits": limits}))
    pod = optimization_job(OWNER, job, CONFIG)["spec"]["template"]["spec"]
    given = {stage["resources"]["limits"]["memory"] for stage in pod["initContainers"]}
    assert measuring in given
    for memory in given:
        ResourceLimits(memory=memory)


def test_a_job_never_takes_the_cpu_of_what_serves() -> None:
    limits = ResourceLimits(cpu="2", memory="1Gi")
    job, serving = (
        job_resources(limits),
        serving_resources(ResourceLimits(cpu="100m", memory="1Gi")),
    )
    assert job["limits"] == {"cpu": "2", "memory": "1Gi"}
    assert parse_quantity(job["requests"]["cpu"]) < parse_quantity(serving["requests"]["cpu"])


def test_route_service_and_binding() -> None:
    spec = built().decide().routes["x86"]
    rendered = route(OWNER, spec)
    assert rendered["metadata"]["name"] == "intent.x86"
    assert rendered["metadata"]["labels"]["skerry.dev/hardware-class"] == "x86"
    assert rendered["spec"] == spec.to_wire()
    assert len(str(rendered)) < 2000
    external = service(OWNER, CONFIG.gateway)["spec"]
    assert external["externalName"] == "skerry-gateway.skerry-system.svc.cluster.local"
    binding = agent_role_binding("assist")
    assert binding["roleRef"]["name"] == "skerry-agent-pods"
    assert "ownerReferences" not in binding["metadata"]


def test_nodes() -> None:
    assert node_labels("n", "x86", 3)["metadata"]["labels"] == {
        NODE_LABEL_CLASS: "x86",
        NODE_LABEL_SHARD: "3",
    }
    assert node_labels("n", None, None)["metadata"]["labels"] == {}
    place = EdgeNodeSpec(hardware_class_name="x86", shard=3, labels={"site": "north"})
    owner = edge_node("n", "uid", place)["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("Node", "uid")
    assert edge_node("n", "uid", place)["spec"] == {
        "hardwareClassName": "x86", "shard": 3, "labels": {"site": "north"},
    }  # fmt: skip


def _is_meant_for(item: dict[str, Any], shard: int | None, labels: dict[str, str]) -> bool:
    """Return whether a node affinity matches, as Kubernetes reads it."""
    pod = item["spec"]["template"]["spec"]
    required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    node = {NODE_LABEL_CLASS: "x86", **labels}
    node |= {} if shard is None else {NODE_LABEL_SHARD: str(shard)}
    return any(
        all(
            (node.get(e["key"]) in e["values"]) == (e["operator"] == "In")
            for e in term["matchExpressions"]
        )
        for term in required["nodeSelectorTerms"]
    )


def test_nothing_released_yet_is_the_whole_class() -> None:
    """With 64 shards or more all held: NotIn without values would be refused by the API server."""
    assert Placement.without(frozenset()) == Placement()


def test_an_entry_of_a_route_names_something_where_it_is_limited() -> None:
    """A node affinity of nothing would be the whole class."""
    with pytest.raises(ValueError, match="must name a shard or a ring"):
        RoutePlacement.of("0123456789", Placement.only())


def test_a_route_of_full_placements_is_small() -> None:
    """Stable everywhere but one shard, a candidate on 63, previous everywhere: 2 kB in etcd."""
    spec = built().decide().routes["x86"]
    full = [Placement.without(frozenset({1})), Placement.only(frozenset(range(63))), Placement()]
    entries = [RoutePlacement.of(f"{n:010}", placement) for n, placement in enumerate(full)]
    large = spec.model_copy(update={"placements": tuple(entries)})
    assert len(json.dumps(large.to_wire(), separators=(",", ":"))) < 2048
