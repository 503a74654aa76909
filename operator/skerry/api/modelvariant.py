"""`ModelVariant`: what one engine made of one source for one class, measured under one set of limits.

A variant is found by its name, which is derived from its build key and the limits that its
candidates are measured under: a measurement says nothing about other limits. Variants with the same
build key share the built candidates in the registry.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import (
    Bool,
    Column,
    Conditions,
    Digest,
    DnsLabel,
    EngineName,
    Int,
    KindInfo,
    Message,
    Model,
    Resource,
    ResourceLimits,
    Time,
)
from skerry.api.edgemodel_status import AssessedDataset
from skerry.api.evaluation import Metric
from skerry.api.rules import ListMap, Rule
from skerry.precision import Precision
from skerry.stage import Stage

BuildKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Decimal = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", max_length=24)]
RecipeName = Annotated[str, Field(max_length=40)]


class PinnedArtifact(Model):
    """An artifact with the digest that was resolved."""

    uri: Annotated[str, Field(max_length=512)] = Field(
        description="As the EdgeModel's spec has it."
    )
    digest: Digest = Field(description="Digest of the manifest.")
    image: Annotated[str, Field(max_length=512)] | None = Field(
        default=None,
        description="HOST/REPOSITORY of the image that it was fetched into; unset for oci.",
    )
    pull_secret: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Secret of the namespace to pull it with."
    )


class EvaluationPlan(Model):
    """The part of EdgeModel.spec.evaluation that a build depends on."""

    dataset: PinnedArtifact = Field(description="The data set.")
    metric: Metric = Field(description="How quality is measured.")
    calibration_samples: Int = Field(ge=1, description="Samples for static quantisation.")
    golden_samples: Int = Field(ge=1, description="Samples that devices replay.")

    def assessed(self, samples: int) -> AssessedDataset:
        """What the assessment says once a data set of so many samples was found to fit."""
        return AssessedDataset(
            digest=self.dataset.digest,
            metric=self.metric,
            calibration_samples=self.calibration_samples,
            golden_samples=self.golden_samples,
            samples=samples,
        )


class ModelVariantSpec(Model):
    """What is built and measured. Immutable: a different build has a different name."""

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule("self == oldSelf", "spec can't be changed: a different build is another ModelVariant"),
    )

    edge_model: DnsLabel = Field(description="Name of the EdgeModel, in the same namespace.")
    hardware_class: DnsLabel = Field(description="Name of the HardwareClass.")
    engine: EngineName = Field(description="Who makes and runs the build.")
    engine_version: Annotated[str, Field(max_length=40)] = Field(description="Engine's version.")
    build_key: BuildKey = Field(
        description="Hash of all that the built candidates depend on; equal keys share them."
    )
    source: PinnedArtifact = Field(description="The model.")
    evaluation: EvaluationPlan = Field(description="How its quality is measured.")
    recipe_set: Annotated[str, Field(max_length=40)] = Field(
        description="Name and version of the recipes."
    )
    trials: Int = Field(ge=1, description="Recipes tried at most.")
    limits: ResourceLimits = Field(description="Limits that candidates are measured under.")


class StageOutcome(StrEnum):
    """How a stage ended, or that it has not."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class StageStatus(Model):
    """One stage, from its container's state."""

    name: Stage = Field(description="The stage.")
    outcome: StageOutcome = Field(default=StageOutcome.PENDING, description="How it ended.")
    started_at: Time | None = Field(default=None, description="When its container started.")
    finished_at: Time | None = Field(default=None, description="When its container ended.")
    message: Message = Field(default="", description="What the stage says of its work.")


class Interval(Model):
    """An estimate with its 95 % interval, as decimal strings."""

    value: Decimal = Field(description="The estimate.")
    low: Decimal = Field(description="Lower end of the interval.")
    high: Decimal = Field(description="Upper end of the interval.")


class TrialOutcome(StrEnum):
    """What became of a recipe."""

    MEASURED = "Measured"
    NOT_SUPPORTED = "NotSupported"
    FAILED = "Failed"


