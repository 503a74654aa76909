"""The containers of each job, in the order in which they run. To add a stage is one entry here and its function.

Everything else follows: the containers that the operator renders, the share of the pod's termination
messages, the stages of `ModelVariant.status`, which memory limit people are advised to raise, and which
function the command runs in the image.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from skerry.stage import Stage

POD_MESSAGE_BYTES = 12 * 1024
"""What the kubelet keeps of the termination messages of all containers of a pod, in equal shares."""
CONTAINER_MESSAGE_BYTES = 4096
"""What a container may write at most."""
OTHER_CONTAINERS = 3
"""Containers in addition to the stages: two that pull source and data set themselves, and a service mesh's."""


class StageImage(StrEnum):
    """The image that a stage runs in. The value is the Python package that runs its stages."""

    OPTIMIZER = "skerry_optimizer"
    RUNTIME = "skerry_runtime.measure"
    FETCHER = "skerry_fetcher"


class StageLimits(StrEnum):
    """The limits that a stage runs under. The value says where to raise its memory."""

    BUILDS = "the chart's builds.resources.memory"
    SERVING = "spec.serving.resources.limits.memory"
    SOURCES = "the chart's sources.resources.memory"


class StageSpec(NamedTuple):
    """One container of a job.

    It is no dataclass, because importing `dataclasses` makes a container with nothing to do start a third slower.

    Attributes:
        name: Of the container.
        argument: Of the command; it names the stage in its image.
        image: The image that it runs in.
        program: `module:function` in that image.
        limits: The limits that it runs under.
        shown_as: The stage of `ModelVariant.status` that it is a part of; None when people do not see it.
        builds: It makes candidates. It is skipped where an earlier job with the same build key made them.
        full_speed: It measures with the builds' CPU, in the memory that measuring needs.
        registry: It speaks to Skerry's registry. No other stage is given the credentials to push.
    """

    name: str
    argument: str
    image: StageImage
    program: str
    limits: StageLimits = StageLimits.BUILDS
    shown_as: Stage | None = None
    builds: bool = False
    registry: bool = False
    full_speed: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """The command of the container."""
        return ("python3", "-m", self.image.value, self.argument)

    @property
    def needs_new_work(self) -> bool:
        """Whether there is nothing to do once finished work of an earlier job was found."""
        return self.builds or self.image is StageImage.RUNTIME


STAGES = (
    StageSpec(
        "find-finished", "find-finished", StageImage.OPTIMIZER,
        "skerry_optimizer.stages.find_finished:find_finished", registry=True,
    ),
    StageSpec(
        "baseline-measurement", "baseline", StageImage.RUNTIME,
        "skerry_runtime.measure.baseline:measure_baseline",
        limits=StageLimits.SERVING, shown_as=Stage.BASELINE_MEASUREMENT, full_speed=True,
    ),
    StageSpec(
        "format-conversion", "convert", StageImage.OPTIMIZER,
        "skerry_optimizer.stages.convert:convert",
        shown_as=Stage.FORMAT_CONVERSION, builds=True,
    ),
    StageSpec(
        "quantization", "quantize", StageImage.OPTIMIZER,
        "skerry_optimizer.stages.quantize:quantize",
        shown_as=Stage.QUANTIZATION, builds=True,
    ),
    StageSpec(
        "hardware-acceleration", "accelerate", StageImage.OPTIMIZER,
        "skerry_optimizer.stages.accelerate:accelerate",
        shown_as=Stage.HARDWARE_ACCELERATION, builds=True, registry=True,
    ),
    # No CPU limit changes an answer or a ratio of times, so candidates are raced with the builds' resources.
    StageSpec(
        "quality", "quality", StageImage.RUNTIME,
        "skerry_runtime.measure.screening:screen",
        shown_as=Stage.VALIDATION, full_speed=True,
    ),
    StageSpec(
        "validation", "validate", StageImage.RUNTIME,
        "skerry_runtime.measure.validate:validate",
        limits=StageLimits.SERVING, shown_as=Stage.VALIDATION,
    ),
    StageSpec(
        "pack", "pack", StageImage.OPTIMIZER,
        "skerry_optimizer.stages.pack:pack", registry=True,
    ),
)  # fmt: skip
"""Of the job that builds and measures one ModelVariant; the last one's message is the job's summary."""

ASSESS_STAGES = (
    StageSpec(
        "assess", "assess", StageImage.OPTIMIZER,
        "skerry_optimizer.stages.assess:assess",
    ),
)  # fmt: skip
"""Of the job that reads a source and its data set once."""

FETCH_STAGES = (
    StageSpec(
        "look", "look", StageImage.FETCHER,
        "skerry_fetcher.stages:look",
        limits=StageLimits.SOURCES,
    ),
    StageSpec(
        "fetch", "fetch", StageImage.FETCHER,
        "skerry_fetcher.stages:fetch",
        limits=StageLimits.SOURCES,
    ),
)  # fmt: skip
"""Of the job that brings a source or a data set into the registry."""

JOBS = (ASSESS_STAGES, STAGES, FETCH_STAGES)


def stage_named(container: str) -> StageSpec:
    """Return the stage of a container; KeyError if it is none of Skerry's."""
    return {spec.name: spec for job in JOBS for spec in job}[container]


def stages_in(image: StageImage) -> dict[str, StageSpec]:
    """Return the stages that an image runs, by the argument of its command."""
    return {spec.argument: spec for job in JOBS for spec in job if spec.image is image}


def message_bytes(stage: StageSpec) -> int:
    """Return the greatest length of a stage's termination message.

    The kubelet cuts the messages of a pod's containers to equal shares of what it keeps in all, whatever
    each of them has written.
    """
    containers = next(len(job) for job in JOBS if stage in job) + OTHER_CONTAINERS
    return min(CONTAINER_MESSAGE_BYTES, POD_MESSAGE_BYTES // containers)


def memory_setting(container: str) -> str:
    """Return where the memory limit of a job's container is set, in words."""
    limits = {spec.name: spec.limits for job in JOBS for spec in job}
    return limits.get(container, StageLimits.BUILDS).value


BASELINE_MEASUREMENT = stage_named("baseline-measurement")
QUALITY = stage_named("quality")
VALIDATION = stage_named("validation")
PACK = STAGES[-1]
(ASSESS,) = ASSESS_STAGES
LOOK, FETCH = FETCH_STAGES
