"""The two Jobs: one that assesses a source, one that builds, measures and packs a variant.

The stages of the optimisation job are init containers, which run one after the other: their states
are the live stages of `ModelVariant.status`, with no token for the API server in the pod. Containers
that measure run the image that will serve: for time and memory under the limits that will serve, for
quality with the builds' resources, since no CPU limit changes an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.decide.stages import (
    ASSESS,
    BASELINE_MEASUREMENT,
    DOCKER_CONFIG_DIRECTORY,
    FIND_FINISHED,
    MEASURING,
    PACK,
    QUALITY,
    RUNTIME,
    VALIDATION,
)
from skerry.decide.units import parse_bytes
from skerry.render import parts

if TYPE_CHECKING:
    from skerry.api.common import ResourceLimits
    from skerry.api.config import OperatorConfig
    from skerry.decide.decision import AssessJob, BuildJob, JobTry
    from skerry.render.parts import Object, Owner

LABEL_WORK = "skerry.dev/work"
ANNOTATION_TRY = "skerry.dev/try"
ANNOTATION_VARIANT = "skerry.dev/variant"
MEASURING_BYTES = 256 * 2**20
BACKOFF_LIMIT = 2
ASSESS_DEADLINE_SECONDS = 600

_OPTIMIZER = ("python3", "-m", "skerry_optimizer")
_MEASURE = ("python3", "-m", "skerry_runtime.measure")


def optimisation_job(owner: Owner, build: BuildJob, config: OperatorConfig) -> Object:
    """The Job of one ModelVariant under one set of gates, on a node of its class."""
    labelled = {
        **parts.labels(owner, parts.COMPONENT_OPTIMIZER, build.plan.hardware_class),
        LABEL_WORK: build.made.work,
    }
    *stages, pack = _containers(build, config)
    pod = {
        **_pod(),
        "affinity": parts.class_affinity(build.plan.hardware_class),
        "initContainers": stages,
        "containers": [pack],
        "volumes": [
            parts.image_volume("source", parts.pinned_reference(build.plan.source)),
            parts.image_volume("dataset", parts.pinned_reference(build.plan.evaluation.dataset)),
            {"name": "scratch", "emptyDir": {}},
            *_secret_volumes(config.registry.push_secret),
        ],
    }
    rendered = _job(owner, build.made, labelled, pod, build.deadline_seconds)
    rendered["metadata"]["annotations"][ANNOTATION_VARIANT] = build.variant
    return rendered


def assess_job(owner: Owner, assess: AssessJob, config: OperatorConfig) -> Object:
    """The Job that reads a source once; it runs on any node."""
    image = config.engines[assess.engine].optimizer_image
    limits = config.builds.resources.limits()
    container = {
        **_container(ASSESS, (*_OPTIMIZER, ASSESS), image, limits),
        "env": parts.environment(
            {
                **_SCRATCH_ENV,
                "SKERRY_SOURCE_DIGEST": assess.source.digest,
                "SKERRY_ENGINE": assess.engine,
            }
        ),
        "volumeMounts": [_SOURCE_MOUNT, _SCRATCH_MOUNT],
    }
    pod = {
        **_pod(),
        "containers": [container],
        "volumes": [
            parts.image_volume("source", parts.pinned_reference(assess.source)),
            {"name": "scratch", "emptyDir": {}},
        ],
    }
    labelled = {**parts.labels(owner, parts.COMPONENT_ASSESSOR), LABEL_WORK: assess.made.work}
    return _job(owner, assess.made, labelled, pod, ASSESS_DEADLINE_SECONDS)


_SOURCE_MOUNT = {"name": "source", "mountPath": "/source", "readOnly": True}
_DATASET_MOUNT = {"name": "dataset", "mountPath": "/dataset", "readOnly": True}
_SCRATCH_MOUNT = {"name": "scratch", "mountPath": "/scratch"}
_SCRATCH_ENV = {
    "HOME": "/scratch",
    "TMPDIR": "/scratch/tmp",
    "ORT_DISABLE_TELEMETRY": "1",
}


def _containers(build: BuildJob, config: OperatorConfig) -> list[Object]:
    """All containers in the order in which they run; the last is the main one."""
    commands = {
        FIND_FINISHED: (*_OPTIMIZER, "find-finished"),
        BASELINE_MEASUREMENT: (*_MEASURE, "baseline"),
        "format-conversion": (*_OPTIMIZER, "convert"),
        "quantization": (*_OPTIMIZER, "quantize"),
        "hardware-acceleration": (*_OPTIMIZER, "accelerate"),
        QUALITY: (*_MEASURE, "quality"),
        VALIDATION: (*_MEASURE, "validate"),
        PACK: (*_OPTIMIZER, "pack"),
    }
    return [_stage(name, command, build, config) for name, command in commands.items()]


def _stage(name: str, command: tuple[str, ...], build: BuildJob, config: OperatorConfig) -> Object:
    engine = config.engines[build.engine]
    image = engine.runtime_image if name in RUNTIME else engine.optimizer_image
    builds = config.builds.resources.limits()
    limits = _measuring(build.plan.limits) if name in MEASURING else builds
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
            _SOURCE_MOUNT, _DATASET_MOUNT, _SCRATCH_MOUNT, *(secret if config.registry.push_secret else []),
        ],
    }  # fmt: skip


def _measuring(serving: ResourceLimits) -> ResourceLimits:
    """The CPU that will serve; memory for baseline, candidate and the one that compares them.

    The stage itself fails a candidate whose own peak is above the serving limit.
    """
    memory = 2 * parse_bytes(serving.memory) + MEASURING_BYTES
    return serving.model_copy(update={"memory": f"{-(-memory // 2**20)}Mi"})


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


def _job(
    owner: Owner, made: JobTry, labelled: dict[str, str], pod: Object, deadline_seconds: int
) -> Object:
    evicted = {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            **parts.metadata(owner, made.name, labelled),
            "annotations": {ANNOTATION_TRY: made.retry},
        },
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
