"""What the states of a job's containers mean to people.

Each stage of `ModelVariant.status` is one container of the job's pod or, for Validation, two: candidates
are raced with the builds' resources, and the best is certified under the serving limits
(`skerry.jobs.stages`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.modelvariant import StageOutcome, StageStatus
from skerry.api.reasons import Cause, InputFault, JobFailure, PodReason
from skerry.decide.build.state import BuildState, Failure
from skerry.decide.pods.states import OUT_OF_MEMORY, STUCK_WAITING, kubelet_words, not_begun, scheduler_words
from skerry.decide.pods.refusals import refusal
from skerry.decide.pods.trouble import of_job
from skerry.decide.snapshot import ContainerPhase
from skerry.jobs.errors import EXIT_EVALUATION, EXIT_SOURCE
from skerry.jobs.stages import STAGES, memory_setting
from skerry.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.decide.snapshot import ContainerView, JobView, PodView


_UNUSABLE = {
    EXIT_EVALUATION: InputFault.EVALUATION_UNUSABLE,
    EXIT_SOURCE: InputFault.SOURCE_UNUSABLE,
}
_BY_THE_CONTROLLER = {
    reason.value: reason
    for reason in (
        JobFailure.BACKOFF_LIMIT_EXCEEDED,
        JobFailure.DEADLINE_EXCEEDED,
        JobFailure.POD_FAILURE_POLICY,
    )
}
"""With which the Job controller ends jobs such as ours (batch/v1, JobReason*)."""


def stage_statuses(pod: PodView | None) -> tuple[StageStatus, ...]:
    """Return the five stages in order, from the containers of the newest pod."""
    by_name = {container.name: container for container in pod.containers} if pod else {}
    return tuple(
        _stage(stage, [by_name.get(spec.name) for spec in STAGES if spec.shown_as is stage])
        for stage in Stage
    )


def trouble(job: JobView) -> Cause | None:
    """Return what keeps an unfinished job from continuing, if anything; it may resolve by itself."""
    found = _trouble(job)
    return found and of_job(found)


def _trouble(job: JobView) -> Cause | None:
    if not job.pods:
        found = refusal(job.events, f"job/{job.name}", job.namespace)
        return found and Cause(found.reason, f"job {job.name} has no pod: {found.message}")
    pod = job.pods[-1]
    if pod.unschedulable:
        words = scheduler_words(pod.unschedulable)
        return Cause(PodReason.UNSCHEDULABLE, f"job {job.name} waits for a node: {words}")
    for container in pod.containers:
        reason = STUCK_WAITING.get(container.reason)
        if container.phase is ContainerPhase.WAITING and reason is not None:
            said = kubelet_words(container)
            return Cause(reason, f"{_where(job, pod, container)} cannot start: {said}")
    if pod.begun:
        return None
    found = not_begun(pod.events, job.namespace)
    return found and Cause(
        found.reason, f"job {job.name} waits on node {pod.node}: {found.message}"
    )


def failure(job: JobView, deadline: str) -> Failure:
    """Return why a job has failed.

    Args:
        job: one whose `failure` is set.
        deadline: what to raise when it took too long, in words.
    """
    said, message = job.failure or ("", "")
    reason = _BY_THE_CONTROLLER.get(said, JobFailure.JOB_FAILED)
    if reason is JobFailure.DEADLINE_EXCEEDED:
        text = f"job {job.name} exceeded its deadline: raise {deadline}"
        stuck = trouble(job)
        text += f"; at the end: {stuck.message}" if stuck else ""
        return Failure(BuildState.FAILED, Cause(reason, text))
    for pod in reversed(job.pods):
        for container in pod.containers:
            if container.phase is ContainerPhase.TERMINATED and container.exit_code:
                return _container_failure(job, pod, container)
    text = f"job {job.name} failed: {message or 'its pods are gone'}"
    return Failure(BuildState.FAILED, Cause(reason, text))


def current_stage(pod: PodView | None) -> str:
    """Return the pod's current container, or an empty string before the first has started.

    Between two it is the next one; after one that failed, or the last, it is that one.
    """
    containers = pod.containers if pod else ()
    begun = [n for n, one in enumerate(containers) if one.phase is not ContainerPhase.WAITING]
    if not begun:
        return ""
    last = begun[-1]
    done = containers[last].phase is ContainerPhase.TERMINATED and not containers[last].exit_code
    return containers[min(last + done, len(containers) - 1)].name


def last_words(containers: Iterable[ContainerView], name: str) -> str:
    """Return the termination message of a container, or an empty string."""
    return next((c.message for c in containers if c.name == name), "")


def _container_failure(job: JobView, pod: PodView, container: ContainerView) -> Failure:
    where = _where(job, pod, container)
    if container.reason == OUT_OF_MEMORY:
        setting = memory_setting(container.name)
        text = f"{where} exceeded its memory limit: raise {setting}"
        return Failure(BuildState.FAILED, Cause(JobFailure.OOM_KILLED, text))
    said = container.message.strip() or f"exit code {container.exit_code} without a message"
    message = f"{where}: {said}"
    if container.exit_code in _UNUSABLE:
        return Failure(BuildState.REJECTED, Cause(_UNUSABLE[container.exit_code], message))
    return Failure(BuildState.FAILED, Cause(JobFailure.STAGE_FAILED, message))


def _where(job: JobView, pod: PodView, container: ContainerView) -> str:
    return f"stage {container.name} of job {job.name} (pod {pod.name}, node {pod.node or 'not chosen'})"


def _stage(stage: Stage, containers: list[ContainerView | None]) -> StageStatus:
    """Return one stage from its containers, in the order in which they run; None is one that does not exist yet.

    It runs from the start of the first to the end of the last, also between the two.
    """
    begun = [one for one in containers if one and one.phase is not ContainerPhase.WAITING]
    if not begun:
        first = containers[0]
        return StageStatus(name=stage, message=first.message if first else "")
    last = begun[-1]
    outcome = _outcome(last, is_final=last is containers[-1])
    return StageStatus(
        name=stage,
        outcome=outcome,
        start_time=begun[0].started_at,
        completion_time=None if outcome is StageOutcome.RUNNING else last.finished_at,
        message=_words(last, outcome, containers),
    )


def _outcome(last: ContainerView, *, is_final: bool) -> StageOutcome:
    if last.phase is ContainerPhase.TERMINATED and last.exit_code:
        return StageOutcome.FAILED
    if last.phase is ContainerPhase.RUNNING or not is_final:
        return StageOutcome.RUNNING
    return StageOutcome.SUCCEEDED


def _words(
    last: ContainerView, outcome: StageOutcome, containers: list[ContainerView | None]
) -> str:
    """Return the last words of the container that started last; of several, the failed one is named."""
    said = last.message.strip() if last.phase is ContainerPhase.TERMINATED else ""
    if outcome is StageOutcome.FAILED and len(containers) > 1:
        return f"{last.name}: {said}"
    return said
