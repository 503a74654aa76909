"""Reasons of the first steps: digests, fetching and assessing the source and the data set."""

from __future__ import annotations

from skerry.api.reasons.base import Reason


class RegistryReason(Reason):
    """Digests and finished results in the registry."""

    RESOLVING_DIGESTS = (
        "ResolvingDigests",
        "The operator is resolving the digests of source and data set in the registry.",
    )
    NOT_RESOLVED = "SourceNotResolved", "The registry does not answer, or has no such tag."
    WAITING = (
        "WaitingForRegistry",
        (
            "A registry is busy (429, 503 and the like), does not answer in time, or refuses connections. The"
            " message quotes it."
        ),
    )
    LOOKING_UP_RESULTS = (
        "LookingUpResults",
        "The operator looks up in the registry whether this was already assessed, or built and measured.",
    )


class FetchReason(Reason):
    """Fetching the source and the data set."""

    FETCHING = "Fetching", "A job is inspecting or fetching the source or data set."
    QUEUED = "FetchQueued", "The limit on concurrent fetch jobs is reached."
    FETCHER_MISSING = "FetcherMissing", "This installation has no fetcher image."
    REPORT_UNREADABLE = (
        "FetchUnreadable",
        "A fetch job succeeded, but its report cannot be read.",
    )


class FetchRefusal(Reason):
    """Failed fetches.

    The message of the failed stage begins with the reason.
    """

    NOT_FOUND = (
        "SourceNotFound",
        "The host has no such file, bucket, object, repository, revision or path.",
    )
    DENIED = (
        "SourceAccessDenied",
        "The server requires credentials, or rejects the ones it received.",
    )
    SECRET = "SourceSecretUnusable", "The Secret is missing, or lacks a key."
    HOST_UNKNOWN = "SourceHostUnknown", "The host name cannot be resolved in the cluster."
    NOT_TRUSTED = (
        "SourceCertificateNotTrusted",
        "The server's certificate is signed by an untrusted authority.",
    )
    UNREACHABLE = (
        "SourceUnreachable",
        "The server does not answer, or repeatedly drops the connection.",
    )
    WRONG_DIGEST = "SourceDigestMismatch", "The content does not match `digest`."
    TOO_LARGE = (
        "SourceTooLarge",
        "The source exceeds `sizeLimit`, or `sources.sizeLimit` of the chart.",
    )
    WRONG_FORMAT = "SourceFormatUnknown", "This release cannot read the model or data set."
    CHANGED = "SourceChanged", "The source changed while it was fetched."
    REGISTRY = "RegistryUnavailable", "The fetched content cannot be pushed."


class AssessReason(Reason):
    """Assessing the source and the data set."""

    ASSESSING = (
        "Assessing",
        (
            "A job reads the model and the data set: what the model consists of, and whether this data set can"
            " measure it."
        ),
    )
    UNREADABLE = (
        "AssessmentUnreadable",
        "The assessment job succeeded, but its result cannot be read.",
    )


class AssessFailure(Reason):
    """Failed assessment jobs."""

    STAGE_FAILED = (
        "AssessStageFailed",
        "The model and data set could not be read for another reason.",
    )
    OOM_KILLED = "AssessOOMKilled", "The assessment needed more memory than the job has."
    DEADLINE_EXCEEDED = (
        "AssessDeadlineExceeded",
        "The job took longer than `optimization.search.timeLimit`, or found no node.",
    )
    JOB_FAILED = "AssessJobFailed", "The job failed, and its pods are gone."
    BACKOFF_LIMIT_EXCEEDED = "AssessBackoffLimitExceeded", JOB_FAILED[1]
    POD_FAILURE_POLICY = "AssessPodFailurePolicy", JOB_FAILED[1]


class InputFault(Reason):
    """Sources and data sets that jobs cannot use."""

    SOURCE_UNUSABLE = "SourceUnusable", "The model cannot be read or run."
    EVALUATION_UNUSABLE = (
        "EvaluationUnusable",
        "The model cannot be measured with this data set, or not with this metric.",
    )
