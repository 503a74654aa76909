"""What feeds the device, by /sys/class/power_supply (the kernel's Documentation/ABI/testing/sysfs-class-power).

Most servers and small boards list no supply: nothing is known of these, and nothing is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.facts import Power, PowerSource
from skerry_agent.facts.places import entries, number, text

if TYPE_CHECKING:
    from pathlib import Path

BATTERIES = {"Battery", "UPS"}
FED = {"Charging", "Full", "Not charging"}
"""A battery's states while something else feeds the device."""


def find_power(sys: Path) -> Power | None:
    """Return the power supply (mains or battery) and the charge; None where the kernel does not report them."""
    supplies = [s for s in entries(sys / "class/power_supply") if _feeds_the_device(s)]
    batteries = [s for s in supplies if text(s / "type") in BATTERIES]
    source = _source([s for s in supplies if s not in batteries], batteries)
    if source is None:
        return None
    charges = [charge for s in batteries if (charge := number(s / "capacity")) is not None]
    percent = round(sum(charges) / len(charges)) if charges else None
    return Power(source=source, battery_percent=percent)


def _feeds_the_device(supply: Path) -> bool:
    """Return whether a supply feeds the device: not a mouse's battery, nor an empty slot for one."""
    return text(supply / "scope") != "Device" and text(supply / "present") != "0"


def _source(mains: list[Path], batteries: list[Path]) -> PowerSource | None:
    states = {text(battery / "status") for battery in batteries}
    if any((number(one / "online") or 0) > 0 for one in mains):
        return PowerSource.MAINS
    if "Discharging" in states:
        return PowerSource.BATTERY
    return PowerSource.MAINS if states & FED else None
