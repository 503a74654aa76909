"""`EdgeModel.status`: what the operator reports about a model. Only the operator writes it.

What it says of each hardware class is in `skerry.api.target_status`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from skerry.api.actions import NONCE_LENGTH
from skerry.api.artifact import Role
from skerry.api.common import (
    Conditions,
    Digest,
    DnsLabel,
    Int,
    Message,
    Model,
    Note,
    Ratio,
    RevisionName,
    Time,
    cut,
)
from skerry.api.rules import ListMap
from skerry.api.target_status import Phase, TargetStatus
from skerry.tasks import Metric


class JobSlot(StrEnum):
    """A limit on concurrent jobs of the whole cluster."""

    FETCH = "Fetch"
    BUILD = "Build"


class AssessedDataset(Model):
    """A data set that fits the source: it has the inputs, the metric's labels and enough samples."""

    digest: Digest = Field(description="Digest of the data set that was read.")
    metric: Metric = Field(description="The metric that it was checked for.")
    calibration_samples: Int = Field(
        description="spec.evaluation.calibrationSamples at the time of the check."
    )
    golden_samples: Int = Field(
        description="spec.evaluation.goldenSamples at the time of the check."
    )
    samples: Int = Field(description="Number of samples in the data set.")


class Assessment(Model):
    """What the assessment job found in the source and the data set."""

    source_digest: Digest = Field(description="Digest of the source that was read.")
    format: Annotated[str, Field(max_length=40), BeforeValidator(cut(40))] = Field(
        description="Format of the model's files."
    )
    bytes: int = Field(description="Size of the model's files, in bytes.")
    parameters: int = Field(description="Number of weights.")
    operators: Annotated[
        dict[Annotated[str, BeforeValidator(cut(80))], int], Field(max_length=64)
    ] = Field(default={}, description="The most frequent operators and their counts.")
    quantizable: Ratio = Field(
        default="0", description="Share of the parameters that quantization can shrink."
    )
    family: Annotated[str, Field(max_length=40)] = Field(
        default="",
        description="Transformer, Convolutional or Other. It decides which recipes are tried first.",
    )
    dataset: AssessedDataset | None = Field(
        default=None, description="The checked data set; unset when only the source was read."
    )
    message: Message = Field(default="", description="Notes on the source, for people.")


class Fetched(Model):
    """The result of a fetch job: the image that holds the files, and their version at the origin."""

    key: Annotated[str, Field(max_length=16)] = Field(
        description="Hash of the requested uri, digest, endpoint and region."
    )
    digest: Digest = Field(description="Digest of the mounted manifest.")
    image: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="HOST/REPOSITORY of the fetched image; unset for oci images."
    )
    content: Digest | None = Field(
        default=None,
        description="Digest of the files themselves, which `digest` in the spec pins (in registries it"
        " pins the manifest, which `resolved` names).",
    )
    resolved: Note = Field(
        default="",
        description="Version as its server names it, such as a revision, ETag or generation.",
    )
    bytes: int = Field(default=0, description="Size of all files, in bytes.")
    fetch_time: Time = Field(description="When the files were fetched.")


class ArtifactStatus(Model):
    """What one artifact of the spec was resolved to."""

    role: Role = Field(description="What the artifact is used for: Source or Dataset.")
    uri: Annotated[str, Field(max_length=512)] = Field(
        description="The uri in the spec that `digest` was resolved from."
    )
    digest: Digest = Field(description="Digest of the manifest.")
    fetched: Fetched | None = Field(
        default=None, description="Result of the fetch job; unset when no fetch was needed."
    )


class Rejection(Model):
    """A revision that was rolled back. Only a changed spec or a retry lets it be tried again."""

    hardware_class_name: DnsLabel = Field(description="The class that was rolled back.")
    revision: RevisionName = Field(description="The revision that was rolled back.")
    attempt: int = Field(description="The attempt that failed.")
    rule: Annotated[str, Field(max_length=64)] = Field(description="The guard's rule that failed.")
    message: Note = Field(default="", description="What was observed, and on which node first.")
    rollback_time: Time = Field(description="When it was rolled back.")


class Outcome(StrEnum):
    """How a revision ended."""

    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"


class HistoryEntry(Model):
    """How the rollout of one revision ended."""

    hardware_class_name: DnsLabel = Field(description="Name of the HardwareClass.")
    revision: RevisionName = Field(description="Name of the revision.")
    outcome: Outcome = Field(description="How it ended.")
    completion_time: Time = Field(description="When it ended.")
    message: Note = Field(default="", description="The cause in a sentence, for people.")


class Address(Model):
    """The addresses of the model.

    By name or ClusterIP, a caller on a node reaches the revision that is active on the same node.
    """

    url: Annotated[str, Field(max_length=512)] = Field(
        description="URL by name, through the cluster's DNS."
    )
    grpc_target: Annotated[str, Field(max_length=512)] | None = Field(
        default=None,
        description="Target by name, for gRPC. A client that calls another address (ClusterIP, NodePort)"
        " must set this as its authority, because gRPC can't name the model in a path.",
    )
    cluster_ip_url: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="URL without DNS, for pods and for processes on a node."
    )
    node_port_url: Annotated[str, Field(max_length=512)] | None = Field(
        default=None,
        description="URL from outside the cluster. Replace NODE with the address of a node.",
    )


class EdgeModelStatus(Model):
    """What the operator reports about the model."""

    observed_generation: int = Field(
        default=0, description="metadata.generation that this status was written for."
    )
    phase: Phase = Field(default=Phase.PENDING, description="State of the model in one word.")
    artifacts: Annotated[tuple[ArtifactStatus, ...], Field(max_length=8), ListMap(("role",))] = (
        Field(default=(), description="What the artifacts of the spec were resolved to.")
    )
    resolved_generation: int = Field(
        default=0, description="metadata.generation that the digests were resolved for."
    )
    assessment: Assessment | None = Field(
        default=None, description="What the assessment job found in the source and the data set."
    )
    awaited_slot: JobSlot | None = Field(
        default=None,
        description="The job slot that the model waits for: sources.maxConcurrent of the chart limits fetch"
        " jobs, builds.maxConcurrent optimization jobs. Unset while it waits for none.",
    )
    targets: Annotated[
        tuple[TargetStatus, ...], Field(max_length=32), ListMap(("hardware_class_name",))
    ] = Field(default=(), description="One entry for each hardware class.")
    rejected: Annotated[tuple[Rejection, ...], Field(max_length=64)] = Field(
        default=(), description="Revisions that were rolled back and are not tried again."
    )
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=32)] = Field(
        default=(), description="How earlier rollouts ended."
    )
    retry_nonce: Annotated[str, Field(max_length=NONCE_LENGTH)] | None = Field(
        default=None,
        description="Value of the retry annotation that was last used, or its SHA-256 if it is longer"
        " than this field.",
    )
    address: Address | None = Field(default=None, description="How to reach the model on a node.")
    conditions: Conditions = Field(
        default=(),
        description="Accepted, Optimized, Certified, RolledOut, Available and Ready; Reconciling and"
        " Stalled only while they are true.",
    )

    def artifact(self, role: Role) -> ArtifactStatus | None:
        """Return what the artifact of this role was resolved to, if it was."""
        return next((one for one in self.artifacts if one.role is role), None)
