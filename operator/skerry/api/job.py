"""What goes into an optimisation job and what comes back: its plan, its files, its summary.

None of these are Kubernetes kinds. They live with the API models because operator and job images
both use them, and because they share the models of trials, gates and limits.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from skerry.api.common import Digest, EngineName, Message, Model, ResourceLimits
from skerry.api.edgemodel import Gates, Weights
from skerry.api.modelvariant import (
    EvaluationPlan,
    GateResult,
    PinnedArtifact,
    Trial,
    TrialOutcome,
    VariantArtifact,
)
from skerry.precision import Precision

BASELINE_ENGINE = "OnnxRuntime"
"""Every engine is compared with the source in float32 on this one: else their ratios could not be
compared with each other (docs/adr/0013)."""


class RegistryAccess(Model):
    """Where the job pushes. Credentials, if any, are a mounted docker config."""

    address: str = Field(description="HOST[:PORT]")
    repository: str = Field(description="Repository to push to, without the host.")
    insecure: bool = Field(default=False, description="Plain HTTP.")
    docker_config: str | None = Field(default=None, description="Path of a mounted config.json.")


class AssessPlan(Model):
    """Everything that an assessing job needs to know; passed as JSON in SKERRY_ASSESS_PLAN."""

    source_digest: Digest
    evaluation: EvaluationPlan
    engine: EngineName
    assessment_key: str = Field(description="64 hex digits; see skerry.decide.identity.")
    registry: RegistryAccess


class JobPlan(Model):
    """Everything that an optimisation job needs to know; passed as JSON in SKERRY_PLAN."""

    edge_model: str
    namespace: str
    hardware_class: str
    features: tuple[str, ...] = ()
    node: str | None = None
    build_key: str = Field(description="64 hex digits; see skerry.decide.identity.")
    evidence_key: str = Field(description="64 hex digits: build key, limits, gates and weights.")
    engine: EngineName
    engine_version: str
    recipe_set: str
    baseline_engine: EngineName = BASELINE_ENGINE
    source: PinnedArtifact
    evaluation: EvaluationPlan
    trials: int
    limits: ResourceLimits
    gates: Gates
    weights: Weights
    registry: RegistryAccess


class CandidateFile(Model):
    """candidate.json beside a built candidate."""

    recipe: str
    precision: Precision
    outcome: TrialOutcome
    bytes: int = 0
    message: Message = ""


class Blocks(Model):
    """Raw measurements of one trial against the baseline."""

    baseline_milliseconds: tuple[tuple[float, ...], ...] = Field(
        default=(), description="One tuple of call latencies per block."
    )
    candidate_milliseconds: tuple[tuple[float, ...], ...] = ()
    baseline_memory_bytes: tuple[int, ...] = Field(
        default=(), description="Peak increment, one per process."
    )
    candidate_memory_bytes: tuple[int, ...] = ()
    quality_kept: int = 0
    quality_of: int = 0


class MeasuredTrial(Model):
    """A trial with the blocks behind it."""

    trial: Trial
    blocks: Blocks = Blocks()


class TensorInfo(Model):
    """A tensor of the served model; -1 is a free axis."""

    name: str
    datatype: str = Field(description="Open Inference Protocol: FP32, INT64, ...")
    shape: tuple[int, ...]


class Tolerance(Model):
    """How near an answer on a device must be to the certified one."""

    absolute: float
    relative: float
    cosine: float | None = None


class ServedModel(Model):
    """skerry.json in the artifact: what the runtime needs beside the model file."""

    engine: str
    engine_version: str
    recipe: str
    precision: Precision
    batching: bool
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    tolerance: Tolerance
    certified: Trial


class Validation(Model):
    """validation.json: what the validation stage found."""

    trials: tuple[MeasuredTrial, ...]
    baseline: str = Field(
        default="", description="Engine, version and precision of what was compared with."
    )
    chosen: str | None = Field(
        default=None, description="Recipe; none when no trial passes the required gates."
    )
    certified: MeasuredTrial | None = Field(
        default=None, description="The chosen one, measured afresh."
    )
    served: ServedModel | None = Field(
        default=None, description="skerry.json of the certified one; golden.npz lies beside."
    )
    front: tuple[str, ...] = Field(
        default=(), description="Recipes on the Pareto front of speed, quality and memory."
    )
    gates: tuple[GateResult, ...] = Field(
        default=(), description="Of the certified trial, or of the nearest miss."
    )
    message: Message = ""


class JobSummary(Model):
    """Termination message of the pack stage: at most 4096 bytes of JSON."""

    trials: Annotated[tuple[Trial, ...], Field(max_length=32)] = ()
    chosen: str | None = None
    certified: Trial | None = None
    gates: tuple[GateResult, ...] = ()
    artifact: VariantArtifact | None = None
    model_digest: Digest | None = None
    baseline: str = ""
    engine_version: str = ""
    reused: bool = False
    hardware_class: str = Field(default="", description="Class that it was measured on.")
    node: str = Field(default="", description="Node that it was measured on.")
    message: Message = ""

    def in_image(self, registry: RegistryAccess, digest: str) -> JobSummary:
        """The summary with its artifact, where a build was chosen: it can't name the image that it is part of."""
        if self.chosen is None:
            return self
        image = f"{registry.address}/{registry.repository}@{digest}"
        return self.model_copy(update={"artifact": VariantArtifact(image=image, digest=digest)})
