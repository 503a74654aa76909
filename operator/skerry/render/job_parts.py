"""What all jobs share: the Job around a pod, the pod, its containers, the credentials to push with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.jobs.errors import FINAL
from skerry.jobs.names import DOCKER_DIRECTORY
from skerry.render import parts

if TYPE_CHECKING:
    from skerry.api.common import ResourceLimits
    from skerry.decide.decision import JobTry
    from skerry.jobs.stages import StageSpec
    from skerry.render.parts import Object, Owner

LABEL_WORK = "skerry.dev/work"
ANNOTATION_TRY = "skerry.dev/try"
BACKOFF_LIMIT = 2


def job(
    owner: Owner, made: JobTry, labeled: dict[str, str], pod: Object, deadline_seconds: int
) -> Object:
    """Return a Job around a pod; a try ended by an eviction does not count, a final one is the last."""
    evicted = {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    final = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [*FINAL]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            **parts.metadata(owner, made.name, labeled),
            "annotations": {ANNOTATION_TRY: made.retry},
        },
        "spec": {
            "activeDeadlineSeconds": deadline_seconds,
            "backoffLimit": BACKOFF_LIMIT,
            "podFailurePolicy": {"rules": [evicted, final]},
            "template": {"metadata": {"labels": labeled}, "spec": pod},
        },
    }


def pod() -> Object:
    """Return the pod without its containers and volumes: no token, no rights."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": parts.pod_security(),
    }


def container(stage: StageSpec, image: str, limits: ResourceLimits) -> Object:
    """Return one confined container whose last words reach the operator."""
    return {
        "name": stage.name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(stage.command),
        "resources": parts.job_resources(limits),
        "securityContext": parts.container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def docker_volumes(push_secret: str | None) -> list[Object]:
    """Return the volume with the push credentials, if there are any."""
    if push_secret is None:
        return []
    items = [{"key": ".dockerconfigjson", "path": "config.json"}]
    return [{"name": "docker", "secret": {"secretName": push_secret, "items": items}}]


def docker_mounts(push_secret: str | None) -> list[Object]:
    """Return the mounts of the push credentials."""
    if push_secret is None:
        return []
    return [{"name": "docker", "mountPath": DOCKER_DIRECTORY, "readOnly": True}]
