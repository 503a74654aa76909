"""`ModelVariant`: what one engine made of one source for one class, measured under one set of limits.

A variant's name is derived from its build key and the limits that its builds are measured under,
because a measurement says nothing about other limits. Variants with the same build key share their
builds in the registry.
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
from skerry.api.rules import ListMap, Rule
from skerry.precision import Precision
from skerry.stage import Stage
from skerry.tasks import Metric

BuildKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Decimal = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", max_length=24)]
RecipeName = Annotated[str, Field(max_length=40)]


class PinnedArtifact(Model):
    """An artifact and its resolved digest."""

    uri: Annotated[str, Field(max_length=512)] = Field(
        description="The uri from the EdgeModel's spec."
    )
    digest: Digest = Field(description="Digest of the manifest.")
    image: Annotated[str, Field(max_length=512)] | None = Field(
        default=None,
        description="HOST/REPOSITORY of the image that it was fetched into; unset for oci images.",
    )
    pull_secret_name: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Name of the Secret in this namespace to pull the image with."
    )


class EvaluationPlan(Model):
    """The part of EdgeModel.spec.evaluation that a build depends on."""

    dataset: PinnedArtifact = Field(description="The data set.")
    metric: Metric = Field(description="How quality is measured.")
    calibration_samples: Int = Field(ge=1, description="Samples for static quantization.")
    golden_samples: Int = Field(ge=1, description="Samples that agents replay on devices.")

    def assessed(self, samples: int) -> AssessedDataset:
        """Return what the assessment records for a fitting data set with this many samples."""
        return AssessedDataset(
            digest=self.dataset.digest,
            metric=self.metric,
            calibration_samples=self.calibration_samples,
            golden_samples=self.golden_samples,
            samples=samples,
        )


class ModelVariantSpec(Model):
    """What is built and measured. It is immutable: a different build has a different name."""

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule("self == oldSelf", "spec can't be changed: a different build is another ModelVariant"),
    )

    edge_model_name: DnsLabel = Field(description="Name of the EdgeModel, in the same namespace.")
    hardware_class_name: DnsLabel = Field(description="Name of the HardwareClass.")
    engine: EngineName = Field(description="The engine that builds and runs the model.")
    engine_version: Annotated[str, Field(max_length=40)] = Field(
        description="Version of the engine."
    )
    build_key: BuildKey = Field(
        description="Hash of everything the builds depend on; variants with equal keys share builds."
    )
    source: PinnedArtifact = Field(description="The model.")
    evaluation: EvaluationPlan = Field(description="How its quality is measured.")
    recipe_set: Annotated[str, Field(max_length=40)] = Field(
        description="Name and version of the recipes."
    )
    max_recipes: Int = Field(ge=1, description="Maximum number of recipes to try.")
    limits: ResourceLimits = Field(description="Limits that the builds are measured under.")


class StageOutcome(StrEnum):
    """The outcome of a stage, or its state while it has none."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class StageStatus(Model):
    """One stage of the optimization job, as its containers report it."""

    name: Stage = Field(description="Name of the stage.")
    outcome: StageOutcome = Field(default=StageOutcome.PENDING, description="Outcome of the stage.")
    start_time: Time | None = Field(default=None, description="When its container started.")
    completion_time: Time | None = Field(default=None, description="When its container ended.")
    message: Message = Field(default="", description="What the stage reports about its work.")


class Interval(Model):
    """An estimate and its 95 % confidence interval, as decimal strings."""

    value: Decimal = Field(description="The estimate.")
    low: Decimal = Field(description="Lower end of the interval.")
    high: Decimal = Field(description="Upper end of the interval.")


class RecipeOutcome(StrEnum):
    """The outcome of a recipe."""

    MEASURED = "Measured"
    NOT_SUPPORTED = "NotSupported"
    FAILED = "Failed"


