"""`ModelVariant`: what one engine made of one source for one class, measured under one set of limits.

A variant is found by its name, which is derived from its build key and the limits that its
candidates are measured under: a measurement says nothing about other limits. Variants with the same
build key share the built candidates in the registry.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotation at run time
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import (
    Column,
    Condition,
    Digest,
    DnsLabel,
    Engine,
    KindInfo,
    Message,
    Model,
    Precision,
    Ratio,
    Resource,
    ResourceLimits,
)
from skerry.api.edgemodel import Metric

BuildKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]


class PinnedArtifact(Model):
    """An artifact with the digest that was resolved."""

    uri: Annotated[str, Field(max_length=512)]
    digest: Digest


class EvaluationPlan(Model):
    """The part of EdgeModel.spec.evaluation that a build depends on."""

    dataset: PinnedArtifact
    metric: Metric
    calibration_samples: int
    golden_samples: int


class ModelVariantSpec(Model):
    """Immutable: a different build has a different name."""

    edge_model: DnsLabel
    hardware_class: DnsLabel
    engine: Engine
    engine_version: Annotated[str, Field(max_length=40)]
    build_key: BuildKey
    source: PinnedArtifact
    evaluation: EvaluationPlan
    recipe_set: Annotated[str, Field(max_length=40)] = Field(description="Name and version of the recipes.")
    trials: int
    limits: ResourceLimits


class Stage(StrEnum):
    """The stages of an optimisation job, in order; each is one container of its pod."""

    BASELINE_MEASUREMENT = "BaselineMeasurement"
    FORMAT_CONVERSION = "FormatConversion"
    QUANTIZATION = "Quantization"
    HARDWARE_ACCELERATION = "HardwareAcceleration"
    VALIDATION = "Validation"


class StageOutcome(StrEnum):
    """How a stage ended, or that it has not."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class StageStatus(Model):
    """One stage, from its container's state."""

    name: Stage
    outcome: StageOutcome = StageOutcome.PENDING
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: Message = ""


Decimal = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", max_length=24)]


class Interval(Model):
    """An estimate with its 95 % interval, as decimal strings."""

    value: Decimal
    low: Decimal
    high: Decimal


class TrialOutcome(StrEnum):
    """What became of a recipe."""

    MEASURED = "Measured"
    NOT_SUPPORTED = "NotSupported"
    FAILED = "Failed"


class Trial(Model):
    """One recipe's result. Ratios are against the unoptimised source in float32."""

    recipe: Annotated[str, Field(max_length=40)]
    precision: Precision
    outcome: TrialOutcome = TrialOutcome.MEASURED
    bytes: int = Field(default=0, description="Size of the model's files, in bytes.")
    quality: Interval | None = None
    cosine: Interval | None = Field(
        default=None, description="Mean cosine to the baseline's answers; metric neighbours only."
    )
    speedup: Interval | None = Field(default=None, description="p50 of the baseline over p50 of the trial.")
    memory_reduction: Interval | None = Field(
        default=None, description="Share of the baseline's memory increment that is saved; may be negative."
    )
    p50_milliseconds: Decimal | None = None
    memory_bytes: int = Field(default=0, description="Increment of peak memory over the empty runtime, in bytes.")
    batching: bool = Field(default=False, description="Answers in a full batch are as good as alone.")
    message: Message = ""


class GateOutcome(StrEnum):
    """`Marginal`: the interval straddles the threshold after the most blocks."""

    PASS = "Pass"  # noqa: S105 - not a password
    FAIL = "Fail"
    MARGINAL = "Marginal"


class GateResult(Model):
    """One gate of one trial."""

    name: Annotated[str, Field(max_length=40)]
    required: bool
    threshold: Decimal
    outcome: GateOutcome
    observed: Interval | None = Field(default=None, description="None: it was not measured.")
    message: Message = ""


class VariantArtifact(Model):
    """The certified build in the registry: an image that holds just its files."""

    image: Annotated[str, Field(max_length=512)] = Field(description="HOST/REPOSITORY@sha256:...")
    digest: Digest


class Certificate(Model):
    """What was proven about the chosen build. In this release it is not signed."""

    model_digest: Digest = Field(description="Of the served model file.")
    dataset_digest: Digest
    engine_version: Annotated[str, Field(max_length=40)]
    baseline: Annotated[str, Field(max_length=80)] = Field(description="Engine, version and precision.")
    certified: Trial = Field(description="Measured afresh on the split that did not choose.")
    issued_at: datetime


class ModelVariantStatus(Model):
    """What the job reported; raw blocks and the full report lie with the artifact."""

    observed_generation: int = 0
    job: Annotated[str, Field(max_length=253)] | None = None
    gates_key: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="The gates that chose; other gates are applied to the same trials."
    )
    node: Annotated[str, Field(max_length=253)] | None = Field(default=None, description="Where it was measured.")
    stages: Annotated[tuple[StageStatus, ...], Field(max_length=8)] = ()
    trials: Annotated[tuple[Trial, ...], Field(max_length=32)] = ()
    chosen: Annotated[str, Field(max_length=40)] | None = None
    gates: Annotated[tuple[GateResult, ...], Field(max_length=8)] = ()
    artifact: VariantArtifact | None = None
    certificate: Certificate | None = None
    reused: bool = Field(default=False, description="Finished work was found in the registry by its keys.")
    conditions: Annotated[tuple[Condition, ...], Field(max_length=8)] = ()


class ModelVariant(Resource):
    """One build of a model for one hardware class: stages, trials, gates, artifact, certificate."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="modelvariants", short="mv", scope="Namespaced",
        columns=(
            Column("Model", ".spec.edgeModel"),
            Column("Class", ".spec.hardwareClass"),
            Column("Engine", ".spec.engine"),
            Column("Chosen", ".status.chosen"),
            Column("Quality", ".status.certificate.certified.quality.value"),
            Column("Speedup", ".status.certificate.certified.speedup.value"),
            Column("Certified", ".status.conditions[?(@.type=='Certified')].status"),
            Column("Reason", ".status.conditions[?(@.type=='Certified')].reason"),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    )

    kind: str = "ModelVariant"
    spec: ModelVariantSpec
    status: ModelVariantStatus = ModelVariantStatus()
