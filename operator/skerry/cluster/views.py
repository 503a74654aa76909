"""JSON of the API server to the small views that decisions read. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from skerry.api.common import LABEL_MODEL, LABEL_REVISION, NODE_LABEL_CLASS, NODE_LABEL_SHARD
from skerry.cluster.fleet import FleetNode, ServingPod
from skerry.cluster.reading import Times, time_of
from skerry.decide.shards import parse_shard
from skerry.decide.snapshot import ContainerPhase, ContainerView, JobView, PodView
from skerry.render.job_parts import ANNOTATION_TRY, LABEL_WORK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.cluster.client import Object
    from skerry.cluster.reading import Partly

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"


def parse_time(text: str | None) -> datetime | None:
    """A Kubernetes time as an aware datetime; None for none.

    Raises:
        ValueError: as `time_of` does.
    """
    return time_of(text) if text else None


def job_view(job: Object, pods: Iterable[PodView]) -> JobView | Partly[JobView]:
    """A Job with its pods."""
    times = Times()
    metadata, status = job["metadata"], job.get("status", {})
    failed, complete = _condition(status, "Failed"), _condition(status, "Complete")
    ended = failed or complete
    finished_at = ended.get("lastTransitionTime") if ended else None
    view = JobView(
        name=metadata["name"],
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
    """Whether the Job made the pod."""
    labels = pod["metadata"].get("labels", {})
    return bool(labels.get(JOB_NAME_LABEL) == job["metadata"]["name"])


def job_finished(job: Object) -> bool:
    """Whether a Job will do nothing more."""
    status = job.get("status", {})
    return _condition(status, "Failed") is not None or _condition(status, "Complete") is not None


def fleet_node(node: Object) -> FleetNode | Partly[FleetNode]:
    """What of a Node matters here."""
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
    )
    return times.with_fault(view)


def serving_pod(pod: Object) -> ServingPod | None:
    """A pod that serves a revision; None before it has a node."""
    labels, node = pod["metadata"].get("labels", {}), pod["spec"].get("nodeName")
    if node is None or LABEL_REVISION not in labels:
        return None
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    leaving = pod["metadata"].get("deletionTimestamp") is not None
    return ServingPod(
        labels.get(LABEL_MODEL, ""), node, labels[LABEL_REVISION], ready and not leaving
    )


def pod_view(pod: Object) -> PodView | Partly[PodView]:
    """A pod of a Job."""
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
    )
    return times.with_fault(view)


def _in_order(
    specs: Iterable[Object], statuses: Iterable[Object], times: Times
) -> list[ContainerView]:
    by_name = {status["name"]: status for status in statuses}
    return [_container_view(spec["name"], by_name.get(spec["name"], {}), times) for spec in specs]


def _container_view(name: str, status: Object, times: Times) -> ContainerView:
    where = f"status of container {name}"
    state: dict[str, Any] = status.get("state", {})
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
