"""Reasons of builds and of the jobs that make them."""

from __future__ import annotations

from skerry.api.reasons.base import Reason


class BuildReason(Reason):
    """Builds."""

    CLASS_NOT_FOUND = (
        "HardwareClassNotFound",
        (
            "There is no HardwareClass with this name. If it was deleted while in use, its nodes remain in it, and"
            " the message says on how many nodes stable keeps serving."
        ),
    )
    ENGINE_NOT_INSTALLED = (
        "EngineNotInstalled",
        "The engine of the target is not installed, or no installed engine suits the class.",
    )
    QUEUED = (
        "BuildQueued",
        "The limit on concurrent optimization jobs is reached, or older EdgeModels wait.",
    )
    SHARED = (
        "BuildShared",
        "A job measures the same build for another class whose nodes have the same hardware.",
    )
    JOB_STARTING = "JobStarting", "The job is about to be created, or its pod is starting."
    JOB_RUNNING = "JobRunning", "The job is running; the message names the stage and the node."
    SUMMARY_UNREADABLE = (
        "SummaryUnreadable",
        "The job succeeded, but its summary cannot be read.",
    )
    GATES_NOT_MET = (
        "GatesNotMet",
        "No build passes every required gate. Nothing is rolled out; the current revision keeps serving.",
    )
    GATES_PASSED = "GatesPassed", "A build is certified."
    CHOSEN = (
        "BuildChosen",
        "A build is certified, and was chosen over the other engines' builds.",
    )


class JobFailure(Reason):
    """Failed optimization and fetch jobs.

    The last three are the Job controller's own words (batch/v1, JobReason*).
    """

    STAGE_FAILED = "StageFailed", "A stage of the job ended with an error."
    OOM_KILLED = "OOMKilled", "A container of the job needed more memory than its limit."
    JOB_FAILED = (
        "JobFailed",
        "The job failed, and its pods are gone (evicted, or the node disappeared).",
    )
    DEADLINE_EXCEEDED = (
        "DeadlineExceeded",
        "The job took longer than `optimization.search.timeLimit`.",
    )
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded", JOB_FAILED[1]
    POD_FAILURE_POLICY = "PodFailurePolicy", JOB_FAILED[1]
