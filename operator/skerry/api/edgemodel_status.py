"""`EdgeModel.status`: what the operator says about a model. Written by the operator alone.

Counts and the first few offenders, never a list of nodes: it must stay small for any fleet.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from skerry.api.actions import MARK_LENGTH, NONCE_LENGTH
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
    """One word. With several classes: the first of these that holds for any."""

    FAILED = "Failed"
    ROLLED_BACK = "RolledBack"
    PAUSED = "Paused"
    ROLLING_OUT = "RollingOut"
    OPTIMIZING = "Optimizing"
    PENDING = "Pending"
    SERVING = "Serving"


class EngineRank(Model):
    """One row of the ranking of engines for a class."""

    engine: Annotated[str, Field(max_length=40)] = Field(description="Name of the engine.")
    installed: Bool = Field(description="This installation has the engine.")
    reason: Note = Field(description="Why it stands at this place of the ranking.")


class EngineBuildStatus(Model):
    """How far one engine is with a class; its figures once it is certified."""

    engine: EngineName = Field(description="Who builds.")
    variant: Annotated[str, Field(max_length=253)] = Field(
        description="Name of the ModelVariant with all trials, gates and stages."
    )
    phase: Annotated[str, Field(max_length=40)] = Field(
        description="Pending, Optimizing, Certified or Failed."
    )
    reason: Reason = Field(default="", description="Why, in one CamelCase word.")
    recipe: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="Recipe of the certified build."
    )
    score: Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]+$", max_length=12)] | None = Field(
        default=None,
        description="Mean of the logarithms of its ratios, by optimization.search.weights; 0 is the"
        " baseline.",
    )


class FrontEntry(Model):
    """A candidate that no other, of any engine, beats in speed, quality and memory at once."""

    engine: EngineName = Field(description="Who made it.")
    recipe: Annotated[str, Field(max_length=40)] = Field(description="How.")
    speedup: Ratio | None = Field(default=None, description="p50 speed-up, when choosing.")
    quality: Ratio | None = Field(default=None, description="Quality ratio, when choosing.")
    memory_reduction: Annotated[str, Field(max_length=12)] | None = Field(
        default=None, description="Share of memory saved, when choosing; may be negative."
    )


class AssessedDataset(Model):
    """The data set that fits the source: its inputs, the metric's labels, enough samples."""

    digest: Digest = Field(description="The data set that was read.")
    metric: Metric = Field(description="The metric that it was checked for.")
    calibration_samples: Int = Field(description="spec.evaluation.calibrationSamples then.")
    golden_samples: Int = Field(description="spec.evaluation.goldenSamples then.")
    samples: Int = Field(description="Number of samples.")


class Assessment(Model):
    """What the assessing job read out of source and data set, once for both digests."""

    source_digest: Digest = Field(description="The source that was read.")
    format: Annotated[str, Field(max_length=40)] = Field(description="Format of the model's files.")
    bytes: int = Field(description="Size of the model's files, in bytes.")
    parameters: int = Field(description="Number of weights.")
    operators: Annotated[
        dict[Annotated[str, BeforeValidator(cut(80))], int], Field(max_length=64)
    ] = Field(default={}, description="Count by operator, the most frequent.")
    quantizable: Ratio = Field(
        default="0", description="Share of the parameters that quantisation can shrink."
    )
    family: Annotated[str, Field(max_length=40)] = Field(
        default="",
        description="Transformer, Convolutional or Other; decides which recipes are tried first.",
    )
    dataset: AssessedDataset | None = Field(
        default=None, description="What it is measured with; unset where only the source was read."
    )
    message: Message = Field(default="", description="What a reader should know about the source.")


class Fetched(Model):
    """What a fetch job brought in: where it lies now, and what it was at its origin."""

    key: Annotated[str, Field(max_length=16)] = Field(
        description="Names the uri, pin, endpoint and region that were asked for."
    )
    digest: Digest = Field(description="Digest of the manifest that is mounted.")
    image: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="HOST/REPOSITORY of the fetched image; unset for oci."
    )
    content: Digest | None = Field(
        default=None, description="Of the files themselves: what `digest` in the spec pins."
    )
    resolved: Note = Field(
        default="", description="What its server calls this version: revision, ETag, generation."
    )
    bytes: int = Field(default=0, description="Size of all files, in bytes.")
    at: Time = Field(description="When it was fetched.")


