"""Reasons of rollouts, of the pods that they wait for, and of an EdgeModel as a whole."""

from __future__ import annotations

from skerry.api.reasons.base import Reason


class PodReason(Reason):
    """Pods of jobs and revisions."""

    UNSCHEDULABLE = (
        "Unschedulable",
        "No node of the class has room for the job, or a node has no room for a revision's pod.",
    )
    IMAGE_PULL_FAILED = (
        "ImagePullFailed",
        "An image cannot be pulled: Skerry's, the model's or the data set's.",
    )
    CONTAINER_NOT_CREATED = (
        "ContainerNotCreated",
        "The container cannot be created because of a Secret, the pod's network or the runtime.",
    )
    VOLUME_NOT_MOUNTED = (
        "VolumeNotMounted",
        "The pod waits for a volume, such as a missing Secret.",
    )
    FORBIDDEN = (
        "PodsForbidden",
        (
            "The API server rejects the pod of a job or of a revision: a ResourceQuota, a LimitRange, an admission"
            " policy or a webhook."
        ),
    )
    CRASHING = (
        "PodCrashing",
        "The revision's server exits repeatedly on the devices that the message names.",
    )
    NOT_READY = "PodNotReady", "The server runs but does not answer its readiness probe."
    FAILED = "PodFailed", "The kubelet rejected or evicted the pod."
    STARTING = "PodStarting", "Images are being pulled, or volumes mounted."
    MISSING = "PodMissing", "A device has no pod of the revision, and no Event explains it."
    TAINT_NOT_TOLERATED = (
        "TaintNotTolerated",
        "A taint of the device keeps the revision's pods away.",
    )


class RolloutReason(Reason):
    """Rollouts."""

    AWAITING_BUILD = (
        "AwaitingBuild",
        "The spec has no certified build yet; stable keeps serving.",
    )
    AWAITING_NEW_BUILD = (
        "AwaitingNewBuild",
        "The spec changed during a wave. The wave opens no further until the new build exists.",
    )
    WAVE_IN_PROGRESS = (
        "WaveInProgress",
        "A wave is running; the message counts the nodes that passed.",
    )
    PULLING_CANDIDATE = (
        "PullingCandidate",
        "Devices pull and start the candidate, at most `maxConcurrentPulls` at once.",
    )
    RETIRING_REVISION = (
        "RetiringRevision",
        "The rollout waits until devices have released an older revision: a device holds at most two copies.",
    )
    CATCHING_UP = "CatchingUp", "The revision is promoted; some devices do not serve it yet."
    RING_WITHOUT_NODES = (
        "RingWithoutNodes",
        "No node of any class carries the labels of this ring.",
    )
    NODES_LOST = (
        "NodesLost",
        "Devices became silent after they received the candidate, and hold the wave.",
    )
    DEADLINE_EXCEEDED = (
        "ProgressDeadlineExceeded",
        (
            "For `progressDeadline`, no device joined or passed the wave, or none started to serve the promoted"
            " revision."
        ),
    )
    AWAITING_PROMOTION = (
        "AwaitingPromotion",
        "The candidate passed, and `promotion` is Manual.",
    )
    NO_FALLBACK = (
        "NoFallback",
        "Stable does not answer on some devices, so the rolled-back revision keeps their traffic.",
    )
    ROLLED_BACK = "RolledBack", "Devices found the revision worse, and it was rolled back."
    ABORTED = "Aborted", "A user rolled the candidate back."
    UNDONE = "Undone", "A user returned from the revision to the previous one."
    SERVING = "Serving", "It answers on every reachable device."


class ModelReason(Reason):
    """Conditions of an EdgeModel, over all of its targets."""

    ACCEPTED = "Accepted", "Every target can be built."
    OPTIMIZED = "Optimized", "Every target is built and measured."
    CERTIFIED = "Certified", "Every target has a build that passes its required gates."
    PROMOTED = "Promoted", "What the spec asks for is stable in every class."
    ANSWERING = (
        "Answering",
        "Every reachable device answers, with the revision that the spec asks for or with an earlier good one.",
    )
    NOT_ANSWERING = (
        "NotAnswering",
        "Some reachable devices have no server that answers.",
    )
    NO_REACHABLE_NODES = "NoReachableNodes", "No device of any target is reachable."
