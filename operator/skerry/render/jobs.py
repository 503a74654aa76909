"""The two Jobs: one that assesses a source, one that builds, measures and packs a variant.

The stages of the optimization job are init containers, which run one after the other: their states
are the live stages of `ModelVariant.status`, with no token for the API server in the pod. Containers
that measure run the image that will serve: for time and memory under the limits that will serve, for
quality with the builds' resources, since no CPU limit changes an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.common import ResourceLimits
from skerry.api.units import parse_bytes, parse_quantity
from skerry.jobs import names
from skerry.jobs.stages import ASSESS, STAGES, StageImage, StageLimits
from skerry.render import job_parts, parts

if TYPE_CHECKING:
    from skerry.api.config import OperatorConfig
    from skerry.decide.decision import AssessJob, BuildJob
    from skerry.jobs.stages import StageSpec
    from skerry.render.parts import Object, Owner

ANNOTATION_VARIANT = "skerry.dev/variant"
MEASURING_BYTES = 256 * 2**20
MOST_MEBIBYTES = 2**43 - 1
"""Of a quantity that Kubernetes counts in bytes (an int64): no node has what is asked for beyond it."""


def optimization_job(owner: Owner, build: BuildJob, config: OperatorConfig) -> Object:
    """Return the Job of one ModelVariant under one set of gates, on a node of its class."""
    labeled = {
        **parts.labels(owner, parts.COMPONENT_OPTIMIZER, build.plan.hardware_class),
        job_parts.LABEL_WORK: build.made.work,
    }
    *stages, pack = (_stage(stage, build, config) for stage in STAGES)
    pod = {
        **job_parts.pod(),
        **parts.pull_secrets(
            build.plan.source.pull_secret_name,
            build.plan.evaluation.dataset.pull_secret_name,
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
    rendered = job_parts.job(owner, build.made, labeled, pod, build.deadline_seconds)
    rendered["metadata"]["annotations"][ANNOTATION_VARIANT] = build.variant
    return rendered


def assess_job(owner: Owner, assess: AssessJob, config: OperatorConfig) -> Object:
    """Return the Job that reads a source and its data set once; it runs on any node."""
    image = config.engines[assess.plan.engine].optimizer_image
    dataset = assess.plan.evaluation.dataset
    limits = config.builds.resources.limits()
    container = {
        **job_parts.container(ASSESS, image, limits),
        "env": parts.environment({**_SCRATCH_ENV, **assess.plan.to_environment()}),
        "volumeMounts": [
            _SOURCE_MOUNT, _DATASET_MOUNT, _SCRATCH_MOUNT,
            *job_parts.docker_mounts(config.registry.push_secret),
        ],
    }  # fmt: skip
    pod = {
        **job_parts.pod(),
        **parts.pull_secrets(
            assess.source.pull_secret_name, dataset.pull_secret_name, config.registry.reading_secret
        ),
        "containers": [container],
        "volumes": [
            parts.image_volume("source", parts.pinned_reference(assess.source)),
            parts.image_volume("dataset", parts.pinned_reference(dataset)),
            {"name": "scratch", "emptyDir": {}},
            *job_parts.docker_volumes(config.registry.push_secret),
        ],
    }
    labeled = {
        **parts.labels(owner, parts.COMPONENT_ASSESSOR),
        job_parts.LABEL_WORK: assess.made.work,
    }
    return job_parts.job(owner, assess.made, labeled, pod, assess.deadline_seconds)


_SOURCE_MOUNT = {"name": "source", "mountPath": names.SOURCE_DIRECTORY, "readOnly": True}
_DATASET_MOUNT = {"name": "dataset", "mountPath": names.DATASET_DIRECTORY, "readOnly": True}
_SCRATCH_MOUNT = {"name": "scratch", "mountPath": names.SCRATCH_DIRECTORY}
_SCRATCH_ENV = {
    "HOME": names.SCRATCH_DIRECTORY,
    "TMPDIR": names.TEMPORARY_DIRECTORY,
    "ORT_DISABLE_TELEMETRY": "1",
}


def _stage(stage: StageSpec, build: BuildJob, config: OperatorConfig) -> Object:
    engine = config.engines[build.engine]
    serves = stage.image is StageImage.RUNTIME
    image = engine.runtime_image if serves else engine.optimizer_image
    limits = _limits(stage, build, config.builds.resources.limits())
    variables = {
        **_SCRATCH_ENV,
        **build.plan.to_environment(),
        "SKERRY_CPU_LIMIT": parts.cores(limits),
    }
    node_name = {"fieldRef": {"fieldPath": "spec.nodeName"}}
    node = {"name": names.NODE_VARIABLE, "valueFrom": node_name}
    return {
        **job_parts.container(stage, image, limits),
        "env": [*parts.environment(variables), node],
        "volumeMounts": [
            _SOURCE_MOUNT, _DATASET_MOUNT, _SCRATCH_MOUNT,
            *job_parts.docker_mounts(config.registry.push_secret if stage.registry else None),
        ],
    }  # fmt: skip


def _limits(stage: StageSpec, build: BuildJob, builds: ResourceLimits) -> ResourceLimits:
    """Return what a stage may use.

    What measures at full speed has no less CPU than what serves, which its threads are counted by, and the
    memory of two models.
    """
    if stage.image is not StageImage.RUNTIME:
        return builds
    measuring = _measuring(build.plan.limits)
    if not stage.full_speed:
        return measuring
    memory = measuring.memory
    if stage.limits is StageLimits.BUILDS:
        memory = max(builds.memory, memory, key=parse_bytes)
    return ResourceLimits(cpu=max(builds.cpu, measuring.cpu, key=parse_quantity), memory=memory)


def _measuring(serving: ResourceLimits) -> ResourceLimits:
    """Return the CPU that will serve, and memory for baseline, candidate and the process that compares them.

    The stage itself fails a candidate whose own peak is above the serving limit.
    """
    memory = 2 * parse_bytes(serving.memory) + MEASURING_BYTES
    mebibytes = min(-(-memory // 2**20), MOST_MEBIBYTES)
    return serving.model_copy(update={"memory": f"{mebibytes}Mi"})
