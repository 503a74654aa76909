"""Makes folders that look like a machine's /proc and /sys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from skerry_agent.facts.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping

CPUINFO = Path(__file__).parents[3] / "data" / "cpuinfo"
LINK = "-> "
"""Begins the content of what is a symbolic link."""


def plant(root: Path, files: Mapping[str, str]) -> None:
    """Write files and links by their paths below a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith(LINK):
            path.symlink_to(content.removeprefix(LINK))
        else:
            path.write_text(content)


def machine(root: Path, files: Mapping[str, str], uname: str = "x86_64") -> Places:
    """Return a machine of these files, by paths such as proc/cpuinfo and sys/class/net/eth0/speed."""
    plant(root, files)
    return Places(root / "proc", root / "sys", root / "proc/net", root / "sys", uname)


def cpu_tree(cores: Mapping[int, str], caches: Mapping[int, Mapping[str, str]]) -> dict[str, str]:
    """Return the files of /sys/devices/system/cpu.

    Args:
        cores: threads of the same core as each thread, as `core_cpus_list` prints them.
        caches: of each thread, by "LEVEL TYPE", such as {"1 Data": "48K"}.
    """
    base = "sys/devices/system/cpu"
    online = f"0-{max(cores)}" if len(cores) > 1 else "0"
    files = {f"{base}/online": f"{online}\n", f"{base}/isolated": "\n"}
    for cpu, siblings in cores.items():
        files[f"{base}/cpu{cpu}/topology/core_cpus_list"] = f"{siblings}\n"
        for index, (what, size) in enumerate(caches.get(cpu, {}).items()):
            level, sort = what.split()
            folder = f"{base}/cpu{cpu}/cache/index{index}"
            files |= {f"{folder}/level": level, f"{folder}/type": sort, f"{folder}/size": size}
    return files
