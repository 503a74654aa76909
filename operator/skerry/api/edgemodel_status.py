"""`EdgeModel.status`: what the operator reports about a model. Only the operator writes it.

It holds counts and the first few offenders, never a list of nodes, so that it stays small for any fleet.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from skerry.api.actions import MARK_LENGTH, NONCE_LENGTH
from skerry.api.artifact import Role
from skerry.api.common import (
    Bool,
    Conditions,
    Digest,
    DnsLabel,
    EngineName,
    Int,
    Message,
    Model,
    Note,
    Ratio,
    Reason,
    RevisionName,
    Time,
    cut,
)
from skerry.api.evaluation import Metric
from skerry.api.rules import ListMap
from skerry.precision import Precision


class Phase(StrEnum):
    """The state in one word. With several classes: the first of these that applies to any class."""

    FAILED = "Failed"
    ROLLED_BACK = "RolledBack"
    PAUSED = "Paused"
    ROLLING_OUT = "RollingOut"
    OPTIMIZING = "Optimizing"
    PENDING = "Pending"
    SERVING = "Serving"


class BuildPhase(StrEnum):
    """The state of one engine's build in one word."""

    FAILED = "Failed"
    PAUSED = "Paused"
    OPTIMIZING = "Optimizing"
    PENDING = "Pending"
    CERTIFIED = "Certified"


class JobSlot(StrEnum):
    """A limit on concurrent jobs of the whole cluster."""

    FETCH = "Fetch"
    BUILD = "Build"


class EngineRank(Model):
    """One row of the ranking of engines for a class."""

    engine: Annotated[str, Field(max_length=40)] = Field(description="Name of the engine.")
    installed: Bool = Field(description="This installation has the engine.")
    reason: Note = Field(description="Why it has this place in the ranking.")


class EngineBuildStatus(Model):
    """The progress of one engine's build for a class, and its score once it is certified."""

    engine: EngineName = Field(description="The engine that builds.")
    variant_name: Annotated[str, Field(max_length=253)] = Field(
        description="Name of the ModelVariant with all recipe results, gates and stages."
    )
    phase: BuildPhase = Field(description="State of this build in one word.")
    reason: Reason = Field(default="", description="The cause as one CamelCase word.")
    recipe: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="Recipe of the certified build."
    )
    score: Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]+$", max_length=12)] | None = Field(
        default=None,
        description="Mean of the logarithms of its ratios, weighted by optimization.search.weights; 0 is"
        " the baseline.",
    )


