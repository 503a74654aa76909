"""A class's device as the selection of engines sees it: what its spec says, else what agents found. Pure.

Spec and findings are joined by matter: architecture, instructions, accelerators, power, link. Where the
spec says something about one, it counts alone; found is only what *all* nodes have that reported,
since a build must do for each of them. What was found is part of no build key (docs/adr/0026).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.facts import AcceleratorKind, LinkKind, PowerSource
from skerry.api.hardwareclass import LinkCost
from skerry.engines.ranking import ACCELERATORS

if TYPE_CHECKING:
    from skerry.api.facts import ClassFacts, Share
    from skerry.api.hardwareclass import HardwareClass

_ACCELERATORS = tuple(ACCELERATORS)

FOUND_AS = {
    AcceleratorKind.NVIDIA_GPU: "nvidia",
    AcceleratorKind.JETSON_GPU: "nvidia",
    AcceleratorKind.EDGE_TPU: "edgetpu",
    AcceleratorKind.INTEL_NPU: "npu",
}
"""Intel's GPUs are in one row with the CPUs that they come with."""


@dataclass(frozen=True)
class Device:
    """What a class's devices are.

    Attributes:
        architecture: in Kubernetes' words.
        features: instructions, and accelerators as `skerry.engines.ranking.ACCELERATORS` has them.
        found: of these, those that the spec does not say and agents found.
        reported: nodes that reported; 0 when nothing was found out.
        constraints: what the device is limited to, each in a sentence with its reason.
    """

    architecture: str
    features: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    reported: int = 0
    constraints: tuple[str, ...] = ()


def device_of(hardware: HardwareClass) -> Device:
    """Return the device of a class, by its spec and its nodes' facts."""
    spec, facts = hardware.spec, hardware.status.facts
    said = tuple(feature.replace("_", "") for feature in spec.features)
    names_accelerator = any(one.startswith(_ACCELERATORS) for one in said)
    names_instructions = any(not one.startswith(_ACCELERATORS) for one in said)
    found: list[str] = []
    if facts is not None and not names_accelerator:
        found += _accelerators(facts)
    if facts is not None and not names_instructions:
        found += facts.features
    return Device(
        architecture=spec.architecture,
        features=(*spec.features, *found),
        found=tuple(found),
        reported=facts.reported if facts else 0,
        constraints=tuple(filter(None, (_power(hardware), _link(hardware)))),
    )


def _accelerators(facts: ClassFacts) -> list[str]:
    everywhere = {one.value for one in facts.accelerators if one.nodes == facts.reported}
    return sorted({name for kind, name in FOUND_AS.items() if kind.value in everywhere})


def _power(hardware: HardwareClass) -> str:
    """Return the power constraint: energy use grows with CPU time."""
    what = "so prefer builds with less CPU time (spec.optimization.search.weights.speed)"
    said = hardware.spec.constraints.power
    if said is not None:
        by_spec = f"battery (spec.constraints.power of {hardware.metadata.name}): energy is limited, {what}"
        return by_spec if said is PowerSource.BATTERY else ""
    facts = hardware.status.facts
    nodes = _nodes(facts.power if facts else (), PowerSource.BATTERY)
    return (
        f"battery: {nodes} of {facts.reported} nodes run on it now, {what}"
        if facts and nodes
        else ""
    )


def _link(hardware: HardwareClass) -> str:
    """Return the network constraint: each node pulls each build once."""
    what = "and each node pulls each build: limit its size with spec.gates.artifactSize"
    said = hardware.spec.constraints.link
    if said is not None:
        by_spec = f"metered link (spec.constraints.link of {hardware.metadata.name}), {what}"
        return by_spec if said is LinkCost.METERED else ""
    facts = hardware.status.facts
    nodes = _nodes(facts.links if facts else (), LinkKind.CELLULAR)
    if not facts or not nodes:
        return ""
    return f"metered link: {nodes} of {facts.reported} nodes use a cellular one, {what}"


def _nodes(shares: tuple[Share, ...], value: str) -> int:
    return next((share.nodes for share in shares if share.value == value), 0)
