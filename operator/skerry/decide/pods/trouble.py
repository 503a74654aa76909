"""Why a pod is not there or does not get on, in a form that jobs and serving share."""

from __future__ import annotations

from dataclasses import dataclass

from skerry.api.edgemodel import Phase

UNSCHEDULABLE = "Unschedulable"
IMAGE_PULL_FAILED = "ImagePullFailed"
CONTAINER_NOT_CREATED = "ContainerNotCreated"
VOLUME_NOT_MOUNTED = "VolumeNotMounted"
PODS_FORBIDDEN = "PodsForbidden"
POD_FAILED = "PodFailed"
POD_CRASHES = "PodCrashes"
POD_NOT_READY = "PodNotReady"
POD_STARTS = "PodStarts"
POD_MISSING = "PodMissing"
TAINT_NOT_TOLERATED = "TaintNotTolerated"
NODES_LEFT_OUT = "NodesLeftOut"


@dataclass(frozen=True)
class Trouble:
    """Why a job or a pod does not get on, or failed: a reason for machines, a message for people."""

    reason: str
    message: str


_FOR_A_PERSON = frozenset({PODS_FORBIDDEN, VOLUME_NOT_MOUNTED, CONTAINER_NOT_CREATED})
_OF_JOBS = _FOR_A_PERSON | {IMAGE_PULL_FAILED}
_STUCK = {
    # One device's bad link is no fault of the rollout before `progressDeadline`.
    Phase.ROLLING_OUT: _FOR_A_PERSON | {TAINT_NOT_TOLERATED},
    Phase.OPTIMIZING: _OF_JOBS,
    Phase.PENDING: _OF_JOBS | {NODES_LEFT_OUT},
}


def is_stuck(phase: Phase, reason: str) -> bool:
    """Return whether what gives the reason waits for a person, and not for time."""
    return reason in _STUCK.get(phase, ())
