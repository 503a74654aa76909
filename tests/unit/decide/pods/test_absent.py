"""Why a node has no Ready pod: each cause, as Kubernetes' components write it, in the words for people."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api import ModelRouteSpec
from skerry.controllers.reading import read
from skerry.controllers.views import event_views, job_view, pod_view, serving_pod
from skerry.decide.build.stages import trouble
from skerry.decide.pods.absent import GRACE, causes, lacking
from skerry.decide.rollout import NodeView
from skerry.decide.snapshot import Absence
from tests.unit.decide.plan_world import NOW

if TYPE_CHECKING:
    from skerry.controllers.cache import ServingPod

REVISION = "047ed9cdcb"
DAEMONSET = f"tiny-{REVISION}"
POD = f"{DAEMONSET}-x7k2p"
IMAGE = "10.77.0.1:5000/skerry/t-tiny@sha256:" + "d" * 64
MOST = 320
"""Characters of a message, before the names of nodes and the wave."""

FORBIDDEN = f'Error creating: pods "{DAEMONSET}-zzzzz" is forbidden: '


def event(reason: str, message: str, seconds_ago: int = 5, **more: Any) -> dict[str, Any]:
    """Return a Warning Event as `kubectl get events -o json` shows it."""
    at = (NOW - timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")
    return {
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": reason, "message": message,
        "metadata": {"name": "x.18", "namespace": "t", "creationTimestamp": at},
        "involvedObject": {"kind": "DaemonSet", "name": DAEMONSET, "namespace": "t", "uid": "u"},
        "firstTimestamp": at, "lastTimestamp": at, "eventTime": None, "count": 3,
        "source": {"component": "daemonset-controller"}, **more,
    }  # fmt: skip


def pod(**status: Any) -> dict[str, Any]:
    """Return a pod of the DaemonSet on x86-a-2."""
    only = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["x86-a-2"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [only]}}
    return {
        "metadata": {
            "name": POD, "namespace": "t", "uid": "pod-uid", "creationTimestamp": "2026-11-23T11:58:00Z",
            "labels": {"skerry.dev/model": "tiny", "skerry.dev/revision": REVISION},
        },
        "spec": {"affinity": {"nodeAffinity": required}, "containers": [{"name": "runtime"}]},
        "status": status,
    }  # fmt: skip


def runtime(state: dict[str, Any], restarts: int = 0, **more: Any) -> dict[str, Any]:
    """Return the status of a pod whose one container is in this state."""
    return {
        "phase": "Pending" if "waiting" in state else "Running",
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [
            {"name": "runtime", "ready": False, "restartCount": restarts, "state": state, **more}
        ],
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def served(found: dict[str, Any]) -> ServingPod | None:
    view, fault = read("Pod", found, serving_pod)
    assert fault is None
    return view


def absence(
    found: dict[str, Any] | None = None, *events: dict[str, Any], taint: str = ""
) -> Absence:
    """Return what the operator gathers of the node: its pod with its Events, or the DaemonSet's Events."""
    view = served(found) if found else None
    seen = event_views(events)
    state = replace(view.state, events=seen) if view and view.state else None
    since = NOW - GRACE
    return Absence("x86-a-2", REVISION, DAEMONSET, since, state, taint, None if found else seen)


def refused(words: str, before: str = FORBIDDEN) -> Absence:
    """Return the absence when the DaemonSet controller could create no pod."""
    return absence(None, event("FailedCreate", before + words))


UNMOUNTED = 'MountVolume.SetUp failed for volume "docker" : secret "registry-push" not found'
PULL = (
    f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}":'
    f" {IMAGE}: not found"
)
SCHEDULER = (
    "0/4 nodes are available: 1 Insufficient memory, 3 node(s) didn't satisfy plugin(s)"
    " [NodeAffinity]. no new claims to deallocate, preemption: 0/4 nodes are available: 1 No"
    " preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling."
)
CRASHED = {
    "terminated": {
        "exitCode": 1,
        "reason": "Error",
        "message": "Traceback\nValueError: bad graph\n",
    }
}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}

