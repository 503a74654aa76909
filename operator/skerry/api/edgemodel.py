"""`EdgeModel`: the model a user wants on the fleet. The user writes `spec`, the operator `status`."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotation at run time
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import (
    Column,
    Condition,
    CountOrPercent,
    Digest,
    DnsLabel,
    Duration,
    Engine,
    KindInfo,
    Message,
    Model,
    OciUri,
    Precision,
    Quantity,
    Ratio,
    Resource,
    ResourceLimits,
    RevisionName,
    Rule,
    Times,
)


class Artifact(Model):
    """Something in an OCI registry: an image whose layers hold plain files."""

    uri: OciUri = Field(description="oci://HOST[:PORT]/REPOSITORY[:TAG]")
    digest: Digest | None = Field(
        default=None, description="Pin; without it the tag is resolved once per change of the spec."
    )


class Metric(StrEnum):
    """How quality is measured against the baseline."""

    ACCURACY = "accuracy"
    NEIGHBOURS = "neighbours"


class Evaluation(Model):
    """The data that quality, calibration and golden samples are taken from; all parts are disjoint."""

    dataset: Artifact
    metric: Metric = Field(
        description="accuracy: share of right labels, as ratio to the baseline's;"
        " neighbours: share of nearest neighbours kept, with cosine >= 0.99."
    )
    calibration_samples: int = Field(default=128, ge=16, le=4096)
    golden_samples: int = Field(
        default=8, ge=1, le=64, description="Samples that are replayed on every device."
    )


class EngineChoice(StrEnum):
    """`Auto` leaves the choice to the ranking of the class and to measurement."""

    AUTO = "Auto"
    ONNX_RUNTIME = "OnnxRuntime"


class Target(Model):
    """One hardware class that the model shall run on."""

    hardware_class: DnsLabel
    engine: EngineChoice = EngineChoice.AUTO


class Weights(Model):
    """How candidates that pass every required gate are compared; only the proportions count."""

    speed: Ratio = "0.4"
    quality: Ratio = "0.3"
    memory: Ratio = "0.3"


class Search(Model):
    """Bounds of the search for the best candidate."""

    trials: int = Field(default=8, ge=1, le=32, description="Recipes tried at most.")
    time_limit: Duration = Field(default="30m", description="Deadline of the optimisation job.")
    weights: Weights = Weights()


class Optimization(Model):
    """How candidates are searched."""

    search: Search = Search()


class GateProfile(StrEnum):
    """`Standard`: quality and not being worse are required, 2.0x and 50 % aimed at; `Strict` requires all."""

    STANDARD = "Standard"
    STRICT = "Strict"


class Gates(Model):
    """What a candidate must hold against the baseline. What is written here is required."""

    profile: GateProfile = GateProfile.STANDARD
    quality: Ratio = Field(default="0.95", description="Least ratio to the baseline's quality.")
    speedup: Times | Ratio | None = Field(
        default=None, description="Least p50 speed-up, as 1.5 or 1.5x. Unset: the profile's."
    )
    memory_reduction: Ratio | None = Field(
        default=None, description="Least share of the baseline's memory increment saved, 0 to 1. Unset: the profile's."
    )
    artifact_size: Quantity | None = Field(default=None, description="Greatest size of the model's files.")
    allow_marginal: bool = Field(
        default=False,
        description="Accept a gate whose interval still straddles the threshold after the most blocks.",
    )


class ServingResources(Model):
    """Kubernetes resources of the serving container."""

    limits: ResourceLimits = ResourceLimits()


class Serving(Model):
    """How a revision is served on each node."""

    resources: ServingResources = ServingResources()


class Wave(Model):
    """One step of a rollout over the nodes of a class."""

    percent: int = Field(ge=1, le=100, description="Nodes of the class that have the candidate, at least one.")


class Rollout(Model):
    """How a new revision reaches the nodes. A change here takes effect at once and makes no revision."""

    waves: Annotated[tuple[Wave, ...], Field(min_length=1, max_length=16)] = (
        Wave(percent=5), Wave(percent=25), Wave(percent=100),
    )
    traffic: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(min_length=1, max_length=8)] = Field(
        default=(10, 50, 90),
        description="Per cent of a node's requests that the candidate gets, step by step, after its smoke"
        " check; stable keeps a share until promotion, for comparison.",
    )
    soak: Duration = Field(default="10m", description="How long a node stays at the last step.")
    rollback_window: Duration = Field(
        default="24h", description="How long the previous revision is kept warm after a promotion."
    )


class GuardMetric(StrEnum):
    """A tested statistic of the guard; see docs for each."""

    LATENCY_SHIFT = "latencyShift"
    LATENCY_TAIL = "latencyTail"
    ERRORS = "errors"
    GOLDEN = "golden"


class GuardRule(Model):
    """One statistic and what it tolerates."""

    metric: GuardMetric
    tolerate: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(x|%)?$", max_length=12)] | None = Field(
        default=None, description="latencyShift, latencyTail: 1.25x; errors: 1%; golden takes none."
    )


DEFAULT_RULES = (
    GuardRule(metric=GuardMetric.LATENCY_SHIFT, tolerate="1.25x"),
    GuardRule(metric=GuardMetric.LATENCY_TAIL, tolerate="1.5x"),
    GuardRule(metric=GuardMetric.ERRORS, tolerate="1%"),
    GuardRule(metric=GuardMetric.GOLDEN),
)


class Guard(Model):
    """When a revision is taken back. A change here takes effect at once and makes no revision."""

    min_samples: int = Field(
        default=20, ge=20, le=10000, description="Requests of each side that a statistic needs."
    )
    rules: Annotated[tuple[GuardRule, ...], Field(min_length=1, max_length=8)] = DEFAULT_RULES
    max_degraded_nodes: CountOrPercent = Field(
        default="1", description="Nodes (number or %) that fail before the class is rolled back."
    )
    lost_after: Duration = Field(
        default="5m", description="A candidate's node that is silent this long holds the wave."
    )


class EdgeModelSpec(Model):
    """Everything but `source`, `evaluation` and `targets` has a default that stops a bad rollout."""

    source: Artifact
    evaluation: Evaluation
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=32)]
    optimization: Optimization = Optimization()
    gates: Gates = Gates()
    serving: Serving = Serving()
    rollout: Rollout = Rollout()
    guard: Guard = Guard()


class Phase(StrEnum):
    """One word for `kubectl get`. With several classes: the first of these that holds for any."""

    FAILED = "Failed"
    ROLLED_BACK = "RolledBack"
    ROLLING_OUT = "RollingOut"
    OPTIMIZING = "Optimizing"
    PENDING = "Pending"
    SERVING = "Serving"


class EngineRank(Model):
    """One row of the ranking of engines for a class."""

    engine: Annotated[str, Field(max_length=40)]
    installed: bool
    reason: Message


class Assessment(Model):
    """What the assessing job read out of the source, once per source digest."""

    source_digest: Digest
    format: Annotated[str, Field(max_length=40)]
    bytes: int = Field(description="Size of the model's files, in bytes.")
    parameters: int
    operators: dict[str, int] = Field(default={}, description="Count by operator, the most frequent.")
    quantizable: Ratio = Field(default="0", description="Share of the parameters that quantisation can shrink.")
    family: Annotated[str, Field(max_length=40)] = Field(
        default="", description="Transformer, Convolutional or Other; decides which recipes are tried first."
    )
    message: Message = ""


class NodeCounts(Model):
    """Nodes of a class, as counts; never a list."""

    desired: int = 0
    updated: int = Field(default=0, description="Nodes that serve what the spec asks for.")
    ready: int = Field(default=0, description="Nodes where a good revision answers.")
    degraded: int = Field(default=0, description="Nodes whose agent failed the candidate.")
    offline: int = 0


class WaveStatus(Model):
    """Where a rollout over a class stands. Written before the candidate's affinity is widened."""

    index: int = Field(description="Wave, from 0.")
    of: int
    opened_at: datetime
    nodes: int = Field(default=0, description="Nodes in the wave's shards.")
    denominator: int = Field(default=0, description="Nodes that were reachable when the wave opened.")
    passed: int = 0
    message: Message = ""


