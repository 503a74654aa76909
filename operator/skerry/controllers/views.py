"""JSON of the API server to the small views that decisions read. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skerry.api.common import LABEL_MODEL, LABEL_REVISION, NODE_LABEL_CLASS, NODE_LABEL_SHARD
from skerry.controllers.cache import FleetNode, ServingPod
from skerry.decide.shards import parse_shard
from skerry.decide.snapshot import ContainerPhase, ContainerView, EventView, JobView, PodView
from skerry.decide.taints import Taint, Tolerated
from skerry.render.job_parts import ANNOTATION_TRY, LABEL_WORK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.cluster.client import Object

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"


def parse_time(text: str | None) -> datetime | None:
    """A Kubernetes time as an aware datetime; None for none."""
    return datetime.fromisoformat(text) if text else None


def job_view(job: Object, pods: Iterable[Object]) -> JobView:
    """A Job with those of the pods that are its own."""
    metadata, status = job["metadata"], job.get("status", {})
    name = metadata["name"]
    failed, complete = _condition(status, "Failed"), _condition(status, "Complete")
    ended = failed or complete
    own = [pod for pod in pods if pod["metadata"].get("labels", {}).get(JOB_NAME_LABEL) == name]
    return JobView(
        name=name,
        namespace=metadata.get("namespace", ""),
        uid=metadata.get("uid", ""),
        work=metadata.get("labels", {}).get(LABEL_WORK, ""),
        retry=metadata.get("annotations", {}).get(ANNOTATION_TRY, ""),
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        succeeded=complete is not None,
        failure=(failed.get("reason", ""), failed.get("message", "")) if failed else None,
        finished_at=parse_time(ended.get("lastTransitionTime")) if ended else None,
        pods=tuple(sorted((_pod_view(pod) for pod in own), key=lambda pod: pod.created_at)),
    )


def job_finished(job: Object) -> bool:
    """Whether a Job will do nothing more."""
    status = job.get("status", {})
    return _condition(status, "Failed") is not None or _condition(status, "Complete") is not None


def fleet_node(node: Object) -> FleetNode:
    """What of a Node matters here."""
    metadata, status = node["metadata"], node.get("status", {})
    labels = metadata.get("labels", {})
    ready = next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), None)
    return FleetNode(
        name=metadata["name"],
        uid=metadata["uid"],
        labels=dict(labels),
        hardware_class=labels.get(NODE_LABEL_CLASS),
        shard=parse_shard(labels.get(NODE_LABEL_SHARD)),
        ready=ready is not None and ready["status"] == "True",
        ready_since=parse_time(ready.get("lastTransitionTime")) if ready else None,
        taints=tuple(
            Taint(taint["key"], taint.get("value", ""), taint["effect"])
            for taint in node.get("spec", {}).get("taints", ())
        ),
    )


def serving_pod(pod: Object) -> ServingPod | None:
    """A pod that serves a revision; None for one that is meant for no certain node."""
    labels, node = pod["metadata"].get("labels", {}), pod["spec"].get("nodeName") or _meant_for(pod)
    if node is None or LABEL_REVISION not in labels:
        return None
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    leaving = pod["metadata"].get("deletionTimestamp") is not None
    state = None if ready or leaving else _pod_view(pod)
    return ServingPod(
        labels.get(LABEL_MODEL, ""), node, labels[LABEL_REVISION], ready and not leaving, state
    )


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
    """Return when an Event last happened; which field says it depends on who wrote it."""
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"),
        event["metadata"]["creationTimestamp"],
    )  # fmt: skip
    return datetime.fromisoformat(next(time for time in times if time))


def _meant_for(pod: Object) -> str | None:
    """Return the node that the DaemonSet controller has made the pod for."""
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    fields = [
        one for term in required.get("nodeSelectorTerms", ()) for one in term.get("matchFields", ())
    ]
    return next((one["values"][0] for one in fields if one["key"] == "metadata.name"), None)


def _pod_view(pod: Object) -> PodView:
    status, spec = pod.get("status", {}), pod["spec"]
    containers = [
        *_in_order(spec.get("initContainers", ()), status.get("initContainerStatuses", ())),
        *_in_order(spec.get("containers", ()), status.get("containerStatuses", ())),
    ]
    scheduled: Object = next(
        (c for c in status.get("conditions", ()) if c["type"] == "PodScheduled"), {}
    )
    refused = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    return PodView(
        name=pod["metadata"]["name"],
        created_at=datetime.fromisoformat(pod["metadata"]["creationTimestamp"]),
        node=spec.get("nodeName"),
        unschedulable=scheduled.get("message", "no node suits it") if refused else "",
        containers=tuple(containers),
        uid=pod["metadata"].get("uid", ""),
        refused=_refused(status),
    )


def _refused(status: Object) -> str:
    """Return why the kubelet refused or evicted a pod, if it did so; a program that failed says it itself."""
    if status.get("phase") != "Failed" or not status.get("reason"):
        return ""
    return f"{status['reason']}: {status.get('message', '')}".removesuffix(": ")


def _in_order(specs: Iterable[Object], statuses: Iterable[Object]) -> list[ContainerView]:
    by_name = {status["name"]: status for status in statuses}
    return [_container_view(spec["name"], by_name.get(spec["name"], {})) for spec in specs]


def _container_view(name: str, status: Object) -> ContainerView:
    view = _in_state(name, status.get("state", {}))
    before = status.get("lastState", {})
    return replace(
        view,
        restarts=status.get("restartCount", 0),
        ended_before=_in_state(name, before) if "terminated" in before else None,
    )


def _in_state(name: str, state: dict[str, Any]) -> ContainerView:
    if "terminated" in state:
        ended = state["terminated"]
        return ContainerView(
            name, ContainerPhase.TERMINATED, ended.get("reason", ""), ended.get("message", ""),
            ended.get("exitCode"), parse_time(ended.get("startedAt")), parse_time(ended.get("finishedAt")),
        )  # fmt: skip
    if "running" in state:
        started = parse_time(state["running"].get("startedAt"))
        return ContainerView(name, ContainerPhase.RUNNING, started_at=started)
    waiting = state.get("waiting", {})
    return ContainerView(
        name, ContainerPhase.WAITING, waiting.get("reason", ""), waiting.get("message", "")
    )


def _condition(status: Object, kind: str) -> Object | None:
    found = (c for c in status.get("conditions", ()) if c["type"] == kind and c["status"] == "True")
    return next(found, None)
