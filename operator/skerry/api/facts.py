"""Facts about a device's hardware: what its agent finds, and what the nodes of a class have in common.

A fact that can't be found is absent, never guessed: no field has a default that means something.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from skerry.api.common import Model, cut
from skerry.api.rules import ListMap

X86_FEATURES = (
    "avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16",
    "avx512_fp16", "amx_int8", "amx_bf16", "amx_fp16",
)  # fmt: skip
ARM_FEATURES = ("neon", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme")
CPU_FEATURES = (*X86_FEATURES, *ARM_FEATURES)
"""Instructions that engines choose kernels by, in the words of Linux (/proc/cpuinfo)."""

MOST_ACCELERATORS = 8

FactName = Annotated[str, Field(max_length=96), BeforeValidator(cut(96))]
Feature = Annotated[str, Field(max_length=40)]


class AcceleratorKind(StrEnum):
    """Accelerators that an engine of the decision matrix is for."""

    NVIDIA_GPU = "NvidiaGpu"
    JETSON_GPU = "JetsonGpu"
    INTEL_GPU = "IntelGpu"
    INTEL_NPU = "IntelNpu"
    EDGE_TPU = "EdgeTpu"


class PowerSource(StrEnum):
    """What feeds the device."""

    MAINS = "Mains"
    BATTERY = "Battery"


class LinkKind(StrEnum):
    """What carries the device's default route."""

    WIRED = "Wired"
    WIRELESS = "Wireless"
    CELLULAR = "Cellular"


class CpuFacts(Model):
    """The processor. Caches are those of one core (L3: of one group of cores); the least where cores differ."""

    vendor: FactName | None = Field(default=None, description="Who made it, such as Intel or Arm.")
    model: FactName | None = Field(
        default=None, description="Its name; of several sorts of cores all, joined by `+`."
    )
    features: Annotated[tuple[Feature, ...], Field(max_length=32)] = Field(
        default=(),
        description="Instructions that every core has and that matter to engines, in Linux's words,"
        " such as avx512_vnni.",
    )
    physical_cores: int | None = Field(default=None, description="Cores that may be used.")
    logical_cores: int | None = Field(
        default=None, description="Hardware threads that may be used: online and not isolated."
    )
    l1_data: int | None = Field(default=None, description="Level 1 data cache in bytes.")
    l2: int | None = Field(default=None, description="Level 2 cache in bytes.")
    l3: int | None = Field(default=None, description="Level 3 cache in bytes.")


class Accelerator(Model):
    """Accelerators of one sort."""

    kind: AcceleratorKind = Field(description="What it is.")
    model: FactName = Field(
        default="", description="Its name, or vendor and device as PCI or USB number them."
    )
    count: int = Field(default=1, description="How many of them there are.")
    driver: FactName | None = Field(
        default=None, description="The kernel's driver that holds it; absent while none does."
    )


class Power(Model):
    """What feeds the device."""

    source: PowerSource = Field(description="Mains or Battery, as it is now.")
    battery_percent: int | None = Field(
        default=None, description="Charge of the batteries in steps of 20; absent without one."
    )


class Link(Model):
    """The interface of the node's default route."""

    interface: Annotated[str, Field(max_length=32)] = Field(description="Its name.")
    kind: LinkKind | None = Field(default=None, description="What it is, where the kernel tells.")
    megabits: int | None = Field(default=None, description="Its speed in Mbit/s, where known.")


class DeviceFacts(Model):
    """What the agent found on its device; absent is what could not be found."""

    architecture: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="The kernel's architecture in Kubernetes' words."
    )
    cpu: CpuFacts | None = Field(default=None, description="The processor.")
    memory: int | None = Field(default=None, description="Memory in bytes.")
    accelerators: Annotated[tuple[Accelerator, ...], Field(max_length=MOST_ACCELERATORS)] = Field(
        default=(), description="Accelerators that the kernel sees."
    )
    power: Power | None = Field(default=None, description="What feeds the device.")
    link: Link | None = Field(default=None, description="How it reaches the network.")


class Share(Model):
    """A value, and how many nodes have it."""

    value: FactName = Field(description="What they have.")
    nodes: int = Field(description="How many nodes have it.")


class Span(Model):
    """From the least to the most of all nodes."""

    least: int = Field(description="Of the node that has least.")
    most: int = Field(description="Of the node that has most.")


Shares = Annotated[tuple[Share, ...], Field(max_length=16), ListMap(("value",))]


class ClassFacts(Model):
    """Facts of a class's nodes summed up; of nodes whose agent has reported them."""

    reported: int = Field(description="Nodes whose agent has reported facts.")
    architectures: Shares = Field(default=(), description="CPU architectures.")
    cpus: Shares = Field(default=(), description="Processors by name, the most frequent first.")
    features: Annotated[tuple[Feature, ...], Field(max_length=32)] = Field(
        default=(), description="Instructions that all of them have."
    )
    partial_features: Annotated[tuple[Share, ...], Field(max_length=32), ListMap(("value",))] = (
        Field(default=(), description="Instructions that only some of them have.")
    )
    physical_cores: Span | None = Field(default=None, description="Cores that may be used.")
    logical_cores: Span | None = Field(default=None, description="Hardware threads.")
    memory: Span | None = Field(default=None, description="Memory in bytes.")
    l1_data: Span | None = Field(default=None, description="Level 1 data cache in bytes.")
    l2: Span | None = Field(default=None, description="Level 2 cache in bytes.")
    l3: Span | None = Field(default=None, description="Level 3 cache in bytes.")
    accelerators: Shares = Field(
        default=(), description="Accelerators by kind, and how many nodes have one."
    )
    power: Shares = Field(default=(), description="What feeds them now.")
    links: Shares = Field(default=(), description="Kinds of links.")
