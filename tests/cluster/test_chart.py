"""The chart: strict values, manifests that the API server takes, a configuration the operator reads."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from typing import TYPE_CHECKING, Any

import cloudcoil.models.prometheus_operator.v1 as prometheus_kinds
import pytest
import yaml

from skerry.api.config import OperatorConfig, SourceSettings
from skerry.api.placement import Placement
from skerry.engines import installed_engines
from skerry.engines.flavors import Flavor, flavored
from skerry.render.daemonsets import daemonset
from skerry.render.parts import Owner
from tests.cluster.chart import CHART, NAMESPACE, VALUES, helm, rendered
from tests.cluster.conftest import ROOT
from tests.cluster.manifests import DIGEST
from tests.unit.decide.plan_world import built

if TYPE_CHECKING:
    from tests.cluster.conftest import Kubectl
    from tests.lab import Lab

pytestmark = pytest.mark.cluster

PROMETHEUS_KINDS = ("PodMonitor", "PrometheusRule")


@pytest.fixture(scope="module")
def objects(control_plane: Lab) -> list[dict[str, Any]]:
    """Return all objects that the chart renders."""
    return [part for part in yaml.safe_load_all(rendered(control_plane)) if part]


def find(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return one of them."""
    return next(o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))


def test_lint(control_plane: Lab) -> None:
    done = helm(control_plane, "lint", str(CHART), "--strict")
    assert done.returncode == 0, done.stdout + done.stderr


