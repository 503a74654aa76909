"""`EdgeModel.status.targets[]`: how the build and the rollout of a model for one hardware class are.

It holds counts and the first few offenders, never a list of nodes, so that it stays small for any fleet.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from skerry.api.actions import MARK_LENGTH
from skerry.api.common import (
    MOST_ENGINES,
    MOST_RANKS,
    Bool,
    DnsLabel,
    EngineName,
    Message,
    Model,
    Note,
    Ratio,
    Reason,
    RevisionName,
    Time,
    cut,
)
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


class EngineRank(Model):
    """One row of the ranking of engines for a class."""

    engine: Annotated[str, Field(max_length=40)] = Field(description="Name of the engine.")
    installed: Bool = Field(description="This installation has the engine.")
    reason: Annotated[str, Field(max_length=160), BeforeValidator(cut(160))] = Field(
        description="Why it has this place in the ranking."
    )


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
    """The progress of a rollout over a class, as a report of `spec.wave` of the ModelRoute."""

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
        tuple[EngineBuildStatus, ...], Field(max_length=MOST_ENGINES), ListMap(("engine",))
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
    stalled: Bool = Field(
        default=False, description="It stays in this state until a person changes something."
    )
    engines: Annotated[
        tuple[EngineRank, ...], Field(max_length=MOST_RANKS), ListMap(("engine",))
    ] = Field(default=(), description="Engines ranked for this class, best first.")
    constraints: Annotated[tuple[Note, ...], Field(max_length=2)] = Field(
        default=(),
        description="Power and network constraints of the class, and their consequences.",
    )
    build: BuildStatus = Field(default=BuildStatus(), description="The build for this class.")
    rollout: RolloutStatus = Field(
        default=RolloutStatus(), description="The rollout over the nodes of this class."
    )
