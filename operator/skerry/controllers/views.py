"""JSON of the API server to the small views that decisions read. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from skerry.api.common import LABEL_MODEL, LABEL_REVISION, NODE_LABEL_CLASS, NODE_LABEL_SHARD
from skerry.controllers.cache import FleetNode, ServingPod
from skerry.controllers.reading import Partly, Times, time_of
from skerry.decide.nodes.taints import Taint, Tolerated
from skerry.decide.rollout.shards import parse_shard
from skerry.decide.snapshot import ContainerPhase, ContainerView, EventView, JobView, PodView
from skerry.render.job_parts import ANNOTATION_TRY, LABEL_WORK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.cluster.client import Object

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JOB_NAME_LABEL = "batch.kubernetes.io/job-name"


def parse_time(text: str | None) -> datetime | None:
    """Return a Kubernetes time as an aware datetime; None for none.

    Raises:
        ValueError: as `time_of` does.
    """
    return time_of(text) if text else None


def job_view(job: Object, pods: Iterable[PodView]) -> JobView | Partly[JobView]:
    """Return the view of a Job with its pods."""
    times = Times()
    metadata, status = job["metadata"], job.get("status", {})
    failed, complete = _condition(status, "Failed"), _condition(status, "Complete")
    ended = failed or complete
    finished_at = ended.get("lastTransitionTime") if ended else None
    view = JobView(
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        uid=metadata.get("uid", ""),
        work=metadata.get("labels", {}).get(LABEL_WORK, ""),
        retry=metadata.get("annotations", {}).get(ANNOTATION_TRY, ""),
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        succeeded=complete is not None,
        failure=(failed.get("reason", ""), failed.get("message", "")) if failed else None,
        finished_at=times.read(finished_at, "status.conditions"),
        pods=tuple(sorted(pods, key=lambda pod: pod.created_at)),
    )
    return times.with_fault(view)


def is_pod_of(pod: Object, job: Object) -> bool:
    """Return whether the Job made the pod."""
    labels = pod["metadata"].get("labels", {})
    return bool(labels.get(JOB_NAME_LABEL) == job["metadata"]["name"])


def job_finished(job: Object) -> bool:
    """Return whether a Job is finished."""
    status = job.get("status", {})
    return _condition(status, "Failed") is not None or _condition(status, "Complete") is not None


def fleet_node(node: Object) -> FleetNode | Partly[FleetNode]:
    """Return the parts of a Node that matter here."""
    times = Times()
    metadata, status = node["metadata"], node.get("status", {})
    labels = metadata.get("labels", {})
    ready = next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), None)
    since = ready.get("lastTransitionTime") if ready else None
    view = FleetNode(
        name=metadata["name"],
        uid=metadata["uid"],
        labels=dict(labels),
        hardware_class=labels.get(NODE_LABEL_CLASS),
        shard=parse_shard(labels.get(NODE_LABEL_SHARD)),
        ready=ready is not None and ready["status"] == "True",
        ready_since=times.read(since, "status.conditions[Ready].lastTransitionTime"),
        taints=tuple(
            Taint(taint["key"], taint.get("value", ""), taint["effect"])
            for taint in node.get("spec", {}).get("taints", ())
        ),
    )
    return times.with_fault(view)


def serving_pod(pod: Object) -> ServingPod | Partly[ServingPod] | None:
    """Return a pod that serves a revision; None for one that is bound to no particular node."""
    labels, node = pod["metadata"].get("labels", {}), pod["spec"].get("nodeName") or _meant_for(pod)
    if node is None or LABEL_REVISION not in labels:
        return None
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    leaving = pod["metadata"].get("deletionTimestamp") is not None
    state = None if ready or leaving else pod_view(pod)
    fault = state.fault if isinstance(state, Partly) else None
    view = ServingPod(
        labels.get(LABEL_MODEL, ""), node, labels[LABEL_REVISION], ready and not leaving,
        state.value if isinstance(state, Partly) else state,
    )  # fmt: skip
    return view if fault is None else Partly(view, fault)


def event_views(events: Iterable[Object]) -> tuple[EventView, ...]:
    """Return the Warning Events, the newest first."""
    found = [
        EventView(event.get("reason", ""), event.get("message", ""), _last_seen(event))
        for event in events
        if event.get("type") == "Warning"
    ]
    return tuple(sorted(found, key=lambda event: event.at, reverse=True))


def tolerated_by(daemonset: Object) -> tuple[Tolerated, ...]:
    """Return what the pods of a DaemonSet tolerate by its template."""
    return tuple(
        Tolerated(
            one.get("key", ""), one.get("operator") == "Exists", one.get("value", ""), one.get("effect", "")
        )
        for one in daemonset["spec"]["template"]["spec"].get("tolerations", ())
    )  # fmt: skip


def _last_seen(event: Object) -> datetime:
    """Return when an Event last happened; which field says it depends on who wrote it.

    A time that can't be read counts as not set: whoever may write Events writes any.
    """
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"),
        event["metadata"]["creationTimestamp"],
    )  # fmt: skip
    read = Times()
    found = (read.read(time, "time") for time in times)
    return next((time for time in found if time), EPOCH)


def _meant_for(pod: Object) -> str | None:
    """Return the node that the DaemonSet controller has made the pod for."""
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    fields = [
        one for term in required.get("nodeSelectorTerms", ()) for one in term.get("matchFields", ())
    ]
    return next((one["values"][0] for one in fields if one["key"] == "metadata.name"), None)


def pod_view(pod: Object) -> PodView | Partly[PodView]:
    """Return the view of a pod: what its containers do, or why none runs."""
    times = Times()
    status, spec = pod.get("status", {}), pod["spec"]
    containers = [
        *_in_order(spec.get("initContainers", ()), status.get("initContainerStatuses", ()), times),
        *_in_order(spec.get("containers", ()), status.get("containerStatuses", ()), times),
    ]
    scheduled: Object = next(
        (c for c in status.get("conditions", ()) if c["type"] == "PodScheduled"), {}
    )
    refused = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    view = PodView(
        name=pod["metadata"]["name"],
        created_at=datetime.fromisoformat(pod["metadata"]["creationTimestamp"]),
        node=spec.get("nodeName"),
        unschedulable=scheduled.get("message", "no node suits it") if refused else "",
        containers=tuple(containers),
        uid=pod["metadata"].get("uid", ""),
        refused=_refused(status),
    )
    return times.with_fault(view)


def _refused(status: Object) -> str:
    """Return why the kubelet refused or evicted a pod, if it did so; a program that failed says it itself."""
    if status.get("phase") != "Failed" or not status.get("reason"):
        return ""
    return f"{status['reason']}: {status.get('message', '')}".removesuffix(": ")


def _in_order(
    specs: Iterable[Object], statuses: Iterable[Object], times: Times
) -> list[ContainerView]:
    by_name = {status["name"]: status for status in statuses}
    return [_container_view(spec["name"], by_name.get(spec["name"], {}), times) for spec in specs]


def _container_view(name: str, status: Object, times: Times) -> ContainerView:
    where = f"status of container {name}"
    view = _in_state(name, status.get("state", {}), where, times)
    before = status.get("lastState", {})
    ended = _in_state(name, before, where, times) if "terminated" in before else None
    return replace(view, restarts=status.get("restartCount", 0), ended_before=ended)


def _in_state(name: str, state: dict[str, Any], where: str, times: Times) -> ContainerView:
    if "terminated" in state:
        ended = state["terminated"]
        return ContainerView(
            name, ContainerPhase.TERMINATED, ended.get("reason", ""), ended.get("message", ""),
            ended.get("exitCode"), times.read(ended.get("startedAt"), where),
            times.read(ended.get("finishedAt"), where),
        )  # fmt: skip
    if "running" in state:
        started = times.read(state["running"].get("startedAt"), where)
        return ContainerView(name, ContainerPhase.RUNNING, started_at=started)
    waiting = state.get("waiting", {})
    return ContainerView(
        name, ContainerPhase.WAITING, waiting.get("reason", ""), waiting.get("message", "")
    )


def _condition(status: Object, kind: str) -> Object | None:
    found = (c for c in status.get("conditions", ()) if c["type"] == kind and c["status"] == "True")
    return next(found, None)
