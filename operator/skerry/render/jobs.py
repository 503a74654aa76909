"""The two Jobs: one that assesses a source, one that builds, measures and packs a variant.

The stages of the optimisation job are init containers, which run one after the other: their states
are the live stages of `ModelVariant.status`, with no token for the API server in the pod. Containers
that measure run the image that will serve, under the limits that will serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.common import LABEL_VARIANT
from skerry.api.modelvariant import Stage
from skerry.render import parts

if TYPE_CHECKING:
    from skerry.api.common import ResourceLimits
    from skerry.api.config import EngineSettings
    from skerry.api.job import JobPlan
    from skerry.api.modelvariant import PinnedArtifact
    from skerry.render.parts import Object, Owner

FIND_FINISHED = "find-finished"
PACK = "pack"
ASSESS = "assess"
STAGE_CONTAINERS: dict[str, Stage] = {
    "baseline-measurement": Stage.BASELINE_MEASUREMENT,
    "format-conversion": Stage.FORMAT_CONVERSION,
    "quantization": Stage.QUANTIZATION,
    "hardware-acceleration": Stage.HARDWARE_ACCELERATION,
    "validation": Stage.VALIDATION,
}
BACKOFF_LIMIT = 2
ASSESS_DEADLINE_SECONDS = 600
DOCKER_CONFIG_DIRECTORY = "/docker"
DOCKER_CONFIG_FILE = f"{DOCKER_CONFIG_DIRECTORY}/config.json"

_OPTIMIZER = ("python3", "-m", "skerry_optimizer")
_MEASURE = ("python3", "-m", "skerry_runtime.measure")


@dataclass(frozen=True)
class BuildJob:
    """What an optimisation job is rendered from.

    Attributes:
        name: of the Job.
        variant: name of the ModelVariant.
        plan: what the containers get as SKERRY_PLAN.
        engine: its images.
        build_limits: of the containers that build.
        deadline_seconds: after which the job is given up.
        push_secret: Secret of type kubernetes.io/dockerconfigjson in the EdgeModel's namespace.
    """

    name: str
    variant: str
    plan: JobPlan
    engine: EngineSettings
    build_limits: ResourceLimits
    deadline_seconds: int
    push_secret: str | None = None


def optimisation_job(owner: Owner, build: BuildJob) -> Object:
    """The Job of one ModelVariant under one set of gates, on a node of its class."""
    labelled = {
        **parts.labels(owner, parts.COMPONENT_OPTIMIZER, build.plan.hardware_class),
        LABEL_VARIANT: build.variant,
    }
    *stages, pack = _containers(build)
    pod = {
        **_pod(),
        "affinity": parts.class_affinity(build.plan.hardware_class),
        "initContainers": stages,
        "containers": [pack],
        "volumes": [
            parts.image_volume("source", parts.pinned_reference(build.plan.source)),
            parts.image_volume("dataset", parts.pinned_reference(build.plan.evaluation.dataset)),
            {"name": "scratch", "emptyDir": {}},
            *_secret_volumes(build.push_secret),
        ],
    }
    return _job(owner, build.name, labelled, pod, build.deadline_seconds)


def assess_job(owner: Owner, name: str, source: PinnedArtifact, engine: EngineSettings,
               limits: ResourceLimits) -> Object:  # fmt: skip
    """The Job that reads a source once; it runs anywhere."""
    container = {
        **_container(ASSESS, (*_OPTIMIZER, ASSESS), engine.optimizer_image, limits),
        "env": parts.environment({**_SCRATCH_ENV, "SKERRY_SOURCE_DIGEST": source.digest}),
        "volumeMounts": [_SOURCE_MOUNT, _SCRATCH_MOUNT],
    }
    pod = {
        **_pod(),
        "containers": [container],
        "volumes": [
            parts.image_volume("source", parts.pinned_reference(source)),
            {"name": "scratch", "emptyDir": {}},
        ],
    }
    labelled = parts.labels(owner, parts.COMPONENT_ASSESSOR)
    return _job(owner, name, labelled, pod, ASSESS_DEADLINE_SECONDS)


_SOURCE_MOUNT = {"name": "source", "mountPath": "/source", "readOnly": True}
_DATASET_MOUNT = {"name": "dataset", "mountPath": "/dataset", "readOnly": True}
_SCRATCH_MOUNT = {"name": "scratch", "mountPath": "/scratch"}
_SCRATCH_ENV = {
    "HOME": "/scratch",
    "TMPDIR": "/scratch/tmp",
    "ORT_DISABLE_TELEMETRY": "1",
}


def _containers(build: BuildJob) -> list[Object]:
    """All containers in the order in which they run; the last is the main one."""
    commands = {
        FIND_FINISHED: (*_OPTIMIZER, "find-finished"),
        "baseline-measurement": (*_MEASURE, "baseline"),
        "format-conversion": (*_OPTIMIZER, "convert"),
        "quantization": (*_OPTIMIZER, "quantize"),
        "hardware-acceleration": (*_OPTIMIZER, "accelerate"),
        "validation": (*_MEASURE, "validate"),
        PACK: (*_OPTIMIZER, "pack"),
    }
    return [_stage(name, command, build) for name, command in commands.items()]


def _stage(name: str, command: tuple[str, ...], build: BuildJob) -> Object:
    measures = command[: len(_MEASURE)] == _MEASURE
    image = build.engine.runtime_image if measures else build.engine.optimizer_image
    limits = build.plan.limits if measures else build.build_limits
    variables = {
        **_SCRATCH_ENV,
        "SKERRY_PLAN": build.plan.model_dump_json(by_alias=True, exclude_none=True),
        "SKERRY_CPU_LIMIT": parts.cores(limits),
    }
    node = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    secret = [{"name": "docker", "mountPath": DOCKER_CONFIG_DIRECTORY, "readOnly": True}]
    return {
        **_container(name, command, image, limits),
        "env": [*parts.environment(variables), node],
        "volumeMounts": [
            _SOURCE_MOUNT, _DATASET_MOUNT, _SCRATCH_MOUNT, *(secret if build.push_secret else []),
        ],
    }  # fmt: skip


def _container(name: str, command: tuple[str, ...], image: str, limits: ResourceLimits) -> Object:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "resources": parts.job_resources(limits),
        "securityContext": parts.container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _pod() -> Object:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": parts.pod_security(),
    }


def _job(owner: Owner, name: str, labelled: dict[str, str], pod: Object, deadline_seconds: int) -> Object:
    evicted = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": parts.metadata(owner, name, labelled),
        "spec": {
            "activeDeadlineSeconds": deadline_seconds,
            "backoffLimit": BACKOFF_LIMIT,
            "podFailurePolicy": {"rules": [evicted]},
            "template": {"metadata": {"labels": labelled}, "spec": pod},
        },
    }


def _secret_volumes(push_secret: str | None) -> list[Object]:
    if push_secret is None:
        return []
    items = [{"key": ".dockerconfigjson", "path": "config.json"}]
    return [{"name": "docker", "secret": {"secretName": push_secret, "items": items}}]