CAUSES = {
    "quota": (
        refused("exceeded quota: full, requested: pods=1, used: pods=6, limited: pods=6"),
        "PodsForbidden",
        ["at 11:59:55 UTC: exceeded quota: full", "ResourceQuota full of namespace t must have room"],
    ),
    "quota that was exceeded often": (
        refused(
            "exceeded quota: full, requested: pods=1",
            "(combined from similar events): " + FORBIDDEN,
        ),
        "PodsForbidden",
        ["at 11:59:55 UTC: exceeded quota: full"],
    ),
    "quota that asks for limits": (
        refused("failed quota: compute: must specify limits.cpu for: golden"),
        "PodsForbidden",
        ["must specify limits.cpu", "ResourceQuota compute of namespace t"],
    ),
    "LimitRange": (
        refused(
            "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000"
        ),
        "PodsForbidden",
        ["ratio per Container is 2", "the LimitRange of namespace t must allow it"],
    ),
    "Pod Security": (
        refused('violates PodSecurity "restricted:latest": runAsNonRoot != true (pod)'),
        "PodsForbidden",
        ["violates PodSecurity", "pod-security.kubernetes.io/enforce of namespace t"],
    ),
    "webhook": (
        refused(
            'Error creating: admission webhook "validate.kyverno.svc-fail" denied the request:'
            " no images from 10.77.0.1",
            "",
        ),
        "PodsForbidden",
        ["validate.kyverno.svc-fail", "no images from", "that admission policy must allow it"],
    ),
    "webhook that is down": (
        refused(
            'Error creating: Internal error occurred: failed calling webhook "x.example": failed to'
            ' call webhook: Post "https://x.kube.svc:443/": connection refused',
            "",
        ),
        "PodsForbidden",
        ["x.example", "that admission webhook must answer"],
    ),
    "admission policy": (
        refused("ValidatingAdmissionPolicy 'no-edge' with binding 'no-edge' denied request: not here"),
        "PodsForbidden",
        ["no-edge", "not here", "that admission policy must allow it"],
    ),
    "priority class": (
        refused("no PriorityClass with name edge was found"),
        "PodsForbidden",
        ["create PriorityClass edge"],
    ),
    "another refusal": (
        refused("error looking up service account t/default: not found"),
        "PodsForbidden",
        ["service account", f"kubectl -n t describe daemonset/{DAEMONSET}"],
    ),
    "the newest refusal counts": (
        absence(
            None,
            event("FailedCreate", FORBIDDEN + "exceeded quota: old, requested: pods=1", 600),
            event("FailedCreate", FORBIDDEN + "exceeded quota: new, requested: pods=1", 10),
            event("FailedPlacement", "whatever", 1),
        ),
        "PodsForbidden",
        ["quota: new"],
    ),
    "taint": (
        absence(None, taint="dedicated=edge:NoSchedule"),
        "TaintNotTolerated",
        ["taint dedicated=edge:NoSchedule", f"DaemonSet {DAEMONSET}", "remove the taint"],
    ),
    "nobody says why": (
        absence(),
        "PodMissing",
        ["no Event says why", f"kubectl -n t describe daemonset/{DAEMONSET}"],
    ),
    "no room": (
        absence(
            pod(
                conditions=[
                    {
                        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                        "message": SCHEDULER,
                    }
                ]
            )
        ),
        "Unschedulable",
        ["its pod can't be scheduled: 1 Insufficient memory:", "lower spec.serving.resources.limits"],
    ),
    "image that is not there": (
        absence(
            pod(
                **runtime(
                    waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: {PULL}')
                )
            )
        ),
        "ImagePullFailed",
        ["container runtime cannot start: failed to resolve reference", ": not found"],
    ),
    "registry that is not reached": (
        absence(
            pod(
                **runtime(
                    waiting(
                        "ErrImagePull",
                        f'failed to pull and unpack image "{IMAGE}": dial tcp 10.77.0.1:5000:'
                        " connect: connection refused",
                    )
                )
            )
        ),
        "ImagePullFailed",
        ["cannot start: dial tcp 10.77.0.1:5000: connect: connection refused"],
    ),
    "configuration": (
        absence(pod(**runtime(waiting("CreateContainerConfigError", 'secret "x" not found')))),
        "ContainerNotCreated",
        ['secret "x" not found'],
    ),
    "crash": (
        absence(pod(**runtime(waiting("CrashLoopBackOff", "back-off 40s"), 3, lastState=CRASHED))),
        "PodCrashing",
        ["ended 3 times, last with exit code 1: ValueError: bad graph", f"kubectl -n t logs {POD} -c runtime -p"],
    ),
    "crash that runs again": (
        absence(pod(**runtime({"running": {"startedAt": "2026-11-23T11:59:58Z"}}, 2, lastState=KILLED))),
        "PodCrashing",
        ["ended 2 times, last with exit code 137 (OOMKilled): raise spec.serving.resources.limits.memory"],
    ),
    "crash just now": (
        absence(pod(**runtime(KILLED))),
        "PodCrashing",
        ["ended 1 times", "(OOMKilled)"],
    ),
    "evicted": (
        absence(pod(phase="Failed", reason="Evicted", message="The node was low on resource: ephemeral-storage.")),
        "PodFailed",
        [POD, "Evicted: The node was low on resource: ephemeral-storage."],
    ),
    "secret for a volume": (
        absence(
            pod(**runtime(waiting("ContainerCreating"))),
            event("FailedMount", UNMOUNTED),
            event("FailedScheduling", "0/4 nodes are available", 1),
        ),
        "VolumeNotMounted",
        ['volume docker: secret "registry-push" not found; create that secret in namespace t'],
    ),
    "network of the pod": (
        absence(
            pod(**runtime(waiting("ContainerCreating"))),
            event(
                "FailedCreatePodSandBox",
                'Failed to create pod sandbox: plugin type="bridge" failed: no IP addresses',
            ),
        ),
        "ContainerNotCreated",
        ["no IP addresses"],
    ),
    "still pulling": (
        absence(pod(**runtime(waiting("ContainerCreating")))),
        "PodStarting",
        ["is starting"],
    ),
    "still not ready": (
        absence(pod(**runtime({"running": {"startedAt": "2026-11-23T11:59:58Z"}}))),
        "PodNotReady",
        ["fails its readiness probe", f"kubectl -n t logs {POD}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_is_reported_with_a_cure_in_few_words(cause: str) -> None:
    found, reason, words = CAUSES[cause]
    text = causes([found], "t", NOW)["x86-a-2", REVISION]
    assert text.reason == reason
    for part in words:
        assert part in text.message
    assert len(text.message) <= MOST
    assert "\n" not in text.message


def test_nothing_is_reported_before_the_grace_is_over() -> None:
    young = replace(absence(), since=NOW - GRACE + timedelta(seconds=1))
    assert causes([young], "t", NOW) == {}


def test_nothing_is_reported_before_the_events_are_read() -> None:
    assert causes([replace(absence(), events=None)], "t", NOW) == {}


def test_a_long_message_keeps_what_was_tried_and_what_went_wrong() -> None:
    words = 'failed to resolve reference "' + "a" * 300 + '": unexpected status: 401 Unauthorized'
    found = absence(pod(**runtime(waiting("ErrImagePull", words))))
    text = causes([found], "t", NOW)["x86-a-2", REVISION]
    assert "failed to resolve reference" in text.message
    assert text.message.endswith("401 Unauthorized")


def test_an_event_has_its_time_in_the_field_of_its_writer() -> None:
    """Old recorders write lastTimestamp, new ones eventTime and series, some neither."""
    last: dict[str, Any] = {"lastTimestamp": None, "eventTime": "2026-11-23T11:00:00.000000Z"}
    series: dict[str, Any] = {
        **last,
        "series": {"count": 2, "lastObservedTime": "2026-11-23T11:30:00.000000Z"},
    }
    found = event_views(
        [
            event("a", "", lastTimestamp=None),
            event("b", "", **last),
            event("c", "", **series),
            event("normal", "", type="Normal"),
        ]
    )
    assert [(one.reason, one.at.hour, one.at.minute) for one in found] == [
        ("a", 11, 59), ("c", 11, 30), ("b", 11, 0),
    ]  # fmt: skip


def test_a_time_that_can_t_be_read_hides_no_other_event() -> None:
    """Whoever may write Events in a namespace writes any time into them."""
    found = event_views(
        [
            event("a", "", lastTimestamp="0000-01-01T00:00:00Z"),
            event("b", "", lastTimestamp="9999-12-31T23:59:59Z"),
            event("c", "", lastTimestamp="2026-11-23T11:30:00Z"),
        ]
    )
    assert [(one.reason, one.at.minute) for one in found] == [("a", 59), ("b", 59), ("c", 30)]


def test_a_pod_that_waits_for_its_place_belongs_to_the_node_it_is_made_for() -> None:
    found = served(pod(phase="Pending"))
    assert found is not None
    assert (found.node, found.ready) == ("x86-a-2", False)


def test_a_pod_that_leaves_or_is_ready_has_no_state() -> None:
    leaving = pod(phase="Running")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-23T11:59:00Z"
    ready = pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    for found in (served(leaving), served(ready)):
        assert found is not None
        assert found.state is None


def job(*events: dict[str, Any], pods: tuple[dict[str, Any], ...] = ()) -> Any:
    """Return a job as it is gathered, with its Events or those of its newest pod."""
    raw = {
        "metadata": {
            "name": "tiny-1", "namespace": "t", "uid": "job-uid", "labels": {},
            "creationTimestamp": "2026-11-23T11:59:00Z",
        },
        "status": {},
    }  # fmt: skip
    views = [read("Pod", one, pod_view)[0] for one in pods]
    view, _ = read("Job", raw, lambda item: job_view(item, [one for one in views if one]))
    assert view is not None
    seen = event_views(events)
    if not view.pods:
        return replace(view, events=seen)
    return replace(view, pods=(*view.pods[:-1], replace(view.pods[-1], events=seen)))


def test_a_job_whose_pod_is_refused_says_by_what() -> None:
    message = (
        'Error creating: pods "tiny-1-zzzzz" is forbidden: cpu max limit to request ratio per'
        " Container is 10, but provided ratio is 100.000000"
    )
    found = trouble(job(event("FailedCreate", message)))
    assert found is not None
    assert found.reason == "PodsForbidden"
    assert found.message.startswith(
        "job tiny-1 has no pod: its pod was refused at 11:59:55 UTC: cpu max"
    )
    assert "the LimitRange of namespace t must allow it" in found.message
    assert len(found.message) <= MOST


def test_a_job_whose_pod_waits_for_a_secret_says_for_which() -> None:
    pods = (pod(**runtime(waiting("ContainerCreating"))),)
    pods[0]["spec"]["nodeName"] = "x86-a-1"
    found = trouble(job(event("FailedMount", UNMOUNTED), pods=pods))
    assert found is not None
    assert found.reason == "VolumeNotMounted"
    assert "job tiny-1 waits on node x86-a-1" in found.message
    assert "create that secret in namespace t" in found.message


@pytest.mark.parametrize("begun", [True, False])
def test_events_of_a_job_that_runs_by_now_are_old(begun: bool) -> None:  # noqa: FBT001
    state = (
        {"running": {"startedAt": "2026-11-23T11:59:58Z"}}
        if begun
        else waiting("ContainerCreating")
    )
    forbidden = event("FailedCreate", FORBIDDEN + "exceeded quota: full, requested: pods=1")
    mount = event("FailedMount", 'MountVolume.SetUp failed for volume "x" : timed out')
    found = trouble(job(forbidden, mount, pods=(pod(**runtime(state)),)))
    assert (found is None) is begun


def route(**fields: Any) -> ModelRouteSpec:
    spec = {"edgeModelName": "tiny", "hardwareClassName": "x86", **fields}
    return ModelRouteSpec.model_validate(spec)


def test_only_nodes_that_should_have_a_pod_lack_one() -> None:
    nodes = {
        "x86": (
            NodeView("has-it", 1, reachable=True, ready_revisions=frozenset({REVISION})),
            NodeView("lacks-it", 2, reachable=True),
            NodeView("not-yet", 5, reachable=True),
            NodeView("offline", 3, reachable=False, unreachable_since=NOW),
            NodeView("tainted", 4, reachable=True, left_out="taint a:NoSchedule"),
        )
    }
    opened = {"revision": REVISION, "kind": "In", "shards": [1, 2, 3, 4]}
    routes = {"x86": route(candidate={"revision": REVISION}, placements=[opened])}
    found = [(one.node.name, one.revision) for one in lacking(routes, nodes)]
    assert found == [("lacks-it", REVISION)]
    nowhere = {"x86": route(candidate={"revision": REVISION})}
    assert not list(lacking(nowhere, nodes)), "its first wave is not open yet"


def test_the_time_is_a_time() -> None:
    """The table's Events are read with a time zone."""
    assert event_views([event("x", "")])[0].at == datetime(2026, 11, 23, 11, 59, 55, tzinfo=UTC)