class Trial(Model):
    """One recipe's result. Ratios are against the unoptimised source in float32."""

    recipe: RecipeName = Field(description="Name of the recipe.")
    precision: Precision = Field(description="Number format of the weights.")
    outcome: TrialOutcome = Field(
        default=TrialOutcome.MEASURED, description="What became of the recipe."
    )
    bytes: int = Field(default=0, description="Size of the model's files, in bytes.")
    quality: Interval | None = Field(default=None, description="Quality ratio.")
    cosine: Interval | None = Field(
        default=None, description="Mean cosine to the baseline's answers; metric neighbours only."
    )
    speedup: Interval | None = Field(
        default=None, description="p50 of the baseline over p50 of the trial."
    )
    memory_reduction: Interval | None = Field(
        default=None,
        description="Share of the baseline's memory increment that is saved; may be negative.",
    )
    p50_milliseconds: Decimal | None = Field(
        default=None, description="Median latency of one inference, in milliseconds."
    )
    memory_bytes: int = Field(
        default=0, description="Increment of peak memory over the empty runtime, in bytes."
    )
    batching: Bool = Field(
        default=False, description="Answers in a full batch are as good as alone."
    )
    cut_short: Bool = Field(
        default=False,
        description="Measured no further than that choice needed: other gates or weights need more.",
    )
    message: Message = Field(
        default="", description="Why it failed, is not supported or was measured no further."
    )


class GateOutcome(StrEnum):
    """`Marginal`: the interval straddles the threshold after the most blocks."""

    PASS = "Pass"  # noqa: S105 - not a password
    FAIL = "Fail"
    MARGINAL = "Marginal"


class GateResult(Model):
    """One gate of one trial."""

    name: Annotated[str, Field(max_length=40)] = Field(description="Name of the gate.")
    required: Bool = Field(description="An aim (false) is reported and rejects nothing.")
    threshold: Decimal = Field(description="What must be held.")
    outcome: GateOutcome = Field(description="Whether it is held.")
    observed: Interval | None = Field(
        default=None, description="What was measured; unset when it was not."
    )
    message: Message = Field(default="", description="The same in a sentence for people.")


class VariantArtifact(Model):
    """The certified build in the registry: an image that holds just its files."""

    image: Annotated[str, Field(max_length=512)] = Field(description="HOST/REPOSITORY@sha256:...")
    digest: Digest = Field(description="Digest of the manifest.")


class Certificate(Model):
    """What was proven about the chosen build. In this release it is not signed."""

    model_digest: Digest = Field(description="Of the served model file.")
    dataset_digest: Digest = Field(description="Of the data set that certified it.")
    engine_version: Annotated[str, Field(max_length=40)] = Field(description="Engine's version.")
    baseline: Annotated[str, Field(max_length=80)] = Field(
        description="Engine, version and precision of what it was compared with."
    )
    certified: Trial = Field(description="Measured afresh on the split that did not choose.")
    issued_at: Time = Field(description="When it was certified.")


class ModelVariantStatus(Model):
    """What the job reported; raw blocks and the full report lie with the artifact."""

    observed_generation: int = Field(
        default=0, description="metadata.generation that this status was found for."
    )
    job: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Name of the optimisation job."
    )
    gates_key: Annotated[str, Field(max_length=16)] | None = Field(
        default=None,
        description="The gates that chose; other gates are applied to the same trials.",
    )
    node: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Where it was measured."
    )
    stages: Annotated[tuple[StageStatus, ...], Field(max_length=8), ListMap(("name",))] = Field(
        default=(), description="The stages of the job, in order."
    )
    trials: Annotated[tuple[Trial, ...], Field(max_length=32), ListMap(("recipe",))] = Field(
        default=(), description="Each recipe's result."
    )
    chosen: RecipeName | None = Field(
        default=None, description="The recipe that won; unset when none passed the required gates."
    )
    front: Annotated[tuple[RecipeName, ...], Field(max_length=32)] = Field(
        default=(),
        description="Recipes that no other of these trials beats in speed, quality and memory.",
    )
    gates: Annotated[tuple[GateResult, ...], Field(max_length=8), ListMap(("name",))] = Field(
        default=(), description="Gates of the certified build, or of the nearest miss."
    )
    artifact: VariantArtifact | None = Field(default=None, description="The certified build.")
    certificate: Certificate | None = Field(default=None, description="What was proven about it.")
    reused: Bool = Field(
        default=False, description="Finished work was found in the registry by its keys."
    )
    conditions: Conditions = Field(
        default=(),
        description="Certified: whether a build passed the gates; Reconciling and Stalled while they"
        " are true.",
    )


class ModelVariant(Resource):
    """One build of a model for one hardware class: stages, trials, gates, artifact, certificate."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="modelvariants",
        short="mv",
        scope="Namespaced",
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
