"""Reasons that any object may give, those of classes, and those of refused writes."""

from __future__ import annotations

from skerry.api.reasons.base import Reason


class GeneralReason(Reason):
    """Any object."""

    NOT_READABLE = (
        "NotReadable",
        (
            "The operator cannot read this object, its HardwareClass or one of its children: it was stored under"
            " another version of the CRDs, or has a value that this version does not know. The revision that"
            " serves is unchanged."
        ),
    )
    NAME_CONFLICT = (
        "NameConflict",
        (
            "An object that Skerry needs exists, but was not made for this EdgeModel, or (a RoleBinding"
            " `skerry-agent`) not by Skerry."
        ),
    )
    SUSPENDED = "Suspended", "`spec.suspend` is true, and there is something to hold."
    NO_NODES = "NoNodes", "No node belongs to the class."
    NODES_LEFT_OUT = (
        "NodesLeftOut",
        (
            "Rollouts leave devices out because they have no agent, or a taint that `device.tolerations` does not"
            " tolerate. On an EdgeModel it means all devices of a class."
        ),
    )


class WriteRefusal(Reason):
    """Writes that the API server refused."""

    QUOTA_EXCEEDED = "QuotaExceeded", "A ResourceQuota of the namespace leaves no room."
    ADMISSION_DENIED = (
        "AdmissionDenied",
        "An admission policy or webhook of the cluster rejects the object.",
    )
    WEBHOOK_UNAVAILABLE = "WebhookUnavailable", "An admission webhook does not answer."
    NAMESPACE_TERMINATING = "NamespaceTerminating", "The namespace is being deleted."
    ACCESS_DENIED = "AccessDenied", "The operator lacks a permission."
    INVALID_OBJECT = "InvalidObject", "The API server rejects a field."
    OBJECT_TOO_LARGE = "ObjectTooLarge", "The object exceeds the size limit of etcd."
    WRITE_REFUSED = "WriteRefused", "The write was rejected for another reason."
    WRITE_FAILED = "WriteFailed", "The write failed for another reason."


class ClassReason(Reason):
    """Conditions of a HardwareClass."""

    DISTINCT = "Distinct", "No other class of the same priority selects its nodes."
    OVERLAP = (
        "ClassOverlap",
        "Two classes of the same priority select a node; each node keeps its current class.",
    )
    UNIFORM = "Uniform", "Its nodes have the same architecture, instructions and accelerators."
    NODES_DIFFER = (
        "NodesDiffer",
        (
            "Some of its nodes have what others lack. A build made on one may be slower on another, or not run"
            " there."
        ),
    )
    AS_SPECIFIED = "AsSpecified", "Its nodes have what `architecture` and `features` specify."
    SPEC_DIFFERS = (
        "SpecDiffers",
        "Its nodes do not have what `architecture` and `features` specify.",
    )
    NO_FACTS = (
        "NoFacts",
        "No agent of the class has reported what its node is, or there are no nodes.",
    )
    COMPLETE = (
        "Complete",
        "All of its nodes take part in rollouts. If some cannot, the reason is `NodesLeftOut`.",
    )
