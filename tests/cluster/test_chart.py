"""The chart: strict values, manifests that the API server takes, a configuration the operator reads."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from skerry.api.config import OperatorConfig
from skerry.engines import installed_engines
from tests.cluster.chart import CHART, NAMESPACE, VALUES, helm, rendered
from tests.cluster.conftest import ROOT
from tests.cluster.manifests import DIGEST

if TYPE_CHECKING:
    from tests.cluster.conftest import Kubectl
    from tests.lab import Lab

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def objects(control_plane: Lab) -> list[dict[str, Any]]:
    """All objects that the chart renders."""
    return [part for part in yaml.safe_load_all(rendered(control_plane)) if part]


def find(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """One of them."""
    return next(o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))


def test_lint(control_plane: Lab) -> None:
    done = helm(control_plane, "lint", str(CHART), "--strict")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_api_server_takes_every_object(administrator: Kubectl, control_plane: Lab) -> None:
    everything = rendered(control_plane, **{"namespace.create": "true"})
    namespace = administrator.tried("create", "namespace", NAMESPACE)
    assert namespace.returncode == 0 or "AlreadyExists" in namespace.stderr
    words = ("apply", "--server-side", "--force-conflicts", "--dry-run=server")
    done = administrator.within(NAMESPACE).tried(*words, "--filename=-", stdin=everything)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no warning"


@pytest.mark.parametrize(
    ("value", "told"),
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
def test_wrong_values_are_refused(control_plane: Lab, value: dict[str, str], told: str) -> None:
    done = helm(control_plane, "template", "skerry", str(CHART), values=value)
    assert done.returncode != 0
    assert told in done.stderr


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
    assert engine.runtime_image == VALUES["engines.OnnxRuntime.runtimeImage"]
    assert config.gateway.node_port == 30080


def test_options_reach_the_operator(control_plane: Lab) -> None:
    options = {
        "registry.pushSecret": "push",
        "gateway.nodePort": "null",
        "registry.insecure": "true",
    }
    parts = [part for part in yaml.safe_load_all(rendered(control_plane, **options)) if part]
    text = find(parts, "ConfigMap", "skerry-operator")["data"]["config.yaml"]
    config = OperatorConfig.model_validate(yaml.safe_load(text))
    assert (config.registry.push_secret, config.registry.insecure) == ("push", True)
    assert config.gateway.node_port is None
    assert find(parts, "Service", "skerry-gateway")["spec"]["type"] == "ClusterIP"


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
    assert set(config.engines) == {"OnnxRuntime"}
    images = {f"engines.OpenVino.{kind}Image": f"a.example/b@{DIGEST}" for kind in KINDS}
    assert set(operator_config(rendered(control_plane, **images)).engines) == {
        "OnnxRuntime",
        "OpenVino",
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
    half = {"engines.OpenVino.runtimeImage": f"a.example/b@{DIGEST}"}
    done = helm(control_plane, "template", "skerry", str(CHART), values=half)
    assert "engines.OpenVino needs both optimizerImage and runtimeImage" in done.stderr
    none = {f"engines.OnnxRuntime.{kind}Image": "" for kind in KINDS}
    done = helm(control_plane, "template", "skerry", str(CHART), values=none)
    assert "no engine is installed" in done.stderr


KINDS = ("optimizer", "runtime")


def operator_config(manifests: str) -> OperatorConfig:
    """What the operator would read."""
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
    for workload in ("skerry-agent", "skerry-gateway"):
        pods = find(objects, "DaemonSet", workload)
        pods = pods | {"metadata": {"name": workload, "namespace": name}}
        words = ("create", "--dry-run=server", "--filename=-")
        told = administrator.within(name).tried(*words, stdin=pods).stderr
        assert re.findall(r'"baseline:latest": (.*)', told) == [
            'hostPath volumes (volume "device")'
        ]
    administrator("delete", "namespace", name, "--wait=false")


def test_roles_name_all_that_they_grant(objects: list[dict[str, Any]]) -> None:
    for role in (o for o in objects if o["kind"] in {"Role", "ClusterRole"}):
        for rule in role["rules"]:
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in words, role["metadata"]["name"]
            assert "secrets" not in words
