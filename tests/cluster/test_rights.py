"""What operator, agents and users may do: RBAC and the admission policies, with real tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.chart import CHART, NAMESPACE, helm
from tests.cluster.conftest import Kubectl
from tests.cluster.manifests import NODE, changed
from tests.lab.commands import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab import Lab

pytestmark = pytest.mark.cluster

OPERATOR = f"system:serviceaccount:{NAMESPACE}:skerry-operator"
AGENT = f"system:serviceaccount:{NAMESPACE}:skerry-agent"
GATEWAY = f"system:serviceaccount:{NAMESPACE}:skerry-gateway"
OWN, OTHER = "rights-own", "rights-other"
CLASS_LABEL = "skerry.node-restriction.kubernetes.io/hardware-class"
SHARD_LABEL = "skerry.node-restriction.kubernetes.io/shard"
POLICY_SECONDS = 30


@pytest.fixture(scope="module")
def installed(administrator: Kubectl, control_plane: Lab) -> Iterator[Kubectl]:
    """Yield a cluster with the chart installed, two devices without kubelets, and the policies in force."""
    words = ("upgrade", "--install", "skerry", str(CHART), "--create-namespace")
    done = helm(control_plane, *words, values={"uninstall.keepDevices": "false"})
    assert done.returncode == 0, done.stderr
    for name in (OWN, OTHER):
        administrator.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        administrator.apply(changed(NODE, {"metadata.name": name}))
    kubectl = administrator.within(NAMESPACE)
    pod: dict[str, Any] = {"serviceAccountName": "skerry-agent", "nodeName": OWN}
    pod |= {"containers": [{"name": "agent", "image": "none"}]}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": OWN}, "spec": pod})
    wait_for(lambda: policies_work(kubectl), "the admission policies", POLICY_SECONDS)
    yield kubectl
    for name in (OWN, OTHER):
        administrator("delete", "node", name, "--ignore-not-found")
        administrator("delete", "edgenode", name, "--ignore-not-found")
    helm_uninstall(control_plane)


def helm_uninstall(lab: Lab) -> None:
    """Take the release away with all of its objects; CRDs stay, as Helm leaves them."""
    Kubectl(lab.helm, lab.kubeconfig, NAMESPACE)("uninstall", "skerry")


def policies_work(kubectl: Kubectl) -> bool:
    """Return whether both policies refuse what they are for; they take effect a moment after they are written."""
    taint = kubectl.tried(
        "taint", "node", OWN, "a=b:NoSchedule", "--dry-run=server", f"--as={OPERATOR}"
    )
    status = kubectl.tried(*APPLY_STATUS, "--dry-run=server", f"--as={AGENT}", stdin=status_of(OWN))
    return "two labels only" in taint.stderr and "names no node" in status.stderr


APPLY_STATUS = ("apply", "--server-side", "--subresource=status", "--filename=-")


def status_of(node: str) -> dict[str, Any]:
    """Return what an agent applies to its EdgeNode."""
    shell = {"apiVersion": NODE["apiVersion"], "kind": "EdgeNode", "metadata": {"name": node}}
    return shell | {"status": {"agentVersion": "0.1.0"}}


def with_token(kubectl: Kubectl, folder: Path, *bound: str) -> Kubectl:
    """Return kubectl with nothing but a fresh token of the agents' service account."""
    return kubectl.within(NAMESPACE).as_account("skerry-agent", folder, *bound)


@pytest.fixture
def agent(installed: Kubectl, tmp_path: Path) -> Kubectl:
    """Return the agent on the device OWN: its token is bound to its pod, and so names its node."""
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={OWN}")
    return with_token(installed, tmp_path, *bound)


