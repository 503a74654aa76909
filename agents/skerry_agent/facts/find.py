"""All facts of the device, and those alone that may change from one minute to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.facts import DeviceFacts
from skerry_agent.facts.accelerators import find_accelerators
from skerry_agent.facts.cpu import architecture, find_cpu
from skerry_agent.facts.link import find_link
from skerry_agent.facts.places import text
from skerry_agent.facts.power import find_power

if TYPE_CHECKING:
    from skerry_agent.facts.places import Places

KIB = 1024


def find_facts(places: Places) -> DeviceFacts:
    """Return all facts; on a machine with a hundred cores that takes some thousand small reads."""
    hardware = DeviceFacts(
        architecture=architecture(places.machine),
        cpu=find_cpu(places),
        memory=find_memory(places),
        accelerators=find_accelerators(places),
    )
    return find_passing(places, hardware)


def find_passing(places: Places, hardware: DeviceFacts) -> DeviceFacts:
    """Return the same hardware with its current power and link."""
    passing = {
        "power": find_power(places.sys),
        "link": find_link(places.host_net, places.host_sys),
    }
    return hardware.model_copy(update=passing)


def find_memory(places: Places) -> int | None:
    """Return the bytes of memory that the kernel has."""
    lines = (text(places.proc / "meminfo") or "").splitlines()
    words = next((line.split() for line in lines if line.startswith("MemTotal:")), [])
    match words:
        case [_, kibibytes, "kB"] if kibibytes.isdigit():
            return int(kibibytes) * KIB
    return None
