"""The processor by /proc/cpuinfo: vendor, name, and the instructions that every core has.

Of processors with several sorts of cores only what all have counts: a thread may run on any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.facts import ARM_FEATURES, CPU_FEATURES, CpuFacts
from skerry_agent.facts.arm import core_name, vendor_name
from skerry_agent.facts.places import text
from skerry_agent.facts.topology import caches, physical_cores, usable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry_agent.facts.places import Places

Core = dict[str, str]
"""The lines of one core in /proc/cpuinfo, by their names."""

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD", "HygonGenuine": "Hygon"}


def architecture(machine: str) -> str | None:
    """Return Kubernetes' name for what `uname -m` prints; None for an architecture that Skerry does not know."""
    return ARCHITECTURES.get(machine, "arm" if machine.startswith("arm") else None)


def find_cpu(places: Places) -> CpuFacts | None:
    """Return the processor; None where /proc/cpuinfo can't be read."""
    written = text(places.proc / "cpuinfo")
    if not written:
        return None
    cores, cpus = parse(written), usable(places.sys)
    level1, level2, level3 = caches(places.sys, cpus)
    return CpuFacts(
        vendor=_joined(map(_vendor, cores)),
        model=_joined(map(_model, cores)),
        features=features(cores),
        physical_cores=physical_cores(places.sys, cpus),
        logical_cores=len(cpus) or None,
        l1_data=level1, l2=level2, l3=level3,
    )  # fmt: skip


def parse(cpuinfo: str) -> list[Core]:
    """Return the cores of /proc/cpuinfo without its other paragraphs (such as the board's name)."""
    paragraphs = cpuinfo.replace("\t", "").split("\n\n")
    lines = [[line.partition(":") for line in p.splitlines() if ":" in line] for p in paragraphs]
    found = [{name.strip(): value.strip() for name, _, value in part} for part in lines]
    return [core for core in found if core.get("processor", "").isdigit()]


def features(cores: list[Core]) -> tuple[str, ...]:
    """Return the instructions that matter to engines and that every core lists, in a fixed order."""
    said = [set((core.get("flags") or core.get("Features") or "").split()) for core in cores]
    common = set.intersection(*said) if said else set()
    known = ARM_FEATURES if any("CPU implementer" in core for core in cores) else CPU_FEATURES
    return tuple(name for name in known if name in common)


def _vendor(core: Core) -> str | None:
    implementer = _hex(core, "CPU implementer")
    if implementer is not None:
        return vendor_name(implementer)
    said = core.get("vendor_id")
    return VENDORS.get(said, said) if said else None


def _model(core: Core) -> str | None:
    """Return the model's name; from the core's numbers on ARM, whose `model name` is only `ARMv8 Processor`."""
    implementer, part = _hex(core, "CPU implementer"), _hex(core, "CPU part")
    if implementer is not None and part is not None:
        return core_name(implementer, part)
    return core.get("model name") or None


def _hex(core: Core, name: str) -> int | None:
    try:
        return int(core[name], 16)
    except (KeyError, ValueError):
        return None


def _joined(names: Iterable[str | None]) -> str | None:
    """Return each name once, in the order of the cores."""
    return " + ".join(dict.fromkeys(name for name in names if name)) or None
