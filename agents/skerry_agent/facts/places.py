"""Where the kernel's files are, and how they are read: what is missing or refused is None."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST_NET, HOST_SYS = "SKERRY_HOST_NET", "SKERRY_HOST_SYS"


@dataclass(frozen=True)
class Places:
    """Folders to read from.

    Attributes:
        proc, sys: procfs and sysfs. A pod's own show the node's processors, memory, buses and power
            supplies, but the pod's network.
        host_net: /proc/net of the node's network; None where the node's can't be seen.
        host_sys: sysfs that shows the node's network interfaces; None as before.
        machine: the kernel's name for the architecture, as `uname -m` prints it.
    """

    proc: Path
    sys: Path
    host_net: Path | None
    host_sys: Path | None
    machine: str

    @staticmethod
    def of_environment(environment: Mapping[str, str]) -> Places:
        """Return the places of this machine; those of the node's network when the environment names them."""
        net, sys = environment.get(HOST_NET), environment.get(HOST_SYS)
        return Places(
            Path("/proc"), Path("/sys"), Path(net) if net else None, Path(sys) if sys else None,
            os.uname().machine,
        )  # fmt: skip


def text(path: Path) -> str | None:
    """Return a small file's text without blanks around it; device trees end theirs with a zero byte."""
    try:
        return path.read_text(errors="replace").strip().strip("\0")
    except OSError:
        return None


def number(path: Path) -> int | None:
    """Return a file's decimal number."""
    found = text(path)
    try:
        return int(found) if found is not None else None
    except ValueError:
        return None


def entries(folder: Path) -> list[Path]:
    """Return the paths in a folder, by name; none when there is no folder."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def target(link: Path) -> str | None:
    """Return the last part of a symbolic link's target, such as a driver's name."""
    try:
        return link.readlink().name
    except OSError:
        return None
