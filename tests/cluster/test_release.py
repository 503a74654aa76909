"""The chart's life as a user leads it: install, test, upgrade, uninstall, install again, and all away.

There is no kubelet: the pods of hooks are played by running their very command here, with the very
token that they would have.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from skerry.cluster import kinds
from skerry.cluster.advice import NAMESPACE_GOES
from skerry.cluster.kinds import Kind
from tests.cluster.api import Api
from tests.cluster.chart import CHART, NAMESPACE, helm, helm_command
from tests.cluster.conftest import ROOT
from tests.cluster.manifests import MINIMAL, changed
from tests.cluster.operator_process import OperatorProcess
from tests.cluster.pod_states import timestamp
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.conftest import Kubectl
    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

SECONDS = 60.0
RBAC = "rbac.authorization.k8s.io/v1"
CLUSTER_ROLE = Kind(RBAC, "ClusterRole", "clusterroles", namespaced=False)
HOOK_KINDS = "serviceaccounts,clusterroles,clusterrolebindings,roles,rolebindings,jobs,pods"
OURS = "--selector=app.kubernetes.io/name=skerry"
EVERYTHING = (
    f"{HOOK_KINDS},configmaps,services,deployments,daemonsets,networkpolicies,poddisruptionbudgets,"
    "validatingadmissionpolicies,validatingadmissionpolicybindings"
)
DEVICES = {
    "clusterrole/skerry-agent", "clusterrole/skerry-agent-pods", "clusterrolebinding/skerry-agent",
    "daemonset/skerry-agent", "daemonset/skerry-gateway", "role/skerry-agent",
    "rolebinding/skerry-agent", "service/skerry-gateway", "serviceaccount/skerry-agent",
    "serviceaccount/skerry-gateway", "validatingadmissionpolicy/skerry-agent-own-node",
    "validatingadmissionpolicybinding/skerry-agent-own-node",
}  # fmt: skip
MARKER = "configmap/skerry-default-classes"
"""The operator's note that it made the default classes: an installation after this one makes no others."""
EDGE_MODEL_CRD = "edgemodels.skerry.dev"


@pytest.fixture(scope="module")
def api(control_plane: Lab) -> Api:
    """Return the administrator's API."""
    return Api(control_plane.kubeconfig)


@pytest.fixture(scope="module")
def system(administrator: Kubectl, control_plane: Lab) -> Iterator[Kubectl]:
    """Yield kubectl in the namespace of the release, which is installed as the documentation says."""
    done = helm(control_plane, "install", "skerry", str(CHART), "--create-namespace")
    assert done.returncode == 0, done.stderr
    yield administrator.within(NAMESPACE)
    helm(control_plane, "uninstall", "skerry", "--ignore-not-found")
    administrator("apply", "--server-side", "--force-conflicts", f"--filename={ROOT / 'crds'}")
    administrator("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")


def present(system: Kubectl) -> set[str]:
    """Return objects with the chart's label, as kind/name; pods and jobs too."""
    names = system("get", EVERYTHING, OURS, "--output=name").split()
    return {f"{name.split('/')[0].split('.')[0]}/{name.split('/')[1]}" for name in names}