class NodeCounts(Model):
    """Nodes of a class, as counts."""

    desired: int = Field(default=0, description="Nodes of the class.")
    updated: int = Field(default=0, description="Nodes that serve what the spec asks for.")
    ready: int = Field(default=0, description="Nodes where a good revision answers.")
    degraded: int = Field(default=0, description="Nodes whose agent failed the candidate.")
    offline: int = Field(
        default=0, description="Nodes that are not reachable, or left out: no agent, a taint."
    )


class WaveStatus(Model):
    """Where a rollout over a class stands. Written before the candidate's affinity is widened."""

    index: int = Field(description="Wave, from 0.")
    of: int = Field(description="Number of waves.")
    opened_at: Time = Field(description="When the wave opened.")
    nodes: int = Field(default=0, description="Nodes in the wave's shards.")
    denominator: int = Field(
        default=0, description="Nodes that were reachable when the wave opened."
    )
    passed: int = Field(default=0, description="Of these, nodes whose guard passed the candidate.")
    progressed_at: Time | None = Field(
        default=None,
        description="When a node last joined the wave or passed; unset while suspended.",
    )
    message: Note = Field(default="", description="What the wave waits for.")


class CatchingUp(Model):
    """Reachable nodes that a promoted revision does not serve on yet, or no longer."""

    nodes: int = Field(description="How many.")
    progressed_at: Time = Field(description="When there were last fewer of them, or the first.")


class TargetStatus(Model):
    """One hardware class of the model."""

    hardware_class: DnsLabel = Field(description="Name of the HardwareClass.")
    phase: Phase = Field(default=Phase.PENDING, description="Where this class stands, in one word.")
    reason: Reason = Field(default="", description="Why, in one CamelCase word.")
    message: Message = Field(default="", description="Why, in a sentence for people.")
    engines: Annotated[tuple[EngineRank, ...], Field(max_length=8), ListMap(("engine",))] = Field(
        default=(), description="The ranking of engines for this class, best first."
    )
    constraints: Annotated[tuple[Note, ...], Field(max_length=2)] = Field(
        default=(),
        description="What the class's devices must get by with (power, link), and what follows.",
    )
    builds: Annotated[tuple[EngineBuildStatus, ...], Field(max_length=8), ListMap(("engine",))] = (
        Field(default=(), description="Each engine that builds for this class.")
    )
    choice: Message = Field(
        default="", description="Why this build and not another engine's, in words."
    )
    front: Annotated[tuple[FrontEntry, ...], Field(max_length=16)] = Field(
        default=(),
        description="The Pareto front of all engines' trials, gates left aside: no other candidate"
        " is better in speed, quality and memory at once.",
    )
    variant: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Name of the ModelVariant that is chosen, or is worth a look."
    )
    engine: EngineName | None = Field(default=None, description="Engine of the chosen build.")
    recipe: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="Recipe of the chosen build."
    )
    precision: Precision | None = Field(default=None, description="Precision of the chosen build.")
    image: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="The certified artifact, by digest."
    )
    speedup: Ratio | None = Field(default=None, description="Certified p50 speed-up.")
    quality: Ratio | None = Field(default=None, description="Certified quality ratio.")
    memory_reduction: Annotated[str, Field(max_length=12)] | None = Field(
        default=None, description="Certified share of memory saved; may be negative."
    )
    desired: RevisionName | None = Field(
        default=None, description="The revision that the spec asks for."
    )
    attempt: int = Field(default=0, description="Raised by a retry.")
    stable: RevisionName | None = Field(default=None, description="The revision that is trusted.")
    candidate: RevisionName | None = Field(default=None, description="The revision on trial.")
    previous: RevisionName | None = Field(
        default=None, description="The revision before stable, kept warm."
    )
    approved: Annotated[str, Field(max_length=MARK_LENGTH)] | None = Field(
        default=None,
        description="What the promote annotation said when it was last used; it is not used twice.",
    )
    nodes: NodeCounts = Field(default=NodeCounts(), description="Nodes of the class, as counts.")
    wave: WaveStatus | None = Field(default=None, description="The wave that is open, if any.")
    catching_up: CatchingUp | None = Field(
        default=None,
        description="Nodes that the promoted revision still has to reach; unset when there are none.",
    )
    offenders: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=3)] = (
        Field(
            default=(), description="The first few nodes that failed, are lost or lack their pod."
        )
    )


