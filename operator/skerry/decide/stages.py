"""The containers of an optimisation job and what their states tell people.

Each stage of `ModelVariant.status` is one container of the job's pod; the names here are the one
place where the two meet (`skerry.render.jobs` makes the containers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.modelvariant import Stage, StageOutcome, StageStatus
from skerry.decide.snapshot import ContainerPhase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.decide.snapshot import ContainerView, JobView, PodView

DOCKER_CONFIG_DIRECTORY = "/docker"
DOCKER_CONFIG_FILE = f"{DOCKER_CONFIG_DIRECTORY}/config.json"
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
MEASURING = ("baseline-measurement", "validation")

# A container that waits for one of these waits in vain until somebody acts.
_STUCK_WAITING = {
    "ErrImagePull": "ImagePullFailed",
    "ImagePullBackOff": "ImagePullFailed",
    "InvalidImageName": "ImagePullFailed",
    "ErrImageNeverPull": "ImagePullFailed",
    "RegistryUnavailable": "ImagePullFailed",
    "SignatureValidationFailed": "ImagePullFailed",
    "CreateContainerConfigError": "ContainerNotCreated",
    "CreateContainerError": "ContainerNotCreated",
    "RunContainerError": "ContainerNotCreated",
}


@dataclass(frozen=True)
class Trouble:
    """Why a job does not get on, or failed: a reason for machines, a message for people."""

    reason: str
    message: str


def stage_statuses(pod: PodView | None) -> tuple[StageStatus, ...]:
    """The five stages in order, from the containers of the newest pod."""
    by_name = {container.name: container for container in pod.containers} if pod else {}
    return tuple(_stage(stage, by_name.get(name)) for name, stage in STAGE_CONTAINERS.items())


def trouble(job: JobView) -> Trouble | None:
    """What keeps an unfinished job from getting on, if anything; it may pass by itself."""
    if not job.pods:
        return None
    pod = job.pods[-1]
    if pod.unschedulable:
        return Trouble("Unschedulable", f"job {job.name} waits for a node: {pod.unschedulable}")
    for container in pod.containers:
        reason = _STUCK_WAITING.get(container.reason)
        if container.phase is ContainerPhase.WAITING and reason is not None:
            said = container.message or container.reason
            return Trouble(reason, f"{_where(job, pod, container)} cannot start: {said}")
    return None


def failure(job: JobView, deadline: str) -> Trouble:
    """Why a job has failed.

    Args:
        job: one whose `failure` is set.
        deadline: what to raise when it took too long, in words.
    """
    reason, message = job.failure or ("", "")
    if reason == "DeadlineExceeded":
        text = f"job {job.name} was given up after its deadline: raise {deadline}"
        stuck = trouble(job)
        return Trouble(reason, f"{text}; at the end: {stuck.message}" if stuck else text)
    for pod in reversed(job.pods):
        for container in pod.containers:
            if container.phase is ContainerPhase.TERMINATED and container.exit_code:
                return _container_failure(job, pod, container)
    return Trouble(
        reason or "JobFailed", f"job {job.name} failed: {message or 'its pods are gone'}"
    )


def running_stage(pod: PodView | None) -> str:
    """The container that runs now, or an empty string."""
    running = (c.name for c in (pod.containers if pod else ()) if c.phase is ContainerPhase.RUNNING)
    return next(running, "")


def last_words(containers: Iterable[ContainerView], name: str) -> str:
    """The termination message of a container, or an empty string."""
    return next((c.message for c in containers if c.name == name), "")


def _container_failure(job: JobView, pod: PodView, container: ContainerView) -> Trouble:
    where = _where(job, pod, container)
    if container.reason == "OOMKilled":
        limit = (
            "spec.serving.resources.limits.memory"
            if container.name in MEASURING
            else "the chart's builds.resources.memory"
        )
        return Trouble("OOMKilled", f"{where} needed more memory than its limit: raise {limit}")
    said = container.message.strip() or f"exit code {container.exit_code} without a message"
    return Trouble("StageFailed", f"{where}: {said}")


def _where(job: JobView, pod: PodView, container: ContainerView) -> str:
    return f"stage {container.name} of job {job.name} (pod {pod.name}, node {pod.node or 'not chosen'})"


def _stage(stage: Stage, container: ContainerView | None) -> StageStatus:
    if container is None or container.phase is ContainerPhase.WAITING:
        return StageStatus(name=stage, message=container.message if container else "")
    if container.phase is ContainerPhase.RUNNING:
        return StageStatus(
            name=stage, outcome=StageOutcome.RUNNING, started_at=container.started_at
        )
    return StageStatus(
        name=stage,
        outcome=StageOutcome.FAILED if container.exit_code else StageOutcome.SUCCEEDED,
        started_at=container.started_at,
        finished_at=container.finished_at,
        message=container.message.strip(),
    )