def lease(name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
    """Return a Lease."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"holderIdentity": OWN, "leaseDurationSeconds": 60},
    }


def test_an_agent_writes_its_own_status(agent: Kubectl) -> None:
    flags = ("--subresource=status", "--field-manager=skerry-agent")
    written = agent.apply(status_of(OWN), *flags)
    assert written["status"]["agentVersion"] == "0.1.0"


def test_an_agent_renews_its_own_lease(agent: Kubectl) -> None:
    for _ in range(2):
        agent.apply(lease(f"skerry-agent-{OWN}"), "--field-manager=skerry-agent")


@pytest.mark.parametrize(
    ("year", "taken"),
    [("0000", False), ("1969", False), ("1970", True), ("2199", True), ("2200", False)],
)
def test_an_agent_renews_its_lease_at_a_time_that_the_operator_can_hold(
    agent: Kubectl,
    year: str,
    taken: bool,  # noqa: FBT001
) -> None:
    renewed = lease(f"skerry-agent-{OWN}")
    renewed["spec"]["renewTime"] = f"{year}-06-01T00:00:00.000000Z"
    done = agent.tried("apply", "--server-side", "--filename=-", stdin=renewed)
    assert (done.returncode == 0) == taken, done.stderr
    assert taken or "set the device's clock" in done.stderr


def test_an_agent_writes_no_other_node(agent: Kubectl) -> None:
    message = agent.refused(*APPLY_STATUS, stdin=status_of(OTHER))
    assert "(Forbidden)" in message
    assert f"this agent may only write edgenodes {OWN}" in message


def test_an_agent_renews_no_other_lease(agent: Kubectl) -> None:
    words = ("apply", "--server-side", "--filename=-")
    message = agent.refused(*words, stdin=lease(f"skerry-agent-{OTHER}"))
    assert "(Forbidden)" in message
    assert f"this agent may only write leases skerry-agent-{OWN}" in message
    elsewhere = lease(f"skerry-agent-{OWN}", "default")
    assert "(Forbidden)" in agent.within("default").refused(*words, stdin=elsewhere)


def test_an_agent_writes_no_spec(agent: Kubectl) -> None:
    patch = '--patch={"spec":{"hardwareClassName":"other"}}'
    assert "(Forbidden)" in agent.refused("patch", "edgenode", OWN, "--type=merge", patch)


def test_a_token_that_names_no_node_is_refused(installed: Kubectl, tmp_path: Path) -> None:
    unbound = with_token(installed, tmp_path)
    assert "this token names no node" in unbound.refused(*APPLY_STATUS, stdin=status_of(OWN))


def test_the_policy_holds_where_rbac_would_not(installed: Kubectl, agent: Kubectl) -> None:
    """Someone gives agents too much: the policy still confines them to their own node's status."""
    words = ("clusterrolebinding", "rights-too-many")
    installed(
        "create",
        *words,
        "--clusterrole=cluster-admin",
        f"--serviceaccount={NAMESPACE}:skerry-agent",
    )
    try:
        patch = '--patch={"spec":{"hardwareClassName":"other"}}'
        message = agent.refused("patch", "edgenode", OWN, "--type=merge", patch)
        assert "of an EdgeNode an agent writes the status only" in message
        assert "an agent deletes nothing" in agent.refused("delete", "edgenode", OTHER)
    finally:
        installed("delete", *words)


@pytest.mark.parametrize("label", [CLASS_LABEL, SHARD_LABEL])
def test_the_operator_writes_its_labels(installed: Kubectl, label: str) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": OWN, "labels": {label: "7"}}}
    words = (f"--as={OPERATOR}", "--field-manager=skerry-operator")
    assert installed.apply(node, *words)["metadata"]["labels"][label] == "7"
    del node["metadata"]["labels"]  # type: ignore[attr-defined]
    assert label not in installed.apply(node, *words)["metadata"].get("labels", {})


@pytest.mark.parametrize(
    "patch",
    [
        {"metadata": {"labels": {"team": "mine"}}},
        {"metadata": {"labels": {"kubernetes.io/hostname": None}}},
        {"metadata": {"annotations": {"team": "mine"}}},
        {"metadata": {"finalizers": ["skerry.dev/stay"]}},
        {"spec": {"unschedulable": True}},
        {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}},
        {"spec": {"taints": None}},
    ],
    ids=json.dumps,
)
def test_the_operator_writes_nothing_else_of_a_node(
    installed: Kubectl, patch: dict[str, Any]
) -> None:
    installed("label", "node", OWN, f"kubernetes.io/hostname={OWN}", "--overwrite")
    installed("taint", "node", OWN, "kept=yes:NoSchedule", "--overwrite")
    words = ("patch", "node", OWN, "--type=merge", f"--patch={json.dumps(patch)}")
    message = installed.refused(*words, f"--as={OPERATOR}")
    assert "(Forbidden)" in message
    assert "of a node the operator writes" in message