class TargetStatus(Model):
    """One hardware class of the model."""

    hardware_class: DnsLabel
    phase: Phase = Phase.PENDING
    reason: Annotated[str, Field(max_length=128)] = ""
    message: Message = ""
    engines: Annotated[tuple[EngineRank, ...], Field(max_length=8)] = ()
    variant: Annotated[str, Field(max_length=253)] | None = None
    engine: Engine | None = None
    recipe: Annotated[str, Field(max_length=40)] | None = None
    precision: Precision | None = None
    image: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="The certified artifact, by digest."
    )
    speedup: Ratio | None = None
    quality: Ratio | None = None
    memory_reduction: Annotated[str, Field(max_length=12)] | None = None
    desired: RevisionName | None = Field(default=None, description="The revision that the spec asks for.")
    attempt: int = Field(default=0, description="Raised by a retry.")
    stable: RevisionName | None = None
    candidate: RevisionName | None = None
    previous: RevisionName | None = None
    nodes: NodeCounts = NodeCounts()
    wave: WaveStatus | None = None
    offenders: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=3)] = Field(
        default=(), description="The first few nodes that failed or are lost."
    )


class Rejection(Model):
    """A revision that was taken back: not tried again until the spec changes or a retry asks for it."""

    hardware_class: DnsLabel
    revision: RevisionName
    attempt: int
    rule: Annotated[str, Field(max_length=64)]
    message: Message = ""
    at: datetime