def taken(administrator: Kubectl, parts: list[dict[str, Any]]) -> None:
    """Check that the API server takes all of these without a warning; a bare Pod needs its account first."""
    namespace = administrator.tried("create", "namespace", NAMESPACE)
    assert namespace.returncode == 0 or "AlreadyExists" in namespace.stderr
    items = [part for part in parts if part["kind"] not in {"Pod", *PROMETHEUS_KINDS}]
    listing = {"apiVersion": "v1", "kind": "List", "items": items}
    words = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--filename=-")
    done = administrator.within(NAMESPACE).tried(*words, stdin=listing)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_api_server_takes_every_object(administrator: Kubectl, control_plane: Lab) -> None:
    text = rendered(control_plane, **{"namespace.create": "true"})
    taken(administrator, [part for part in yaml.safe_load_all(text) if part])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"images.agent": "registry.example/agent:1"}, "/images/agent"),
        ({"registry.adress": "typo"}, "'adress' not allowed"),
        ({"registry.address": "http://registry.example"}, "/registry/address"),
        ({"agent.heartbeatSeconds": "0"}, "/agent/heartbeatSeconds"),
        ({"builds.maxConcurrent": "0"}, "/builds/maxConcurrent"),
        ({"gateway.nodePort": "80"}, "/gateway/nodePort"),
        ({"device.hostPath": "var/lib"}, "/device/hostPath"),
        ({"gateway.maxSurge": "0%"}, "/gateway/maxSurge"),
        ({"builds.resources.memory": "much"}, "/builds/resources/memory"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_values_are_refused(control_plane: Lab, value: dict[str, str], message: str) -> None:
    done = helm(control_plane, "template", "skerry", str(CHART), values=value)
    assert done.returncode != 0
    assert message in done.stderr


def test_images_must_be_given(control_plane: Lab) -> None:
    done = helm(control_plane, "template", "skerry", str(CHART), values=dict.fromkeys(VALUES, ""))
    for value in (value for value in VALUES if not value.startswith("engines.")):
        assert f"/{value.replace('.', '/')}'" in done.stderr


def test_another_namespace_is_refused(control_plane: Lab) -> None:
    done = helm(control_plane, "template", "skerry", str(CHART), namespace="default")
    assert "install Skerry into the namespace skerry-system, not default" in done.stderr


def test_the_operator_reads_its_configuration(objects: list[dict[str, Any]]) -> None:
    text = find(objects, "ConfigMap", "skerry-operator")["data"]["config.yaml"]
    config = OperatorConfig.model_validate(yaml.safe_load(text))
    engine = config.engines[next(iter(config.engines))]
    assert config.registry.address == VALUES["registry.address"]
    assert engine.runtime_image == VALUES["engines.ONNXRuntime.runtimeImage"]
    assert config.gateway.node_port == 30080
    assert config.sources == SourceSettings()


def test_options_reach_the_operator(control_plane: Lab) -> None:
    options = {
        "registry.pushSecret": "push",
        "gateway.nodePort": "null",
        "registry.insecure": "true",
        "images.fetcher": VALUES["images.agent"],
        "sources.sizeLimit": "2Gi",
    }
    parts = [part for part in yaml.safe_load_all(rendered(control_plane, **options)) if part]
    text = find(parts, "ConfigMap", "skerry-operator")["data"]["config.yaml"]
    config = OperatorConfig.model_validate(yaml.safe_load(text))
    assert (config.registry.push_secret, config.registry.insecure) == ("push", True)
    assert config.gateway.node_port is None
    assert (config.sources.fetcher_image, config.sources.size_limit) == (
        VALUES["images.agent"],
        "2Gi",
    )
    assert find(parts, "Service", "skerry-gateway")["spec"]["type"] == "ClusterIP"


def test_what_devices_tolerate_and_pull_with_holds_for_all_pods_on_them(
    control_plane: Lab,
) -> None:
    options = {
        "registry.pushSecret": "push",
        "registry.pullSecret": "pull",
        "device.tolerations[0].key": "dedicated",
        "device.tolerations[0].value": "edge",
        "device.tolerations[0].tolerationSeconds": "60",
        "models.priorityClassName": "models",
        "builds.priorityClassName": "builds",
    }
    parts = [part for part in yaml.safe_load_all(rendered(control_plane, **options)) if part]
    text = find(parts, "ConfigMap", "skerry-operator")["data"]["config.yaml"]
    config = OperatorConfig.model_validate(yaml.safe_load(text))
    assert (config.registry.push_secret, config.registry.reading_secret) == ("push", "pull")
    assert config.models.priority_class_name == "models"
    assert config.builds.priority_class_name == "builds"
    tolerations = [{"key": "dedicated", "value": "edge", "tolerationSeconds": 60}]
    assert [one.to_wire() for one in config.device.tolerations] == tolerations
    for device in ("skerry-agent", "skerry-gateway"):
        pod = find(parts, "DaemonSet", device)["spec"]["template"]["spec"]
        assert pod["tolerations"] == tolerations


def test_versions_are_those_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert chart["appVersion"] == project["version"]
    engines = installed_engines()
    assert set(values["engines"]) == set(engines)
    for name, engine in engines.items():
        assert values["engines"][name]["recipeSet"] == engine.recipe_set
        for extra in (f"optimizer-{name.lower()}", f"runtime-{name.lower()}"):
            pins = project["optional-dependencies"][extra]
            pin = next(p for p in pins if re.match(rf"{engine.distribution}\b", p))
            wanted = pin.removeprefix(f"{engine.distribution}==").rstrip("*")
            assert values["engines"][name]["version"].startswith(wanted)


def test_an_engine_without_images_is_not_installed(control_plane: Lab) -> None:
    config = operator_config(rendered(control_plane))
    assert set(config.engines) == {"ONNXRuntime"}
    images = {f"engines.OpenVINO.{kind}Image": f"a.example/b@{DIGEST}" for kind in KINDS}
    assert set(operator_config(rendered(control_plane, **images)).engines) == {
        "ONNXRuntime",
        "OpenVINO",
    }


def test_another_engine_is_a_matter_of_values(control_plane: Lab) -> None:
    image = f"a.example/b@{DIGEST}"
    values = {f"engines.Homemade.{kind}Image": image for kind in KINDS}
    values |= {"engines.Homemade.version": "1.2", "engines.Homemade.recipeSet": "homemade/1"}
    engine = operator_config(rendered(control_plane, **values)).engines["Homemade"]
    assert (engine.version, engine.recipe_set, engine.optimizer_image) == (
        "1.2",
        "homemade/1",
        image,
    )


def test_half_an_engine_and_no_engine_are_refused(control_plane: Lab) -> None:
    half = {"engines.OpenVINO.runtimeImage": f"a.example/b@{DIGEST}"}
    done = helm(control_plane, "template", "skerry", str(CHART), values=half)
    assert "engines.OpenVINO needs both optimizerImage and runtimeImage" in done.stderr
    none = {f"engines.ONNXRuntime.{kind}Image": "" for kind in KINDS}
    done = helm(control_plane, "template", "skerry", str(CHART), values=none)
    assert "no engine is installed" in done.stderr


KINDS = ("optimizer", "runtime")


def operator_config(manifests: str) -> OperatorConfig:
    """Return what the operator would read."""
    parts = [part for part in yaml.safe_load_all(manifests) if part]
    text = find(parts, "ConfigMap", "skerry-operator")["data"]["config.yaml"]
    return OperatorConfig.model_validate(yaml.safe_load(text))


def test_every_container_is_confined(objects: list[dict[str, Any]]) -> None:
    workloads = [o for o in objects if o["kind"] in {"Deployment", "DaemonSet"}]
    assert len(workloads) == 3
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"], container["name"]
            assert security["capabilities"]["drop"] == ["ALL"]
            assert security.get("runAsUser") != 0 or security["capabilities"]["add"] == ["CHOWN"]
            assert container["resources"]["limits"]["memory"]
            assert "@sha256:" in container["image"]


def test_host_paths_alone_need_the_privileged_level(
    administrator: Kubectl, objects: list[dict[str, Any]]
) -> None:
    """The reason that templates/namespace.yaml gives for the namespace's label."""
    name = "pod-security-of-the-chart"
    administrator("create", "namespace", name)
    label = "pod-security.kubernetes.io/warn=baseline"
    administrator("label", "namespace", name, label)
    agents = 'hostPath volumes (volumes "device", "host-net", "host-interfaces", "host-devices")'
    for workload, why in (
        ("skerry-agent", agents),
        ("skerry-gateway", 'hostPath volumes (volume "device")'),
    ):
        pods = find(objects, "DaemonSet", workload)
        pods = pods | {"metadata": {"name": workload, "namespace": name}}
        words = ("create", "--dry-run=server", "--filename=-")
        message = administrator.within(name).tried(*words, stdin=pods).stderr
        assert re.findall(r'"baseline:latest": (.*)', message) == [why]
    administrator("delete", "namespace", name, "--wait=false")


def test_an_agent_that_shall_not_look_for_its_link_sees_nothing_of_the_host(
    control_plane: Lab,
) -> None:
    """But its own folder; the same without that value mounts all else read-only."""
    for value, count in (("false", 1), ("true", 4)):
        objects = [*yaml.safe_load_all(rendered(control_plane, **{"agent.findLink": value}))]
        pod = find(objects, "DaemonSet", "skerry-agent")["spec"]["template"]["spec"]
        host = [volume["name"] for volume in pod["volumes"] if "hostPath" in volume]
        assert len(host) == count
        mounts = pod["containers"][0]["volumeMounts"]
        writable = [m["name"] for m in mounts if m["name"] in host and not m.get("readOnly")]
        assert writable == ["device"]


def test_roles_name_all_that_they_grant(objects: list[dict[str, Any]]) -> None:
    for role in (o for o in objects if o["kind"] in {"Role", "ClusterRole"}):
        for rule in role["rules"]:
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in words, role["metadata"]["name"]
            assert "secrets" not in words


ALL_ON = {
    "operator.replicas": "2",
    "networkPolicy.enabled": "true",
    "monitoring.dashboard.create": "true",
    "argocd.healthChecks.create": "true",
}


@pytest.fixture(scope="module")
def full(control_plane: Lab) -> list[dict[str, Any]]:
    """Return all that the chart can render, for a cluster with the Prometheus operator."""
    flags = [f"--api-versions=monitoring.coreos.com/v1/{kind}" for kind in PROMETHEUS_KINDS]
    done = helm(control_plane, "template", "skerry", str(CHART), *flags, values=ALL_ON)
    assert done.returncode == 0, done.stderr
    return [part for part in yaml.safe_load_all(done.stdout) if part]


def test_the_api_server_takes_every_option_too(
    administrator: Kubectl, full: list[dict[str, Any]]
) -> None:
    taken(administrator, full)


def test_without_prometheus_operator_nothing_of_it_is_made(objects: list[dict[str, Any]]) -> None:
    assert not {o["kind"] for o in objects} & set(PROMETHEUS_KINDS)


def test_prometheus_operator_knows_every_field(full: list[dict[str, Any]]) -> None:
    """Read by models of its kinds and written again nothing is lost."""
    found = [part for part in full if part["kind"] in PROMETHEUS_KINDS]
    assert [p["metadata"]["name"] for p in found if p["kind"] == "PodMonitor"] == [
        f"skerry-{component}" for component in ("agent", "gateway", "operator", "runtime")
    ]
    for part in found:
        model = getattr(prometheus_kinds, part["kind"]).model_validate(part)
        again = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert again["spec"] == part["spec"]


def test_pod_monitors_scrape_ports_that_there_are(full: list[dict[str, Any]]) -> None:
    for component, kind in (
        ("operator", "Deployment"),
        ("agent", "DaemonSet"),
        ("gateway", "DaemonSet"),
    ):
        pods = find(full, kind, f"skerry-{component}")["spec"]["template"]
        monitor = find(full, "PodMonitor", f"skerry-{component}")["spec"]
        assert monitor["selector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()
        ports = {p["name"] for c in pods["spec"]["containers"] for p in c["ports"]}
        assert {e["port"] for e in monitor["podMetricsEndpoints"]} <= ports


def test_models_are_scraped_and_reached_by_what_the_operator_labels_them(
    full: list[dict[str, Any]],
) -> None:
    served = built().decide().daemonsets[0].served
    assert served is not None
    pods = daemonset(Owner("m", "n", "uid"), served, Placement())["spec"]["template"]
    labels, ports = pods["metadata"]["labels"], pods["spec"]["containers"][0]["ports"]
    monitor = find(full, "PodMonitor", "skerry-runtime")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert set(monitor["podTargetLabels"]) <= labels.keys()
    assert monitor["podMetricsEndpoints"][0]["port"] in {p["name"] for p in ports}
    replaced = dataclasses.replace(served, server=flavored(served.server, Flavor.TRITON, "image"))
    other = daemonset(Owner("m", "n", "uid"), replaced, Placement())["spec"]["template"]["spec"]
    names = {p["name"] for c in other["containers"] for p in c["ports"]}
    for component, asked in (("agent", {"http", "golden"}), ("gateway", {"http", "grpc"})):
        rule = find(full, "NetworkPolicy", f"skerry-{component}")["spec"]["egress"][-1]
        assert rule["to"][0]["podSelector"]["matchLabels"].items() <= labels.items()
        # By name: an engine's server has numbers of its own.
        assert {port["port"] for port in rule["ports"]} == asked <= names


def test_network_policies_let_in_what_the_pods_offer(full: list[dict[str, Any]]) -> None:
    workloads = {o["metadata"]["name"]: o for o in full if o["kind"] in {"Deployment", "DaemonSet"}}
    policies = {o["metadata"]["name"]: o["spec"] for o in full if o["kind"] == "NetworkPolicy"}
    assert policies.keys() == workloads.keys()
    for name, policy in policies.items():
        pods = workloads[name]["spec"]["template"]
        assert policy["podSelector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()
        offered = {p["containerPort"] for p in pods["spec"]["containers"][0]["ports"]}
        assert {p["port"] for p in policy["ingress"][0]["ports"]} == offered
    registry = int(VALUES["registry.address"].rsplit(":", 1)[1])
    assert registry in {p["port"] for p in policies["skerry-operator"]["egress"][0]["ports"]}


@pytest.mark.parametrize(
    ("address", "insecure", "port"),
    [("r.example:5000", "false", 5000), ("r.example", "false", 443), ("r.example", "true", 80)],
)
def test_the_operator_may_reach_its_registry(
    control_plane: Lab, address: str, insecure: str, port: int
) -> None:
    values = {
        "registry.address": address,
        "registry.insecure": insecure,
        "networkPolicy.enabled": "true",
    }
    parts = [part for part in yaml.safe_load_all(rendered(control_plane, **values)) if part]
    policy = find(parts, "NetworkPolicy", "skerry-operator")
    assert port in {p["port"] for p in policy["spec"]["egress"][0]["ports"]}


def test_two_operators_are_drained_one_at_a_time(
    objects: list[dict[str, Any]], full: list[dict[str, Any]]
) -> None:
    """A budget for one alone would stop every drain of its node."""
    assert not [o for o in objects if o["kind"] == "PodDisruptionBudget"]
    deployment = find(full, "Deployment", "skerry-operator")["spec"]
    budget = find(full, "PodDisruptionBudget", "skerry-operator")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["type"] == "RollingUpdate"
    assert find(objects, "Deployment", "skerry-operator")["spec"]["strategy"] == {
        "type": "Recreate"
    }
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]


def test_what_devices_serve_by_is_kept_and_nothing_else(full: list[dict[str, Any]]) -> None:
    kept = {
        o["metadata"]["name"]
        for o in full
        if o["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }
    assert kept == {"skerry-agent", "skerry-agent-pods", "skerry-agent-own-node", "skerry-gateway"}
    crd_hook = next(o for o in full if o["kind"] == "Job")["metadata"]["annotations"]
    assert crd_hook["helm.sh/hook"] == "pre-upgrade"


def test_hooks_are_confined_as_all_pods_are(full: list[dict[str, Any]]) -> None:
    job, pod = (next(o for o in full if o["kind"] == kind) for kind in ("Job", "Pod"))
    for spec in (job["spec"]["template"]["spec"], pod["spec"]):
        assert spec["securityContext"]["runAsNonRoot"]
        security = spec["containers"][0]["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert security["capabilities"]["drop"] == ["ALL"]
        assert "@sha256:" in spec["containers"][0]["image"]
