"""Which causes for a missing or waiting pod need a person: jobs and serving differ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from skerry.api.reasons import PodReason

if TYPE_CHECKING:
    from skerry.api.reasons import Cause

_ALWAYS = {PodReason.FORBIDDEN, PodReason.VOLUME_NOT_MOUNTED, PodReason.CONTAINER_NOT_CREATED}
_OF_JOBS = _ALWAYS | {PodReason.IMAGE_PULL_FAILED}
# One device's bad link is no fault of the rollout before `progressDeadline`.
_OF_SERVING = _ALWAYS | {PodReason.TAINT_NOT_TOLERATED}


def of_job(cause: Cause) -> Cause:
    """Return the cause for a job that waits, with whether a person has to act."""
    return replace(cause, stalls=cause.reason in _OF_JOBS)


def of_serving(cause: Cause) -> Cause:
    """Return the cause for a node that lacks a Ready pod, with whether a person has to act."""
    return replace(cause, stalls=cause.reason in _OF_SERVING)