class Outcome(StrEnum):
    """How a revision ended."""

    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"


class HistoryEntry(Model):
    """One revision's end."""

    hardware_class: DnsLabel
    revision: RevisionName
    outcome: Outcome
    at: datetime
    message: Message = ""


class Address(Model):
    """The ways to the model on a node; all reach the revision that is active on the caller's own node."""

    url: Annotated[str, Field(max_length=512)] = Field(description="By name, through the cluster's DNS.")
    cluster_ip_url: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Without DNS, from pods."
    )
    node_port_url: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Without DNS, from processes on the node."
    )


class EdgeModelStatus(Model):
    """Counts and the first few offenders, never a list of nodes."""

    observed_generation: int = 0
    phase: Phase = Phase.PENDING
    source_digest: Digest | None = None
    source_uri: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="The uri that source_digest was resolved from."
    )
    dataset_digest: Digest | None = None
    dataset_uri: Annotated[str, Field(max_length=512)] | None = None
    resolved_generation: int = 0
    assessment: Assessment | None = None
    targets: Annotated[tuple[TargetStatus, ...], Field(max_length=32)] = ()
    rejected: Annotated[tuple[Rejection, ...], Field(max_length=64)] = ()
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=32)] = ()
    retry_nonce: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="The retry annotation that was last honoured."
    )
    address: Address | None = None
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()


ANNOTATION_RETRY = "skerry.dev/retry"


class EdgeModel(Resource):
    """Keeps the right, proven build of one model on every node of the named hardware classes."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="edgemodels", short="em", scope="Namespaced",
        columns=(
            Column("Phase", ".status.phase"),
            Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            Column("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
            Column("Updated", ".status.targets[*].nodes.updated"),
            Column("Message", ".status.conditions[?(@.type=='Ready')].message", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        rules=(
            Rule("size(self.metadata.name) <= 40", "the name must be at most 40 characters: it becomes part of pod names"),
            Rule(
                "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
                "the name must be a DNS label (lower-case letters, digits, '-'): it becomes http://NAME.NAMESPACE.svc",
            ),
            Rule(
                "self.waves.all(i, w, i == 0 || w.percent > self.waves[i-1].percent)",
                "waves must grow: each percent must be greater than the one before", ("spec", "rollout"),
            ),
            Rule("self.waves[size(self.waves)-1].percent == 100", "the last wave must be {percent: 100}", ("spec", "rollout")),
            Rule(
                "self.traffic.all(i, t, i == 0 || t > self.traffic[i-1])",
                "traffic steps must grow", ("spec", "rollout"),
            ),
            Rule("double(self.quality) <= 1.0 && double(self.quality) > 0.0", "quality must be above 0 and at most 1", ("spec", "gates")),
            Rule(
                "!has(self.memoryReduction) || double(self.memoryReduction) < 1.0",
                "memoryReduction is the share saved: 0 or more and below 1", ("spec", "gates"),
            ),
        ),
    )

    kind: str = "EdgeModel"
    spec: EdgeModelSpec
    status: EdgeModelStatus = EdgeModelStatus()