class FrontEntry(Model):
    """A recipe result that no other, of any engine, beats in speed, quality and memory at once."""

    engine: EngineName = Field(description="The engine that made it.")
    recipe: Annotated[str, Field(max_length=40)] = Field(description="The recipe that made it.")
    speedup: Ratio | None = Field(
        default=None, description="p50 speed-up, measured before certification."
    )
    quality: Ratio | None = Field(
        default=None, description="Quality ratio, measured before certification."
    )
    memory_reduction: Annotated[str, Field(max_length=12)] | None = Field(
        default=None,
        description="Share of memory saved, measured before certification; may be negative.",
    )


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
    format: Annotated[str, Field(max_length=40)] = Field(description="Format of the model's files.")
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
        default=None, description="HOST/REPOSITORY of the fetched image; unset for oci."
    )
    content: Digest | None = Field(
        default=None,
        description="Digest of the files themselves, which `digest` in the spec pins.",
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


class NodeCounts(Model):
    """Counts of a class's nodes."""

    desired: int = Field(default=0, description="Nodes of the class.")
    updated: int = Field(default=0, description="Nodes that serve the desired revision.")
    ready: int = Field(default=0, description="Nodes where a good revision answers.")
    degraded: int = Field(default=0, description="Nodes whose agent reported Fail.")
    offline: int = Field(
        default=0,
        description="Nodes that are unreachable, or excluded because of a taint or a missing agent.",
    )


class WaveStatus(Model):
    """The progress of a rollout over a class. Written before the candidate's affinity is widened."""

    index: int = Field(description="Index of the wave, from 0.")
    of: int = Field(description="Number of waves.")
    open_time: Time = Field(description="When the wave opened.")
    nodes: int = Field(default=0, description="Nodes in the wave's shards.")
    denominator: int = Field(
        default=0, description="Nodes that were reachable when the wave opened."
    )
    passed: int = Field(default=0, description="Of these, nodes whose guard reported Pass.")
    last_progress_time: Time | None = Field(
        default=None,
        description="When a node last joined the wave or passed it; unset while suspended.",
    )
    message: Note = Field(default="", description="What the wave is waiting for.")


class CatchingUp(Model):
    """Reachable nodes that do not serve the promoted revision yet, or no longer do."""

    nodes: int = Field(description="Number of these nodes.")
    last_progress_time: Time = Field(description="When the number last fell, or rose from zero.")


class BuildStatus(Model):
    """The build of the model for one hardware class: the engines' builds, and the chosen one."""

    engine_builds: Annotated[
        tuple[EngineBuildStatus, ...], Field(max_length=8), ListMap(("engine",))
    ] = Field(default=(), description="One entry for each engine that builds for this class.")
    choice: Message = Field(
        default="", description="Why this build was chosen over the other engines' builds."
    )
    front: Annotated[tuple[FrontEntry, ...], Field(max_length=16)] = Field(
        default=(),
        description="The Pareto front of all engines' recipe results, regardless of gates: no other"
        " result beats these in speed, quality and memory at once.",
    )
    variant_name: Annotated[str, Field(max_length=253)] | None = Field(
        default=None,
        description="Name of the chosen ModelVariant, or of the one that explains why none is chosen.",
    )
    engine: EngineName | None = Field(default=None, description="Engine of the chosen build.")
    recipe: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="Recipe of the chosen build."
    )
    precision: Precision | None = Field(default=None, description="Precision of the chosen build.")
    image: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Image of the certified build, by digest."
    )
    speedup: Ratio | None = Field(default=None, description="Certified p50 speed-up.")
    quality: Ratio | None = Field(default=None, description="Certified quality ratio.")
    memory_reduction: Annotated[str, Field(max_length=12)] | None = Field(
        default=None, description="Certified share of memory saved; may be negative."
    )


class RolloutStatus(Model):
    """The rollout of the model over the nodes of one hardware class."""

    desired: RevisionName | None = Field(
        default=None, description="The revision that the spec requires."
    )
    attempt: int = Field(
        default=0, description="Number of the attempt; each retry increases it by one."
    )
    stable: RevisionName | None = Field(
        default=None, description="The revision that was promoted last."
    )
    candidate: RevisionName | None = Field(default=None, description="The revision on trial.")
    previous: RevisionName | None = Field(
        default=None,
        description="The stable revision before this one, kept during the rollback window.",
    )
    approved: Annotated[str, Field(max_length=MARK_LENGTH)] | None = Field(
        default=None,
        description="Value of the promote annotation when it was last used. No value is used twice.",
    )
    wave: WaveStatus | None = Field(default=None, description="The open wave, if any.")
    catching_up: CatchingUp | None = Field(
        default=None,
        description="Nodes that do not serve the promoted revision yet; unset when there are none.",
    )
    nodes: NodeCounts = Field(default=NodeCounts(), description="Counts of the class's nodes.")
    offenders: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=3)] = (
        Field(default=(), description="The first few nodes that failed, are lost or have no pod.")
    )


class TargetStatus(Model):
    """The state of the model on one hardware class."""

    hardware_class_name: DnsLabel = Field(description="Name of the HardwareClass.")
    phase: Phase = Field(default=Phase.PENDING, description="State of this class in one word.")
    reason: Reason = Field(default="", description="The cause as one CamelCase word.")
    message: Message = Field(default="", description="The cause in a sentence, for people.")
    engines: Annotated[tuple[EngineRank, ...], Field(max_length=8), ListMap(("engine",))] = Field(
        default=(), description="Engines ranked for this class, best first."
    )
    constraints: Annotated[tuple[Note, ...], Field(max_length=2)] = Field(
        default=(),
        description="Power and network constraints of the class, and their consequences.",
    )
    build: BuildStatus = Field(default=BuildStatus(), description="The build for this class.")
    rollout: RolloutStatus = Field(
        default=RolloutStatus(), description="The rollout over the nodes of this class."
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