CAN = [
    (OPERATOR, "list", "edgemodels.skerry.dev", "default", True),
    (OPERATOR, "patch", "edgemodels.skerry.dev:status", "default", True),
    (OPERATOR, "patch", "edgemodels.skerry.dev", "default", False),
    (OPERATOR, "update", "edgemodels.skerry.dev", "default", False),
    (OPERATOR, "create", "modelroutes.skerry.dev", "default", True),
    (OPERATOR, "patch", "edgenodes.skerry.dev:status", "default", False),
    (OPERATOR, "delete", "daemonsets.apps", "default", True),
    (OPERATOR, "create", "jobs.batch", "default", True),
    (OPERATOR, "create", "pods", "default", False),
    (OPERATOR, "create", "pods:exec", "default", False),
    (OPERATOR, "get", "secrets", "default", False),
    (OPERATOR, "get", "secrets", NAMESPACE, False),
    (OPERATOR, "list", "leases.coordination.k8s.io", NAMESPACE, True),
    (OPERATOR, "list", "leases.coordination.k8s.io", "kube-system", False),
    (OPERATOR, "update", "leases.coordination.k8s.io/skerry-operator", NAMESPACE, True),
    (OPERATOR, "update", "leases.coordination.k8s.io/skerry-agent-a", NAMESPACE, False),
    (OPERATOR, "delete", "leases.coordination.k8s.io/skerry-agent-a", NAMESPACE, True),
    (OPERATOR, "delete", "leases.coordination.k8s.io", "kube-node-lease", False),
    (OPERATOR, "delete", "services", "default", False),
    (OPERATOR, "bind", "clusterroles.rbac.authorization.k8s.io/skerry-agent-pods", "default", True),
    (OPERATOR, "bind", "clusterroles.rbac.authorization.k8s.io/cluster-admin", "default", False),
    (OPERATOR, "escalate", "clusterroles.rbac.authorization.k8s.io", "default", False),
    (OPERATOR, "delete", "nodes", "default", False),
    (OPERATOR, "create", "events.events.k8s.io", "default", True),
    (OPERATOR, "list", "events", "default", True),
    (OPERATOR, "watch", "events", "default", False),
    (OPERATOR, "delete", "events", "default", False),
    (OPERATOR, "create", "hardwareclasses.skerry.dev", "default", True),
    (OPERATOR, "patch", "hardwareclasses.skerry.dev", "default", False),
    (OPERATOR, "delete", "hardwareclasses.skerry.dev", "default", False),
    (OPERATOR, "patch", "configmaps/skerry-default-classes", NAMESPACE, True),
    (OPERATOR, "patch", "configmaps/skerry-operator", NAMESPACE, False),
    (OPERATOR, "patch", "customresourcedefinitions.apiextensions.k8s.io", "default", False),
    (AGENT, "watch", "modelroutes.skerry.dev", "default", True),
    (AGENT, "patch", "modelroutes.skerry.dev", "default", False),
    (AGENT, "list", "pods", "default", False),
    (AGENT, "list", "edgemodels.skerry.dev", "default", False),
    (AGENT, "delete", "leases.coordination.k8s.io", NAMESPACE, False),
    (AGENT, "list", "leases.coordination.k8s.io", NAMESPACE, False),
    (AGENT, "get", "secrets", NAMESPACE, False),
    (GATEWAY, "list", "modelroutes.skerry.dev", "default", False),
    (GATEWAY, "list", "pods", NAMESPACE, False),
]


@pytest.mark.parametrize(
    ("who", "verb", "resource", "namespace", "may"),
    CAN,
    ids=lambda value: value.rsplit(":", 1)[-1] if isinstance(value, str) else "",
)
def test_rights(  # noqa: PLR0917 - the columns of the table
    installed: Kubectl,
    who: str,
    verb: str,
    resource: str,
    namespace: str,
    may: bool,  # noqa: FBT001
) -> None:
    kind, _, part = resource.partition(":")
    words = ("auth", "can-i", verb, kind, f"--subresource={part}", f"--as={who}")
    answer = installed.within(namespace).tried(*words)
    assert answer.stdout.strip() == ("yes" if may else "no"), answer.stderr


def test_the_operator_binds_the_agents_role_and_no_other(installed: Kubectl) -> None:
    def binding(role: str) -> dict[str, Any]:
        group = "rbac.authorization.k8s.io"
        return {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"rights-{role}", "namespace": "default"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [
                {"kind": "ServiceAccount", "name": "skerry-agent", "namespace": NAMESPACE}
            ],
        }

    default = installed.within("default")
    default.apply(binding("skerry-agent-pods"), f"--as={OPERATOR}")
    assert default.tried("auth", "can-i", "list", "pods", f"--as={AGENT}").stdout.strip() == "yes"
    words = ("apply", "--server-side", f"--as={OPERATOR}", "--filename=-")
    assert "(Forbidden)" in default.refused(*words, stdin=binding("admin"))
    default("delete", "rolebinding", "rights-skerry-agent-pods")


def test_namespace_editors_say_what_is_served(installed: Kubectl) -> None:
    default = installed.within("default")
    default("create", "rolebinding", "rights-editor", "--clusterrole=edit", "--user=editor")
    default("create", "rolebinding", "rights-viewer", "--clusterrole=view", "--user=viewer")
    try:
        for user, verb, kind, may in (
            ("editor", "create", "edgemodels", "yes"),
            ("editor", "patch", "modelroutes", "no"),
            ("viewer", "get", "modelvariants", "yes"),
            ("viewer", "create", "edgemodels", "no"),
        ):
            words = ("auth", "can-i", verb, f"{kind}.skerry.dev", f"--as={user}")
            wait_for(
                lambda words=words, may=may: default.tried(*words).stdout.strip() == may,  # type: ignore[misc]
                f"`kubectl {' '.join(words)}` to say {may}",
                POLICY_SECONDS,
            )
    finally:
        default("delete", "rolebinding", "rights-editor", "rights-viewer")