class RecipeResult(Model):
    """The result of one recipe. Ratios compare it with the unoptimized source in float32."""

    recipe: RecipeName = Field(description="Name of the recipe.")
    precision: Precision = Field(description="Number format of the weights.")
    outcome: RecipeOutcome = Field(
        default=RecipeOutcome.MEASURED, description="Outcome of the recipe."
    )
    bytes: int = Field(default=0, description="Size of the model's files, in bytes.")
    quality: Interval | None = Field(default=None, description="Quality ratio.")
    cosine: Interval | None = Field(
        default=None,
        description="Mean cosine to the baseline's answers; metric NearestNeighbors only.",
    )
    movement: Interval | None = Field(
        default=None,
        description="How far the outputs move from the source's, of the one that moves the most: the root mean"
        " square difference divided by the spread of the source's answers. Integers and text are names, each as"
        " far from any other.",
    )
    speedup: Interval | None = Field(
        default=None, description="p50 latency of the baseline divided by that of the build."
    )
    memory_reduction: Interval | None = Field(
        default=None,
        description="Share of the baseline's memory increment saved; may be negative.",
    )
    p50_milliseconds: Decimal | None = Field(
        default=None, description="Median latency of one inference, in milliseconds."
    )
    memory_bytes: int = Field(
        default=0, description="Peak memory above that of the empty runtime, in bytes."
    )
    batching: Bool = Field(
        default=False,
        description="Whether answers in a full batch are as good as those to single requests.",
    )
    cut_short: Bool = Field(
        default=False,
        description="Whether it was measured only as far as the choice needed. Other gates or weights need more.",
    )
    message: Message = Field(
        default="",
        description="Why the recipe failed, is not supported or was not measured further.",
    )


class GateOutcome(StrEnum):
    """The outcome of a gate. Marginal: the interval contains the threshold after all measurements."""

    PASS = "Pass"  # noqa: S105 - not a password
    FAIL = "Fail"
    MARGINAL = "Marginal"


class GateResult(Model):
    """The result of one gate for one build."""

    name: Annotated[str, Field(max_length=40)] = Field(description="Name of the gate.")
    required: Bool = Field(
        description="Whether the gate can reject a build. A goal (false) is only reported."
    )
    threshold: Decimal = Field(description="The threshold to meet.")
    outcome: GateOutcome = Field(description="Whether the build meets it.")
    observed: Interval | None = Field(
        default=None, description="The measured value; unset if it was not measured."
    )
    message: Message = Field(default="", description="The result in a sentence, for people.")


class VariantArtifact(Model):
    """The certified build in the registry: an image that holds only its files."""

    image: Annotated[str, Field(max_length=512)] = Field(
        description="The image by digest, HOST/REPOSITORY@sha256:..."
    )
    digest: Digest = Field(description="Digest of the manifest.")


class Certificate(Model):
    """What was proven about the chosen build. In this release the certificate is not signed."""

    model_digest: Digest = Field(description="Digest of the served model file.")
    dataset_digest: Digest = Field(description="Digest of the data set that certified the build.")
    engine_version: Annotated[str, Field(max_length=40)] = Field(
        description="Version of the engine."
    )
    baseline: Annotated[str, Field(max_length=80)] = Field(
        description="Engine, version and precision of the baseline."
    )
    certified: RecipeResult = Field(
        description="Result of a second measurement, on a split that was not used to choose."
    )
    issue_time: Time = Field(description="When the build was certified.")


class ModelVariantStatus(Model):
    """What the optimization job reported. The registry holds the full report with the artifact."""

    observed_generation: int = Field(
        default=0, description="metadata.generation that this status was written for."
    )
    job_name: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Name of the optimization job."
    )
    gates_key: Annotated[str, Field(max_length=16)] | None = Field(
        default=None,
        description="Hash of the gates that chose. Changed gates are applied to the same results.",
    )
    node_name: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Node that the builds were measured on."
    )
    stages: Annotated[tuple[StageStatus, ...], Field(max_length=8), ListMap(("name",))] = Field(
        default=(), description="The stages of the job, in order."
    )
    recipe_results: Annotated[
        tuple[RecipeResult, ...], Field(max_length=32), ListMap(("recipe",))
    ] = Field(default=(), description="The result of each recipe.")
    chosen: RecipeName | None = Field(
        default=None, description="The chosen recipe; unset if none passed the required gates."
    )
    front: Annotated[tuple[RecipeName, ...], Field(max_length=32)] = Field(
        default=(),
        description="Recipes that no other of these beats in speed, quality and memory at once.",
    )
    gates: Annotated[tuple[GateResult, ...], Field(max_length=8), ListMap(("name",))] = Field(
        default=(), description="Gates of the certified build, or of the nearest miss."
    )
    artifact: VariantArtifact | None = Field(default=None, description="The certified build.")
    certificate: Certificate | None = Field(
        default=None, description="What was proven about the certified build."
    )
    reused: Bool = Field(
        default=False, description="Whether finished results were found in the registry."
    )
    conditions: Conditions = Field(
        default=(),
        description="Certified: whether a build passed the gates. Reconciling and Stalled only while"
        " they are true.",
    )


class ModelVariant(Resource):
    """What one engine made of a model for one hardware class: stages, results, gates, certificate."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="modelvariants",
        short="mv",
        scope="Namespaced",
        columns=(
            Column("Model", ".spec.edgeModelName"),
            Column("Class", ".spec.hardwareClassName"),
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
