"""The JSON files that the stages of a job write for each other, and those that lie with a certified model.

`skerry.jobs.scratch` says where they lie. None of these are Kubernetes kinds; they share the models of
recipe results and gates with them.
"""

from __future__ import annotations

from pydantic import Field

from skerry.api.common import Message, Model
from skerry.api.modelvariant import GateResult, Interval, RecipeOutcome, RecipeResult
from skerry.precision import Precision


class CandidateFile(Model):
    """candidate.json next to a built candidate."""

    recipe: str
    precision: Precision
    outcome: RecipeOutcome
    bytes: int = 0
    message: Message = ""
    place: int = Field(default=0, description="In the order of making: the most promising first.")


class Blocks(Model):
    """Raw measurements of one recipe result against the baseline."""

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
    movements: dict[str, Interval] = Field(
        default={}, description="How far each output moves from the source's, by name."
    )


class MeasuredRecipe(Model):
    """A recipe result with the blocks behind it."""

    result: RecipeResult
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
    """skerry.json in the artifact: what the runtime needs in addition to the model file."""

    engine: str
    engine_version: str
    recipe: str
    precision: Precision
    batching: bool
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    tolerance: Tolerance
    certified: RecipeResult
    whole: tuple[str, ...] = Field(
        default=(),
        description="Tensors whose first axis is not the samples: a request is computed as it came.",
    )


class Screening(Model):
    """screening.json: what the stage `quality` found of every candidate, at full speed."""

    recipe_results: tuple[MeasuredRecipe, ...]
    baseline_peaks: tuple[int, ...] = Field(
        description="Of the process that all were raced against."
    )


class Validation(Model):
    """validation.json: what the validation stage found."""

    recipe_results: tuple[MeasuredRecipe, ...]
    baseline: str = Field(
        default="", description="Engine, version and precision of what was compared with."
    )
    chosen: str | None = Field(
        default=None, description="Recipe; none when no recipe result passes the required gates."
    )
    certified: MeasuredRecipe | None = Field(
        default=None, description="The chosen one, measured on other samples."
    )
    served: ServedModel | None = Field(
        default=None, description="skerry.json of the certified one; golden.npz lies next to it."
    )
    front: tuple[str, ...] = Field(
        default=(), description="Recipes on the Pareto front of speed, quality and memory."
    )
    gates: tuple[GateResult, ...] = Field(
        default=(), description="Of the certified recipe result, or of the nearest miss."
    )
    message: Message = ""


class BaselineFile(Model):
    """baseline.json: the unoptimized source in float32, on this device."""

    engine_version: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    whole: tuple[str, ...] = Field(
        default=(), description="Tensors whose first axis is not the samples."
    )
    p50_milliseconds: float
    empty_peaks: tuple[int, ...]
    baseline_peaks: tuple[int, ...]
    anonymous_bytes: int


class JudgedFile(Model):
    """quality/SPLIT/RECIPE.json: what the stage `quality` found of one candidate on one split.

    `seen` of `count` samples were judged: all, or those before a required gate had failed.
    `failure` says why a candidate can't be judged at all; the rest is empty then.
    """

    count: int
    seen: int = 0
    quality: Interval | None = None
    cosine: Interval | None = None
    kept: int = 0
    of: int = 0
    movements: dict[str, Interval] = Field(
        default={}, description="How far each output moves from the source's, by name."
    )
    batching: bool = False
    peaks: tuple[int, ...] = Field(
        default=(), description="Peak memory of fresh processes, where the split certifies; bytes."
    )
    failure: str = ""

    @property
    def movement(self) -> Interval | None:
        """That of the output that moves the most."""
        return max(self.movements.values(), key=lambda one: float(one.high), default=None)
