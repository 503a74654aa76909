"""`EdgeModel`: a model for the fleet. The user writes `spec`, the operator `status`.

Everything but `source`, `evaluation` and `targets` has a default that stops a bad rollout. The
evaluation's, the rollout's and the guard's parts of the spec are in `skerry.api.evaluation`, `rollout` and
`guard`, the status in `skerry.api.edgemodel_status` and `target_status`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.actions import ANNOTATION_RETRY
from skerry.api.artifact import Artifact, Role
from skerry.api.common import (
    Bool,
    Column,
    DnsLabel,
    Duration,
    EngineName,
    Int,
    KindInfo,
    MemoryQuantity,
    Model,
    Ratio,
    Resource,
    ResourceLimits,
    Times,
)
from skerry.api.edgemodel_status import (
    Address,
    ArtifactStatus,
    AssessedDataset,
    Assessment,
    EdgeModelStatus,
    HistoryEntry,
    JobSlot,
    Outcome,
    Rejection,
)
from skerry.api.evaluation import Evaluation
from skerry.api.guard import DEFAULT_RULES, Guard, GuardMetric, GuardRule
from skerry.api.rollout import Promotion, Rollout, Standby, Wave
from skerry.api.rules import ListMap, Rule
from skerry.api.target_status import (
    BuildPhase,
    BuildStatus,
    CatchingUp,
    EngineBuildStatus,
    EngineRank,
    FrontEntry,
    NodeCounts,
    Phase,
    RolloutStatus,
    TargetStatus,
    WaveStatus,
)
from skerry.api.units import parse_ratio

MAX_NAME_LENGTH = 40


AUTO = "Auto"
"""Leaves the choice of the engine to the ranking of the class and to measurement."""


class Target(Model):
    """One hardware class that the model runs on."""

    hardware_class_name: DnsLabel = Field(
        description="Name of a HardwareClass; each can be named once. The class may be created later."
    )
    engine: EngineName = Field(
        default=AUTO,
        description="The engine that builds and runs the model on this class, such as ONNXRuntime or"
        " OpenVINO. Auto: every installed engine that suits the class builds, and the operator chooses"
        " the best build by optimization.search.weights.",
    )


class Weights(Model):
    """How builds that pass every required gate are compared; only the proportions count."""

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "double(self.speed) + double(self.quality) + double(self.memory) > 0.0",
            "at least one weight must be above 0",
            lambda weights: any(
                parse_ratio(text) > 0 for text in (weights.speed, weights.quality, weights.memory)
            ),
        ),
    )

    speed: Ratio = Field(default="0.4", description="Weight of p50 speed-up.")
    quality: Ratio = Field(default="0.3", description="Weight of quality.")
    memory: Ratio = Field(default="0.3", description="Weight of memory saved.")


class Search(Model):
    """Bounds of the search for the best build."""

    max_recipes: Int = Field(
        default=8, ge=1, le=32, description="Maximum number of recipes that each engine tries."
    )
    time_limit: Duration = Field(
        default="30m",
        description="Deadline of the optimization job. After 60 % of it the job tries no further recipes"
        " and certifies the best build so far.",
    )
    weights: Weights = Field(default=Weights(), description="How builds are compared.")


class Optimization(Model):
    """How the best build is searched for."""

    search: Search = Field(default=Search(), description="Bounds of the search.")


class GateProfile(StrEnum):
    """Thresholds of the gates that are not set here.

    Standard: a build must pass the quality gate, and be no slower and use no more memory than the
    baseline. Missing the goals, 2.0x and 50 %, is only reported.
    Strict: the goals are required too.
    """

    STANDARD = "Standard"
    STRICT = "Strict"


class Gates(Model):
    """What a build must meet, compared with the baseline: the unoptimized source in float32.

    Every threshold that is set here is required. A gate passes when the whole 95 % confidence
    interval of the measurement meets its threshold. If no build passes, nothing is rolled out and
    the current revision keeps serving.
    """

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "double(self.quality) <= 1.0 && double(self.quality) > 0.0",
            "must be above 0 and at most 1: it is a ratio to the baseline's quality",
            lambda gates: 0 < parse_ratio(gates.quality) <= 1,
            "quality",
        ),
        Rule(
            "!has(self.memoryReduction) || double(self.memoryReduction) < 1.0",
            "must be below 1: it is the share of memory saved, such as 0.4",
            lambda gates: gates.memory_reduction is None or parse_ratio(gates.memory_reduction) < 1,
            "memoryReduction",
        ),
    )

    profile: GateProfile = Field(default=GateProfile.STANDARD)
    quality: Ratio = Field(
        default="0.95",
        description="Minimum ratio to the baseline's quality, above 0 and at most 1.",
    )
    movement: Ratio = Field(
        default="0.25",
        description="Maximum movement of any output from the source's, relative to the spread of the source's own"
        " answers. It bounds the error of scores that callers compare with a threshold, which quality does not.",
    )
    speedup: Times | None = Field(
        default=None, description="Minimum p50 speed-up, such as 1.5x. Unset: the profile's."
    )
    memory_reduction: Ratio | None = Field(
        default=None,
        description="Minimum share of the baseline's memory increment saved, from 0 to below 1."
        " Unset: the profile's.",
    )
    artifact_size: MemoryQuantity | None = Field(
        default=None,
        description="Maximum size of the model's files, such as 100Mi. Unset: no limit.",
    )
    allow_marginal: Bool = Field(
        default=False,
        description="Accept a build whose interval still contains a gate's threshold after the maximum"
        " number of measurements.",
    )


class ServingResources(Model):
    """Kubernetes resources of the serving container."""

    limits: ResourceLimits = Field(
        default=ResourceLimits(),
        description="Limits of the serving container. After a change the builds are measured again"
        " under the new limits, which makes a new revision.",
    )


class Serving(Model):
    """How a revision is served on each node. A change makes a new revision, rolled out in waves."""

    resources: ServingResources = Field(
        default=ServingResources(), description="Resources of the serving container."
    )


class EdgeModelSpec(Model):
    """The desired state. Everything but source, evaluation and targets has a safe default."""

    source: Artifact = Field(
        description="The model to serve: an image or a folder with model.onnx in its root, or a"
        " single .onnx file of any name."
    )
    evaluation: Evaluation = Field(description="How the model's quality is measured.")
    targets: Annotated[
        tuple[Target, ...], Field(min_length=1, max_length=32), ListMap(("hardware_class_name",))
    ] = Field(
        description="The hardware classes to run on. Each class gets its own build, measured on that"
        " hardware, and is rolled out and rolled back independently."
    )
    optimization: Optimization = Field(
        default=Optimization(), description="How the best build is searched for."
    )
    gates: Gates = Field(default=Gates())
    serving: Serving = Field(default=Serving())
    rollout: Rollout = Field(default=Rollout())
    guard: Guard = Field(default=Guard())
    suspend: Bool = Field(
        default=False,
        description="Pause builds and rollouts: no new build, candidate, wave or promotion. The current"
        " revision keeps serving, nodes that have a candidate finish their steps, and the guard still"
        " rolls back a worse candidate.",
    )

    @property
    def artifacts(self) -> dict[Role, Artifact]:
        """Return what has to be resolved before anything can be built, by role."""
        return {Role.SOURCE: self.source, Role.DATASET: self.evaluation.dataset}


class EdgeModel(Resource):
    """Keeps the right, proven build of one model on every node of the named hardware classes."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="edgemodels",
        short="em",
        scope="Namespaced",
        columns=(
            Column("Phase", ".status.phase"),
            Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            Column("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
            Column("Updated", ".status.targets[*].rollout.nodes.updated"),
            Column("Message", ".status.conditions[?(@.type=='Ready')].message", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    )
    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"size(self.metadata.name) <= {MAX_NAME_LENGTH}",
            f"metadata.name must be at most {MAX_NAME_LENGTH} characters:"
            " it becomes part of pod names",
            lambda model: len(model.metadata.name) <= MAX_NAME_LENGTH,
        ),
        Rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name must be a DNS label (a lower-case letter, then letters, digits and '-',"
            " no dots): it becomes http://NAME.NAMESPACE.svc",
            lambda model: re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", model.metadata.name),
        ),
    )

    kind: str = "EdgeModel"
    spec: EdgeModelSpec
    status: EdgeModelStatus = EdgeModelStatus()


__all__ = [
    "ANNOTATION_RETRY",
    "AUTO",
    "DEFAULT_RULES",
    "MAX_NAME_LENGTH",
    "Address",
    "Artifact",
    "ArtifactStatus",
    "AssessedDataset",
    "Assessment",
    "BuildPhase",
    "BuildStatus",
    "CatchingUp",
    "EdgeModel",
    "EdgeModelSpec",
    "EdgeModelStatus",
    "EngineBuildStatus",
    "EngineRank",
    "Evaluation",
    "FrontEntry",
    "GateProfile",
    "Gates",
    "Guard",
    "GuardMetric",
    "GuardRule",
    "HistoryEntry",
    "JobSlot",
    "NodeCounts",
    "Optimization",
    "Outcome",
    "Phase",
    "Promotion",
    "Rejection",
    "Rollout",
    "RolloutStatus",
    "Search",
    "Serving",
    "ServingResources",
    "Standby",
    "Target",
    "TargetStatus",
    "Wave",
    "WaveStatus",
    "Weights",
]
