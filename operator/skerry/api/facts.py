"""Facts about a device's hardware, and a summary of them for the nodes of a class.

A fact that the agent can't detect is absent, never guessed. So no field has a default with a meaning.
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
"""Instruction sets that engines choose kernels by, as Linux names them (/proc/cpuinfo)."""

MOST_ACCELERATORS = 8

FactName = Annotated[str, Field(max_length=96), BeforeValidator(cut(96))]
Feature = Annotated[str, Field(max_length=40)]


class AcceleratorKind(StrEnum):
    """Accelerators that some engine can use."""

    NVIDIA_GPU = "NvidiaGPU"
    JETSON_GPU = "JetsonGPU"
    INTEL_GPU = "IntelGPU"
    INTEL_NPU = "IntelNPU"
    EDGE_TPU = "EdgeTPU"


class PowerSource(StrEnum):
    """The power source of the device."""

    MAINS = "Mains"
    BATTERY = "Battery"


class LinkKind(StrEnum):
    """The kind of the interface that carries the default route."""

    WIRED = "Wired"
    WIRELESS = "Wireless"
    CELLULAR = "Cellular"


class CpuFacts(Model):
    """The processor. Cache sizes are of one core (L3: of one group of cores); the smallest if cores differ."""

    vendor: FactName | None = Field(default=None, description="Vendor, such as Intel or Arm.")
    model: FactName | None = Field(
        default=None,
        description="Model name. If the cores differ, all their names joined by `+`.",
    )
    features: Annotated[tuple[Feature, ...], Field(max_length=32)] = Field(
        default=(),
        description="Instruction sets that engines use and every core has, as Linux names them, such as"
        " avx512_vnni.",
    )
    physical_cores: int | None = Field(default=None, description="Usable cores.")
    logical_cores: int | None = Field(
        default=None, description="Usable hardware threads: online and not isolated."
    )
    l1_data: int | None = Field(default=None, description="Level 1 data cache in bytes.")
    l2: int | None = Field(default=None, description="Level 2 cache in bytes.")
    l3: int | None = Field(default=None, description="Level 3 cache in bytes.")


class Accelerator(Model):
    """Accelerators of the same kind and model."""

    kind: AcceleratorKind = Field(description="Kind of accelerator.")
    model: FactName = Field(
        default="", description="Model name, or the PCI or USB vendor and device IDs."
    )
    count: int = Field(default=1, description="Number of accelerators.")
    driver: FactName | None = Field(
        default=None, description="Kernel driver that is bound to it; absent if none is."
    )


class Power(Model):
    """The power supply of the device."""

    source: PowerSource = Field(description="The current power source: Mains or Battery.")
    battery_percent: int | None = Field(
        default=None,
        description="Battery charge in percent, in steps of 20; absent without a battery.",
    )


class Link(Model):
    """The network interface that carries the node's default route."""

    interface: Annotated[str, Field(max_length=32)] = Field(description="Name of the interface.")
    kind: LinkKind | None = Field(
        default=None, description="Kind of the interface, if the kernel reports it."
    )
    megabits: int | None = Field(default=None, description="Speed in Mbit/s, if known.")


class DeviceFacts(Model):
    """Hardware that the agent detected. What it could not detect is absent."""

    architecture: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="The kernel's architecture, as Kubernetes names it."
    )
    cpu: CpuFacts | None = Field(default=None, description="The processor.")
    memory: int | None = Field(default=None, description="Memory in bytes.")
    accelerators: Annotated[tuple[Accelerator, ...], Field(max_length=MOST_ACCELERATORS)] = Field(
        default=(), description="Accelerators that the kernel lists."
    )
    power: Power | None = Field(default=None, description="The power supply of the device.")
    link: Link | None = Field(
        default=None, description="The network interface of the default route."
    )


class Share(Model):
    """A value, and the number of nodes that have it."""

    value: FactName = Field(description="The value.")
    nodes: int = Field(description="Number of nodes that have it.")


class Span(Model):
    """The range of a number over all nodes."""

    least: int = Field(description="The smallest value of any node.")
    most: int = Field(description="The largest value of any node.")


Shares = Annotated[tuple[Share, ...], Field(max_length=16), ListMap(("value",))]


class ClassFacts(Model):
    """A summary of the hardware of a class's nodes, as far as their agents have reported it."""

    reported: int = Field(description="Number of nodes whose agent has reported facts.")
    architectures: Shares = Field(default=(), description="CPU architectures.")
    cpus: Shares = Field(default=(), description="Processors by name, the most frequent first.")
    features: Annotated[tuple[Feature, ...], Field(max_length=32)] = Field(
        default=(), description="Instruction sets that all of them have."
    )
    partial_features: Annotated[tuple[Share, ...], Field(max_length=32), ListMap(("value",))] = (
        Field(default=(), description="Instruction sets that only some of them have.")
    )
    physical_cores: Span | None = Field(default=None, description="Usable cores.")
    logical_cores: Span | None = Field(default=None, description="Usable hardware threads.")
    memory: Span | None = Field(default=None, description="Memory in bytes.")
    l1_data: Span | None = Field(default=None, description="Level 1 data cache in bytes.")
    l2: Span | None = Field(default=None, description="Level 2 cache in bytes.")
    l3: Span | None = Field(default=None, description="Level 3 cache in bytes.")
    accelerators: Shares = Field(
        default=(), description="Accelerators by kind, and how many nodes have one."
    )
    power: Shares = Field(default=(), description="Current power sources.")
    links: Shares = Field(default=(), description="Kinds of network links.")
