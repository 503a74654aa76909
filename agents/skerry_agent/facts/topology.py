"""Cores and caches by /sys/devices/system/cpu.

A core may be used when it is online and not isolated from the scheduler. The agent's own affinity is
not asked: it is that of its container.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry_agent.facts.places import entries, number, text

if TYPE_CHECKING:
    from pathlib import Path

CPUS = "devices/system/cpu"
SIBLINGS = ("core_cpus_list", "thread_siblings_list")
"""Threads of a core, in kernels since 5.3 and before."""

UNITS = {"K": 1024, "M": 1024**2}
CACHES = ((1, "Data"), (2, "Unified"), (3, "Unified"))


def usable(sys: Path) -> list[int]:
    """Return the numbers of the hardware threads that programs may use; none where sysfs does not say."""
    online, isolated = (text(sys / CPUS / name) or "" for name in ("online", "isolated"))
    return sorted(numbers(online) - numbers(isolated))


def numbers(ranges: str) -> set[int]:
    """Return the numbers of a list such as `0-3,8`; none when the text is no such list."""
    found: set[int] = set()
    for part in filter(None, ranges.strip().split(",")):
        first, _, last = part.partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            return set()
        found.update(range(int(first), int(last or first) + 1))
    return found


def physical_cores(sys: Path, cpus: list[int]) -> int | None:
    """Return how many cores these threads belong to; None where the kernel does not say which share one."""
    cores = [_siblings(sys / CPUS / f"cpu{cpu}" / "topology") for cpu in cpus]
    return len(set(cores)) if cores and None not in cores else None


def caches(sys: Path, cpus: list[int]) -> tuple[int | None, int | None, int | None]:
    """Return the bytes of one L1 data, L2 and L3 cache; the least where cores differ."""
    found: dict[tuple[int | None, str | None], list[int]] = {}
    for cpu in cpus:
        for index in entries(sys / CPUS / f"cpu{cpu}" / "cache"):
            size = _size(text(index / "size"))
            if size:
                key = (number(index / "level"), text(index / "type"))
                found.setdefault(key, []).append(size)
    level1, level2, level3 = (min(found.get(key, ()), default=None) for key in CACHES)
    return level1, level2, level3


def _siblings(topology: Path) -> str | None:
    return next((found for name in SIBLINGS if (found := text(topology / name))), None)


def _size(written: str | None) -> int | None:
    if not written or not written[:-1].isdigit() or written[-1] not in UNITS:
        return None
    return int(written[:-1]) * UNITS[written[-1]]
