"""How an engine ranks itself for the devices of a class: values that it brings, and how one is found.

The ranking is a shortlist: the engines that are installed all build, and measuring on the class chooses
between their builds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from skerry.models.assess import Family


class Hardware(StrEnum):
    """A kind of hardware that engines rank themselves for; the value is for people."""

    X86 = "x86 CPUs"
    ARM = "ARM CPUs"
    NVIDIA = "NVIDIA GPUs"
    APPLE = "Apple Silicon"
    EDGE_TPU = "the Edge TPU"
    NPU = "NPUs"
    OTHER = "any CPU"


ACCELERATORS = {
    "nvidia": Hardware.NVIDIA,
    "apple": Hardware.APPLE,
    "edgetpu": Hardware.EDGE_TPU,
    "npu": Hardware.NPU,
}
"""By the beginning of a feature's name."""

ARCHITECTURES = {"amd64": Hardware.X86, "arm64": Hardware.ARM, "arm": Hardware.ARM}


def hardware_of(architecture: str, features: Sequence[str]) -> Hardware:
    """Return what a device is ranked as: its accelerator, else its CPU."""
    named = [feature.replace("_", "") for feature in features]
    for prefix, hardware in ACCELERATORS.items():
        if any(feature.startswith(prefix) for feature in named):
            return hardware
    return ARCHITECTURES.get(architecture, Hardware.OTHER)


@dataclass(frozen=True)
class Rank:
    """Where an engine stands for one kind of hardware.

    Attributes:
        hardware: What it is for.
        place: 1 is the first choice.
        why: In words, for people.
        families: The families of models that this is true of; empty for all.
    """

    hardware: Hardware
    place: int
    why: str
    families: frozenset[Family] = field(default=frozenset())


def rank_among(ranks: Iterable[Rank], hardware: Hardware, family: str) -> Rank | None:
    """Return the best rank for the hardware and the family of model; None without one."""
    fitting = [
        rank
        for rank in ranks
        if rank.hardware is hardware and (not rank.families or family in rank.families)
    ]
    return min(fitting, key=lambda rank: rank.place, default=None)