def run_hook(account: Kubectl, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command of a hook's container, with its account's token."""
    environment = {**os.environ, "KUBECONFIG": str(account.kubeconfig)}
    command = [sys.executable, "-m", "skerry.install", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def appear(api: Api, kind: Kind, prefix: str) -> dict[str, Any]:
    """Wait for an object of the release's namespace."""
    found = wait_for(
        f"{kind.name} {prefix}",
        lambda: [i for i in api.list(kind, NAMESPACE) if i["metadata"]["name"].startswith(prefix)],
        bool,
        SECONDS,
    )
    return found[0]


def succeed(api: Api, pod: dict[str, Any]) -> None:
    """Write what the kubelet writes when a pod's container has succeeded."""
    ended = {"exitCode": 0, "reason": "Completed"}
    ended |= {"startedAt": timestamp(), "finishedAt": timestamp()}
    container = pod["spec"]["containers"][0]
    state = {"name": container["name"], "image": container["image"], "imageID": ""}
    state |= {"restartCount": 0, "ready": False, "state": {"terminated": ended}}
    status = {"phase": "Succeeded", "containerStatuses": [state]}
    api.merge(kinds.POD, pod, {"status": status}, "status")


@contextlib.contextmanager
def in_background(lab: Lab, *words: str, **values: str) -> Iterator[subprocess.Popen[str]]:
    """Run helm in the background, where it waits for a hook."""
    command = helm_command(lab, *words, values=values)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process
        process.kill()


def test_an_upgrade_brings_the_crds_along(
    system: Kubectl, api: Api, control_plane: Lab, tmp_path: Path
) -> None:
    """An older definition is brought up to date before anything else, by a Job that then goes."""
    older = api.get(kinds.CRD, None, EDGE_MODEL_CRD)
    versions = older["spec"]["versions"]
    spec = versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["guard"]
    api.merge(kinds.CRD, older, {"spec": {"versions": versions}})
    with in_background(control_plane, "upgrade", "skerry", str(CHART)) as upgrade:
        pod = appear(api, kinds.POD, "skerry-crds-")
        job = pod["spec"]["containers"][0]
        assert job["command"] == ["python3", "-m", "skerry.install", "crds"]
        account = system.as_account(pod["spec"]["serviceAccountName"], tmp_path)
        done = run_hook(account, "crds")
        assert done.returncode == 0, done.stderr
        said = dict(line.split(": ") for line in done.stdout.splitlines())
        assert said.pop(EDGE_MODEL_CRD) == "brought up to date"
        assert set(said.values()) == {"unchanged"}
        succeed(api, pod)
        assert upgrade.wait(SECONDS) == 0, upgrade.stdout and upgrade.stdout.read()
    schema = api.get(kinds.CRD, None, EDGE_MODEL_CRD)["spec"]["versions"][0]["schema"]
    assert "guard" in schema["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert not {name for name in present(system) if "crds" in name}
    account.refused("get", "crd", EDGE_MODEL_CRD)


def test_crds_that_cannot_be_brought_along_stop_the_upgrade_with_the_reason(
    system: Kubectl, tmp_path: Path
) -> None:
    """An account without the right: ends with 1, says what, where and what to do."""
    done = run_hook(system.as_account("skerry-gateway", tmp_path), "crds")
    assert done.returncode == 1
    assert "customresourcedefinitions" in done.stderr
    assert "cannot get resource" in done.stderr
    assert "Traceback" not in done.stderr


def test_helm_test_says_what_is_missing_and_then_that_all_is_well(
    system: Kubectl, api: Api, control_plane: Lab, tmp_path: Path
) -> None:
    """Without an operator that leads it fails; it waits for one, whose token is the operator's own."""
    operator = system.as_account("skerry-operator", tmp_path)
    process = OperatorProcess(
        operator.kubeconfig, tmp_path, control_plane.registry, "release", default_classes=True
    )
    with in_background(control_plane, "test", "skerry") as test:
        pod = appear(api, kinds.POD, "skerry-test")
        account = system.as_account(pod["spec"]["serviceAccountName"], tmp_path)
        first = run_hook(account, "check", "--patience", "0")
        assert first.returncode == 1
        assert "no operator leads" in first.stderr
        assert "kubectl -n skerry-system logs deploy/skerry-operator" in first.stderr
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(run_hook, account, "check")
            process.start()
        try:
            assert is_well(waiting.result()), waiting.result().stderr
            wait_for("the marker", lambda: find_marker(api), bool, SECONDS)
        finally:
            process.stop()
        # Namespaces of earlier tests may still be going.
        log = process.log.read_text().splitlines()
        assert not [line for line in log if "orbidden" in line and NAMESPACE_GOES not in line]
        succeed(api, pod)
        assert test.wait(SECONDS) == 0
    assert not {name for name in present(system) if "test" in name}


def is_well(done: subprocess.CompletedProcess[str]) -> bool:
    """Return whether all that `check` looks at is well."""
    lines = done.stdout.splitlines()
    return done.returncode == 0 and len(lines) == 8 and "operator release leads" in done.stdout


def find_marker(api: Api) -> object:
    """Return the object that remembers that the default classes were created."""
    return api.find(kinds.CONFIG_MAP, NAMESPACE, "skerry-default-classes")


def test_an_uninstall_keeps_what_serves(system: Kubectl, api: Api, control_plane: Lab) -> None:
    """The operator and its rights go; models, classes, agents, gateways and their rights stay."""
    system.within("default").apply(changed(MINIMAL, {"metadata.name": "kept"}))
    done = helm(control_plane, "uninstall", "skerry")
    assert done.returncode == 0, done.stderr
    assert "skerry-gateway" in done.stdout, "Helm says what it kept"
    assert present(system) == DEVICES | {MARKER}
    assert api.find(kinds.EDGE_MODEL, "default", "kept") is not None
    assert api.find(kinds.HARDWARE_CLASS, None, "x86-64") is not None


def test_a_new_installation_takes_over_what_was_kept(
    system: Kubectl, api: Api, control_plane: Lab
) -> None:
    """The same objects, not others: their uids stay."""
    before = api.get(kinds.DAEMON_SET, NAMESPACE, "skerry-gateway")["metadata"]["uid"]
    done = helm(control_plane, "install", "skerry", str(CHART))
    assert done.returncode == 0, done.stderr
    assert present(system) > DEVICES
    assert api.get(kinds.DAEMON_SET, NAMESPACE, "skerry-gateway")["metadata"]["uid"] == before


def test_all_of_it_goes_when_asked(system: Kubectl, api: Api, control_plane: Lab) -> None:
    """The commands of the chart's README, in their order; nothing of Skerry is left in the cluster."""
    text = (CHART / "README.md").read_text()
    block = text.split("<!-- all away -->\n```sh\n")[1].split("```")[0]
    environment = {
        **os.environ,
        "KUBECONFIG": str(control_plane.kubeconfig),
        "PATH": f"{system.binary.parent}:{control_plane.helm.parent}:{os.environ['PATH']}",
    }
    node = {"metadata": {"name": "release-node", "labels": {LABEL: "7"}}}
    api.create(kinds.NODE, node)
    done = subprocess.run(
        ["bash", "-euxc", block], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert LABEL not in api.get(kinds.NODE, None, "release-node")["metadata"].get("labels", {})
    api.delete(kinds.NODE, node)
    wait_for("all to be gone", lambda: leftovers(system), lambda found: not found, SECONDS)


LABEL = "skerry.node-restriction.kubernetes.io/shard"


def leftovers(system: Kubectl) -> set[str]:
    """Return everything in the cluster with Skerry's name."""
    cluster = (
        "crds,clusterroles,clusterrolebindings,namespaces,validatingadmissionpolicies,"
        "validatingadmissionpolicybindings"
    )
    names = system("get", cluster, "--output=name").split()
    bindings = system("get", "rolebindings", "--all-namespaces", "--output=name").split()
    return {name for name in (*names, *bindings) if "skerry" in name}
