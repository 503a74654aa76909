"""The advice about each refusal, in messages as a real API server (v1.36) gave them.

`tests/cluster/test_advice.py` asks a real one for most of them again.
"""

from __future__ import annotations

import pytest

from skerry.api.reasons import WriteRefusal
from skerry.cluster.advice import advise

QUOTA = (
    'jobs.batch "tiny-60fad839b6c3" is forbidden: exceeded quota: none, requested: count/jobs.batch=1,'
    " used: count/jobs.batch=0, limited: count/jobs.batch=0"
)
UNMET = 'pods "tiny" is forbidden: failed quota: compute: must specify limits.cpu for: runtime'
UNCOUNTED = (
    'jobs.batch "tiny" is forbidden: status unknown for quota: none, resources: count/jobs.batch'
)
POLICY = (
    "modelroutes.skerry.dev \"tiny.op-a\" is forbidden: ValidatingAdmissionPolicy 'no-route' with"
    " binding 'no-route' denied request: not in this test"
)
WEBHOOK = (
    'admission webhook "validate.kyverno.svc-fail" denied the request: require-labels: missing team'
)
AWAY = (
    'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call webhook:'
    ' Post "https://kyverno-svc.kyverno.svc:443/validate/fail?timeout=10s": context deadline exceeded'
)
GOING = (
    'jobs.batch "tiny" is forbidden: unable to create new content in namespace aaa because it is being'
    " terminated"
)
RIGHTS = (
    'jobs.batch is forbidden: User "system:serviceaccount:skerry-system:skerry-operator" cannot create'
    ' resource "jobs" in API group "batch" in the namespace "demo"'
)
GRANT = (
    'rolebindings.rbac.authorization.k8s.io "skerry-agent" is forbidden: user "operator"'
    " (groups=[...]) is attempting to grant RBAC permissions not currently held"
)
CPU = (
    'Job.batch "cpu5-60fad839b6c3" is invalid: spec.template.spec.containers[0].resources.requests:'
    ' Invalid value: "10m": must be less than or equal to cpu limit of 5m'
)
TWO = (
    'DaemonSet.apps "tiny" is invalid: [spec.template.spec.volumes[0].image.reference: Required value,'
    ' spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match]'
)
ROLE = (
    'RoleBinding.rbac.authorization.k8s.io "skerry-agent" is invalid: roleRef: Invalid value:'
    ' {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"skerry-agent-pods"}:'
    " cannot change roleRef"
)
UNKNOWN = (
    "failed to create typed patch object (demo/tiny; skerry.dev/v1alpha1, Kind=ModelRoute): .spec.new:"
    " field not declared in schema"
)
RESTRICTED = (
    'pods "tiny" is forbidden: violates PodSecurity "restricted:latest": seccompProfile (...)'
)
LIMITS = 'pods "tiny" is forbidden: maximum cpu usage per Container is 100m, but limit is 500m'


@pytest.mark.parametrize(
    ("status", "message", "reason", "advice"),
    [
        (403, QUOTA, WriteRefusal.QUOTA_EXCEEDED, "raise or delete ResourceQuota none"),
        (403, UNMET, WriteRefusal.QUOTA_EXCEEDED, "ResourceQuota compute"),
        (403, UNCOUNTED, WriteRefusal.WRITE_FAILED, "ResourceQuota none of this namespace is new"),
        (403, POLICY, WriteRefusal.ADMISSION_DENIED, "change ValidatingAdmissionPolicy no-route to allow it"),
        (422, POLICY, WriteRefusal.ADMISSION_DENIED, "change ValidatingAdmissionPolicy no-route to allow it"),
        (403, WEBHOOK, WriteRefusal.ADMISSION_DENIED, "admission webhook validate.kyverno.svc-fail"),
        (400, WEBHOOK, WriteRefusal.ADMISSION_DENIED, "admission webhook validate.kyverno.svc-fail"),
        (500, AWAY, WriteRefusal.WEBHOOK_UNAVAILABLE, "the Service and pods behind it"),
        (403, GOING, WriteRefusal.NAMESPACE_TERMINATING, "no action needed"),
        (403, RIGHTS, WriteRefusal.ACCESS_DENIED, "the operator's ClusterRole"),
        (403, GRANT, WriteRefusal.ACCESS_DENIED, "the operator's ClusterRole"),
        (401, "Unauthorized", WriteRefusal.ACCESS_DENIED, "service account token"),
        (422, CPU, WriteRefusal.INVALID_OBJECT,
         "spec.template.spec.containers[0].resources.requests"),
        (422, TWO, WriteRefusal.INVALID_OBJECT,
         "spec.template.spec.volumes[0].image.reference, spec.template.metadata.labels"),
        (422, ROLE, WriteRefusal.INVALID_OBJECT, "delete that RoleBinding"),
        (422, "no field is named", WriteRefusal.INVALID_OBJECT, "the CRDs are of this version"),
        (400, UNKNOWN, WriteRefusal.INVALID_OBJECT, "the CRDs are of this version"),
        (403, RESTRICTED, WriteRefusal.ADMISSION_DENIED, "restricted"),
        (403, LIMITS, WriteRefusal.ADMISSION_DENIED, "an admission plugin"),
        (404, "the server could not find the requested resource", WriteRefusal.WRITE_REFUSED, "the CRDs"),
        (413, "Request entity too large: limit is 3145728", WriteRefusal.OBJECT_TOO_LARGE, "defect"),
        (500, "etcdserver: request is too large", WriteRefusal.OBJECT_TOO_LARGE, "defect"),
        (500, "etcdserver: mvcc: database space exceeded", WriteRefusal.WRITE_FAILED, "API server's log"),
        (429, "too many requests", WriteRefusal.WRITE_FAILED, "overloaded"),
        (0, "cannot reach the API server", WriteRefusal.WRITE_FAILED, "the operator retries automatically"),
        (418, "a teapot", WriteRefusal.WRITE_REFUSED, "the operator retries automatically"),
    ],
)  # fmt: skip
def test_reason_and_advice_fit_the_answer(
    status: int, message: str, reason: WriteRefusal, advice: str
) -> None:
    found = advise(status, message)
    assert found.reason is reason
    assert advice in found.todo
    if reason is not WriteRefusal.ACCESS_DENIED:
        assert "ClusterRole" not in found.todo


@pytest.mark.parametrize(
    ("message", "stalls"), [(QUOTA, True), (POLICY, True), (GOING, False), (UNCOUNTED, False)]
)
def test_only_what_a_person_has_to_act_on_stalls(message: str, stalls: bool) -> None:  # noqa: FBT001
    assert advise(403, message).stalls is stalls


def test_what_passes_by_itself_does_not_stall() -> None:
    assert not advise(500, AWAY).stalls
    assert not advise(503, "the server is currently unable to handle the request").stalls
