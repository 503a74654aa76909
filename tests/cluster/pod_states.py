"""Containers' states as a kubelet writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from skerry.cluster import kinds

if TYPE_CHECKING:
    from tests.cluster.api import Api, Object


def timestamp() -> str:
    """Return now, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def environment(container: Object) -> dict[str, str]:
    """Return a container's variables that have plain values."""
    return {entry["name"]: entry.get("value", "") for entry in container.get("env", ())}


def base(container: Object) -> Object:
    """Return the part that every container's status has."""
    return {
        "name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0,
    }  # fmt: skip


def ended(container: Object, message: str, exit_code: int = 0) -> Object:
    """Return the status of a container that has ended."""
    state = {
        "exitCode": exit_code, "reason": "Error" if exit_code else "Completed", "message": message,
        "startedAt": timestamp(), "finishedAt": timestamp(),
    }  # fmt: skip
    return {**base(container), "ready": False, "state": {"terminated": state}}


@dataclass(frozen=True)
class Stuck:
    """Why a kubelet starts none of a pod's containers.

    Attributes:
        reason, message: of the containers' waiting state.
        event: reason and message of the Warning Event that says more; none in most cases.
    """

    reason: str
    message: str = ""
    event: tuple[str, str] | None = None

    def write(self, api: Api, pod: Object) -> None:
        """Write the pod's status, and with the first one the Event, as the kubelet would."""
        if pod.get("status", {}).get("containerStatuses"):
            return
        waiting = {"waiting": {"reason": self.reason, "message": self.message}}
        statuses = [
            {**base(c), "ready": False, "state": waiting}
            for c in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
        ]
        count = len(pod["spec"].get("initContainers", ()))
        status = {
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp()}
            ],
            "initContainerStatuses": statuses[:count], "containerStatuses": statuses[count:],
        }  # fmt: skip
        api.merge(kinds.POD, pod, {"status": status}, "status")
        if self.event is not None:
            api.create(kinds.CORE_EVENT, _warning(pod, *self.event))


def _warning(pod: Object, reason: str, message: str) -> Object:
    metadata, node = pod["metadata"], pod["spec"]["nodeName"]
    namespace = metadata["namespace"]
    return {
        "metadata": {"namespace": namespace, "generateName": f"{metadata['name']}."},
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "namespace": namespace,
            "uid": metadata["uid"],
        },
        "type": "Warning", "reason": reason, "message": message, "count": 1,
        "firstTimestamp": timestamp(), "lastTimestamp": timestamp(),
        "source": {"component": "kubelet", "host": node},
    }  # fmt: skip
