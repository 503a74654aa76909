"""A real API server refuses writes of the operator's own client: reason and advice fit its words."""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.aio.client import ApiClient

from skerry.api.common import LABEL_MODEL
from skerry.api.reasons import WriteRefusal
from skerry.cluster import kinds
from skerry.cluster.advice import advise
from skerry.cluster.client import Cluster
from skerry.cluster.connect import kubeconfig_configuration
from skerry.cluster.errors import ClusterError
from skerry.cluster.kinds import Kind
from skerry.render.rolebindings import agent_role_binding
from tests.cluster.api import Api
from tests.cluster.refusing import no_room, policy, rule
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from skerry.cluster.advice import Advice
    from tests.cluster.conftest import Kubectl
    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WEBHOOK = "webhook.example.org"


def job(namespace: str, request: str = "10m", limit: str = "500m", **labels: str) -> dict[str, Any]:
    """Return a Job like those of the operator."""
    resources = {"requests": {"cpu": request}, "limits": {"cpu": limit}}
    container = {"name": "a", "image": "a", "resources": resources}
    pod = {"restartPolicy": "Never", "containers": [container]}
    metadata = {"name": "refused", "namespace": namespace, "labels": labels}
    return {"metadata": metadata, "spec": {"suspend": True, "template": {"spec": pod}}}


@asynccontextmanager
async def refused(
    kubeconfig: Path, kind: Kind, body: dict[str, Any]
) -> AsyncIterator[ClusterError]:
    """Yield the error that the operator's client raises for a refused write."""
    settings, _ = await kubeconfig_configuration(kubeconfig, None)
    async with ApiClient(settings) as api:
        with pytest.raises(ClusterError) as caught:
            await Cluster(api).apply(kind, body)
        yield caught.value


async def advice(kubeconfig: Path, kind: Kind, body: dict[str, Any]) -> Advice:
    """Return the advice for a refused write."""
    async with refused(kubeconfig, kind, body) as error:
        return advise(error.status, error.what)


@pytest.fixture
def api(control_plane: Lab) -> Api:
    """Return the administrator's API."""
    return Api(control_plane.kubeconfig)


async def test_a_quota(kubectl: Kubectl, api: Api) -> None:
    namespace = kubectl.namespace
    with no_room(api, namespace, "none", **{"count/jobs.batch": "0"}):
        found = await advice(kubectl.kubeconfig, kinds.JOB, job(namespace))
    assert found.reason is WriteRefusal.QUOTA_EXCEEDED
    assert "ResourceQuota none" in found.todo


async def test_an_admission_policy(kubectl: Kubectl) -> None:
    refuses = "object.metadata.?labels['refuse'].orValue('') == 'yes'"
    body = job(kubectl.namespace, refuse="yes")
    probe = {"apiVersion": "batch/v1", "kind": "Job", **body}
    with policy(kubectl, "no-jobs", rule("batch", "v1", "jobs"), refuses, probe):
        found = await advice(kubectl.kubeconfig, kinds.JOB, body)
    assert found.reason is WriteRefusal.ADMISSION_DENIED
    assert "ValidatingAdmissionPolicy no-jobs" in found.todo


async def test_a_webhook_that_does_not_answer_is_asked_once(kubectl: Kubectl) -> None:
    namespace = kubectl.namespace
    service = {"namespace": namespace, "name": "nobody"}
    hook = {
        "name": WEBHOOK, "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail", "timeoutSeconds": 1, "rules": [rule("batch", "v1", "jobs")],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "clientConfig": {"service": service},
    }  # fmt: skip
    registration = "admissionregistration.k8s.io/v1"
    configuration = {
        "apiVersion": registration, "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": WEBHOOK}, "webhooks": [hook],
    }  # fmt: skip
    kubectl.apply(configuration)
    probe = {"apiVersion": "batch/v1", "kind": "Job", **job(namespace)}
    try:
        wait_for(
            "the webhook",
            lambda: kubectl.tried("create", "--dry-run=server", "-f-", stdin=probe).stderr,
            lambda said: WEBHOOK in said,
            60,
        )
        begun = monotonic()
        found = await advice(kubectl.kubeconfig, kinds.JOB, job(namespace))
        assert monotonic() - begun < 4
    finally:
        kubectl("delete", "validatingwebhookconfiguration", WEBHOOK)
    assert found.reason is WriteRefusal.WEBHOOK_UNAVAILABLE
    assert WEBHOOK in found.todo


async def test_a_namespace_that_is_being_terminated(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "terminating")
    there = kubectl.within("terminating")
    held = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "held", "finalizers": ["example.org/held"]},
    }
    there.apply(held)
    kubectl("delete", "namespace", "terminating", "--wait=false")
    try:
        found = await advice(kubectl.kubeconfig, kinds.JOB, job("terminating"))
    finally:
        there(
            "patch", "configmap", "held", "--type=merge", '--patch={"metadata":{"finalizers":null}}'
        )
    assert found.reason is WriteRefusal.NAMESPACE_TERMINATING
    assert not found.stalls


async def test_a_right_that_is_missing(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("create", "serviceaccount", "nobody")
    poor = kubectl.as_account("nobody", tmp_path)
    found = await advice(poor.kubeconfig, kinds.JOB, job(kubectl.namespace))
    assert found.reason is WriteRefusal.ACCESS_DENIED
    assert "ClusterRole" in found.todo


async def test_a_field_that_is_not_accepted(kubectl: Kubectl) -> None:
    found = await advice(kubectl.kubeconfig, kinds.JOB, job(kubectl.namespace, "10m", "5m"))
    assert found.reason is WriteRefusal.INVALID_OBJECT
    assert "spec.template.spec.containers[0].resources.requests" in found.todo


async def test_a_role_binding_of_another_role(kubectl: Kubectl) -> None:
    kubectl("create", "rolebinding", "skerry-agent", "--clusterrole=view", "--user=somebody")
    body = agent_role_binding(kubectl.namespace)
    found = await advice(kubectl.kubeconfig, kinds.ROLE_BINDING, body)
    assert found.reason is WriteRefusal.INVALID_OBJECT
    assert "delete that RoleBinding" in found.todo


async def test_a_field_that_the_crd_does_not_have(kubectl: Kubectl) -> None:
    metadata = {"name": "tiny.x86", "namespace": kubectl.namespace, "labels": {LABEL_MODEL: "tiny"}}
    spec = {"edgeModelName": "tiny", "hardwareClassName": "x86", "soon": 1}
    found = await advice(
        kubectl.kubeconfig, kinds.MODEL_ROUTE, {"metadata": metadata, "spec": spec}
    )
    assert found.reason in {WriteRefusal.INVALID_OBJECT, WriteRefusal.WRITE_FAILED}


async def test_a_kind_that_is_not_served(kubectl: Kubectl) -> None:
    nowhere = Kind("skerry.dev/v1alpha1", "Nothing", "nothings", namespaced=True)
    body = {"metadata": {"name": "a", "namespace": kubectl.namespace}}
    found = await advice(kubectl.kubeconfig, nowhere, body)
    assert found.reason is WriteRefusal.WRITE_REFUSED
    assert "CRDs" in found.todo


async def test_a_node_that_is_gone_is_not_made(kubectl: Kubectl) -> None:
    """With its uid the write is a conflict, which is nothing to report."""
    body = {"metadata": {"name": "ghost", "uid": "00000000-0000-0000-0000-000000000000"}}
    async with refused(kubectl.kubeconfig, kinds.NODE, body) as error:
        assert error.status == 409
    assert "NotFound" in kubectl.refused("get", "node", "ghost")
