"""What keeps a pod from being Ready: scheduler, kubelet, registry, volumes or its own program. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from skerry.api.reasons import Cause, PodReason
from skerry.decide.conditions import shortened
from skerry.decide.snapshot import ContainerPhase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skerry.decide.snapshot import ContainerView, EventView, PodView

OUT_OF_MEMORY = "OOMKilled"
"""The kubelet's word for a container that exceeded its memory limit."""
# A container that waits for one of these waits in vain until somebody acts.
STUCK_WAITING = {
    "ErrImagePull": PodReason.IMAGE_PULL_FAILED,
    "ImagePullBackOff": PodReason.IMAGE_PULL_FAILED,
    "InvalidImageName": PodReason.IMAGE_PULL_FAILED,
    "ErrImageNeverPull": PodReason.IMAGE_PULL_FAILED,
    "RegistryUnavailable": PodReason.IMAGE_PULL_FAILED,
    "SignatureValidationFailed": PodReason.IMAGE_PULL_FAILED,
    "CreateContainerConfigError": PodReason.CONTAINER_NOT_CREATED,
    "CreateContainerError": PodReason.CONTAINER_NOT_CREATED,
    "RunContainerError": PodReason.CONTAINER_NOT_CREATED,
}
# Events of a pod whose containers can't begin; others, such as FailedScheduling, may be long over.
_BEFORE_CONTAINERS = {
    "FailedMount": PodReason.VOLUME_NOT_MOUNTED,
    "FailedAttachVolume": PodReason.VOLUME_NOT_MOUNTED,
    "FailedMapVolume": PodReason.VOLUME_NOT_MOUNTED,
    "FailedCreatePodSandBox": PodReason.CONTAINER_NOT_CREATED,
    "FailedPodSandBoxStatus": PodReason.CONTAINER_NOT_CREATED,
    "NetworkNotReady": PodReason.CONTAINER_NOT_CREATED,
    "InspectFailed": PodReason.IMAGE_PULL_FAILED,
    "ErrImageNeverPull": PodReason.IMAGE_PULL_FAILED,
}
WORDS_LENGTH = 160
_VOLUME = re.compile(r'^MountVolume\.\w+ failed for volume "([^"]+)" : ')
_MISSING = re.compile(r'(secret|configmap|persistentvolumeclaim)s? "([^"]+)" not found')
_PULL = re.compile(
    r"^(Back-off pulling image \"[^\"]*\": )?((ErrImagePull|ImagePullBackOff): )?"
    r"(failed to pull and unpack image \"[^\"]*\": |failed to pull image \"[^\"]*\": )?"
)
_NODES = re.compile(r"^0/\d+ nodes are available: ")
_ELSEWHERE = re.compile(r"didn't match Pod's node affinity|\[NodeAffinity\]")


def serving_trouble(pod: PodView, namespace: str) -> Cause:
    """Return what keeps a serving pod from being Ready, with a cure."""
    if pod.refused:
        return Cause(PodReason.FAILED, f"the kubelet ended pod {pod.name}: {brief(pod.refused)}")
    if pod.unschedulable:
        return _without_room(pod.unschedulable)
    troubles = (_of_container(pod, container, namespace) for container in pod.containers)
    found = next((trouble for trouble in troubles if trouble), None)
    if found is None and not pod.begun:
        found = not_begun(pod.events, namespace)
    return found or _on_its_way(pod, namespace)


def not_begun(events: Sequence[EventView], namespace: str) -> Cause | None:
    """Return why no container of a pod has begun, as its newest telling Event says, with a cure."""
    event = next((event for event in events if event.reason in _BEFORE_CONTAINERS), None)
    if event is None:
        return None
    volume = _VOLUME.match(event.message)
    words = f"volume {volume[1]}: " if volume else ""
    words += _VOLUME.sub("", event.message)
    missing = _MISSING.search(event.message)
    cure = f"; create that {missing[1]} in namespace {namespace}" if missing else ""
    return Cause(_BEFORE_CONTAINERS[event.reason], f"{brief(words)}{cure}")


def kubelet_words(container: ContainerView) -> str:
    """Return why a container waits, without repetitions."""
    words = _PULL.sub("", container.message.strip())
    return brief(words or container.reason)


def scheduler_words(text: str) -> str:
    """Return the scheduler's words without preemption, and without nodes of other classes."""
    whole = text.partition("preemption:")[0].partition(". ")[0].strip().rstrip(".")
    parts = _NODES.sub("", whole).split(", ")
    near = [part for part in parts if not _ELSEWHERE.search(part)]
    return brief(", ".join(near) if near and _NODES.match(whole) else whole)


def brief(text: str) -> str:
    """Return the text on one line, cut in its middle: it ends with the fault, and begins with the object."""
    line = " ".join(text.split())
    if len(line) <= WORDS_LENGTH:
        return line
    head = WORDS_LENGTH // 3
    return f"{line[:head]}…{line[head + 1 - WORDS_LENGTH :]}"


def _without_room(said: str) -> Cause:
    words = scheduler_words(said)
    cure = ""
    if "Insufficient" in words:
        cure = ": free it there, or lower spec.serving.resources.limits"
    return Cause(PodReason.UNSCHEDULABLE, f"its pod can't be scheduled: {words}{cure}")


def _of_container(pod: PodView, container: ContainerView, namespace: str) -> Cause | None:
    reason = STUCK_WAITING.get(container.reason)
    if container.phase is ContainerPhase.WAITING and reason is not None:
        text = f"container {container.name} cannot start: {kubelet_words(container)}"
        return Cause(reason, text)
    if _crashes(container):
        return Cause(PodReason.CRASHING, _crash(pod, container, namespace))
    return None


def _on_its_way(pod: PodView, namespace: str) -> Cause:
    if pod.begun and all(one.phase is not ContainerPhase.WAITING for one in pod.containers):
        text = f"pod {pod.name} runs but fails its readiness probe"
        return Cause(PodReason.NOT_READY, f"{text}: see kubectl -n {namespace} logs {pod.name}")
    text = f"pod {pod.name} is starting: the kubelet pulls its images and mounts its volumes"
    return Cause(PodReason.STARTING, text)


def _crashes(container: ContainerView) -> bool:
    if container.phase is ContainerPhase.TERMINATED:
        return bool(container.exit_code)
    return container.ended_before is not None and container.restarts > 0


def _crash(pod: PodView, container: ContainerView, namespace: str) -> str:
    """Return how a container ended last, and how to see more."""
    last = container if container.phase is ContainerPhase.TERMINATED else container.ended_before
    code = last.exit_code if last else None
    ended = container.restarts + (container.phase is ContainerPhase.TERMINATED)
    text = f"container {container.name} ended {ended} times, last with exit code {code}"
    if last is not None and last.reason == OUT_OF_MEMORY:
        return f"{text} (OOMKilled): raise spec.serving.resources.limits.memory"
    lines = last.message.strip().splitlines() if last else []
    said = f": {shortened(lines[-1].strip(), 100)}" if lines else ""
    return f"{text}{said}; see kubectl -n {namespace} logs {pod.name} -c {container.name} -p"
