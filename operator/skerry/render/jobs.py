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
    FIND_FINISHED,
    FORMAT_CONVERSION,
    HARDWARE_ACCELERATION,
    MEASURING,
    PACK,
    QUALITY,
    QUANTIZATION,
    REGISTRY_STAGES,
    RUNTIME,
    VALIDATION,
)
from skerry.decide.units import parse_bytes
from skerry.render import job_parts, parts

if TYPE_CHECKING:
    from skerry.api.common import ResourceLimits
    from skerry.api.config import OperatorConfig
    from skerry.decide.decision import AssessJob, BuildJob
    from skerry.render.parts import Object, Owner

ANNOTATION_VARIANT = "skerry.dev/variant"
MEASURING_BYTES = 256 * 2**20

_OPTIMIZER = ("python3", "-m", "skerry_optimizer")
_MEASURE = ("python3", "-m", "skerry_runtime.measure")


def optimisation_job(owner: Owner, build: BuildJob, config: OperatorConfig) -> Object:
    """The Job of one ModelVariant under one set of gates, on a node of its class."""
    labelled = {
        **parts.labels(owner, parts.COMPONENT_OPTIMIZER, build.plan.hardware_class),
        job_parts.LABEL_WORK: build.made.work,
    }
    *stages, pack = _containers(build, config)
    pod = {
        **job_parts.pod(),
        **parts.pull_secrets(
            build.plan.source.pull_secret,
            build.plan.evaluation.dataset.pull_secret,
            config.registry.reading_secret,
        ),
        "affinity": parts.class_affinity(build.plan.hardware_class),
        "initContainers": stages,
        "containers": [pack],
        "volumes": [
            parts.image_volume("source", parts.pinned_reference(build.plan.source)),
            parts.image_volume("dataset", parts.pinned_reference(build.plan.evaluation.dataset)),
            {"name": "scratch", "emptyDir": {}},
            *job_parts.docker_volumes(config.registry.push_secret),
        ],
    }
    rendered = job_parts.job(owner, build.made, labelled, pod, build.deadline_seconds)
    rendered["metadata"]["annotations"][ANNOTATION_VARIANT] = build.variant
    return rendered


def assess_job(owner: Owner, assess: AssessJob, config: OperatorConfig) -> Object:
    """The Job that reads a source and its data set once; it runs on any node."""
    image = config.engines[assess.plan.engine].optimizer_image
    dataset = assess.plan.evaluation.dataset
    limits = config.builds.resources.limits()
    container = {
        **job_parts.container(ASSESS, (*_OPTIMIZER, ASSESS), image, limits),
        "env": parts.environment(
            {
                **_SCRATCH_ENV,
                "SKERRY_ASSESS_PLAN": assess.plan.model_dump_json(by_alias=True, exclude_none=True),
            }
        ),
        "volumeMounts": [
            _SOURCE_MOUNT, _DATASET_MOUNT, _SCRATCH_MOUNT,
            *job_parts.docker_mounts(config.registry.push_secret),
        ],
    }  # fmt: skip
    pod = {
        **job_parts.pod(),
        **parts.pull_secrets(
            assess.source.pull_secret, dataset.pull_secret, config.registry.reading_secret
        ),
        "containers": [container],
        "volumes": [
            parts.image_volume("source", parts.pinned_reference(assess.source)),
            parts.image_volume("dataset", parts.pinned_reference(dataset)),
            {"name": "scratch", "emptyDir": {}},
            *job_parts.docker_volumes(config.registry.push_secret),
        ],
    }
    labelled = {
        **parts.labels(owner, parts.COMPONENT_ASSESSOR),
        job_parts.LABEL_WORK: assess.made.work,
    }
    return job_parts.job(owner, assess.made, labelled, pod, assess.deadline_seconds)


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
        FORMAT_CONVERSION: (*_OPTIMIZER, "convert"),
        QUANTIZATION: (*_OPTIMIZER, "quantize"),
        HARDWARE_ACCELERATION: (*_OPTIMIZER, "accelerate"),
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
    return {
        **job_parts.container(name, command, image, limits),
        "env": [*parts.environment(variables), node],
        "volumeMounts": [
            _SOURCE_MOUNT, _DATASET_MOUNT, _SCRATCH_MOUNT,
            *job_parts.docker_mounts(config.registry.push_secret if name in REGISTRY_STAGES else None),
        ],
    }  # fmt: skip


def _measuring(serving: ResourceLimits) -> ResourceLimits:
    """The CPU that will serve; memory for baseline, candidate and the one that compares them.

    The stage itself fails a candidate whose own peak is above the serving limit.
    """
    memory = 2 * parse_bytes(serving.memory) + MEASURING_BYTES
    return serving.model_copy(update={"memory": f"{-(-memory // 2**20)}Mi"})