class Rejection(Model):
    """A revision that was taken back: not tried again until the spec changes or a retry asks for it."""

    hardware_class: DnsLabel = Field(description="The class that it was taken back from.")
    revision: RevisionName = Field(description="What was taken back.")
    attempt: int = Field(description="The attempt that failed.")
    rule: Annotated[str, Field(max_length=64)] = Field(description="The guard's rule that failed.")
    message: Note = Field(default="", description="What was observed, and on which node first.")
    at: Time = Field(description="When it was taken back.")


class Outcome(StrEnum):
    """How a revision ended."""

    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"


class HistoryEntry(Model):
    """One revision's end."""

    hardware_class: DnsLabel = Field(description="The class.")
    revision: RevisionName = Field(description="The revision.")
    outcome: Outcome = Field(description="How it ended.")
    at: Time = Field(description="When it ended.")
    message: Note = Field(default="", description="Why, in a sentence for people.")


class Address(Model):
    """The ways to the model.

    By name and by ClusterIP a caller on a node reaches the revision that is active on that very node.
    """

    url: Annotated[str, Field(max_length=512)] = Field(
        description="By name, through the cluster's DNS."
    )
    grpc_target: Annotated[str, Field(max_length=512)] | None = Field(
        default=None,
        description="By name, for gRPC. A client that calls another address (ClusterIP, NodePort) sets this"
        " as its authority: a path can't name the model there.",
    )
    cluster_ip_url: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Without DNS, from pods and from processes on a node."
    )
    node_port_url: Annotated[str, Field(max_length=512)] | None = Field(
        default=None,
        description="From outside of the cluster: NODE is the address of the node to ask.",
    )


class EdgeModelStatus(Model):
    """What the operator says about the model."""

    observed_generation: int = Field(
        default=0, description="metadata.generation that this status was found for."
    )
    phase: Phase = Field(default=Phase.PENDING, description="Where the model stands.")
    source_digest: Digest | None = Field(
        default=None, description="What spec.source was resolved to."
    )
    source_uri: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="The uri that sourceDigest was resolved from."
    )
    source_fetched: Fetched | None = Field(
        default=None, description="How the source came in; unset where nothing had to be fetched."
    )
    dataset_digest: Digest | None = Field(
        default=None, description="What spec.evaluation.dataset was resolved to."
    )
    dataset_uri: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="The uri that datasetDigest was resolved from."
    )
    dataset_fetched: Fetched | None = Field(
        default=None, description="How the data set came in; unset where nothing had to be fetched."
    )
    resolved_generation: int = Field(
        default=0, description="metadata.generation that the digests were resolved for."
    )
    assessment: Assessment | None = Field(
        default=None, description="What was read out of the source."
    )
    targets: Annotated[
        tuple[TargetStatus, ...], Field(max_length=32), ListMap(("hardware_class",))
    ] = Field(default=(), description="Each hardware class.")
    rejected: Annotated[tuple[Rejection, ...], Field(max_length=64)] = Field(
        default=(), description="Revisions that were taken back and are not tried again."
    )
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=32)] = Field(
        default=(), description="How revisions ended."
    )
    retry_nonce: Annotated[str, Field(max_length=NONCE_LENGTH)] | None = Field(
        default=None,
        description="The retry annotation that was last honoured; of a longer one its SHA-256.",
    )
    address: Address | None = Field(default=None, description="How to reach the model on a node.")
    conditions: Conditions = Field(
        default=(),
        description="Accepted, Optimized, Certified, RolledOut, Available and Ready; Reconciling and"
        " Stalled while they are true.",
    )
