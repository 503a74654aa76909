"""Makes and removes the control groups that hold a lab's processes.

Every process of a lab, containers included, lives below `lab/NAME` in each hierarchy: that is how
`down` finds them all, after a crash too. Two layouts are known: cgroup v1 (a hierarchy for each
controller, with or without an empty v2 hierarchy next to them), on which the lab was tried, and
cgroup v2 (one hierarchy).
"""

import contextlib
import os
import signal
from pathlib import Path

from tests.lab.commands import wait_for

MOUNTS = Path("/proc/self/mountinfo")
UNIFIED = Path("/sys/fs/cgroup")
CONTROLLERS_V2 = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")
KILL_SECONDS = 60.0
"""How long killed processes may take to vanish; a second is usual."""


def hierarchies() -> list[Path]:
    """Return the mount points of all control group hierarchies."""
    if is_unified():
        return [UNIFIED]
    lines = (line.split() for line in MOUNTS.read_text().splitlines())
    return [Path(words[4]) for words in lines if words[words.index("-") + 1] in _TYPES]


_TYPES = {"cgroup", "cgroup2"}


def is_unified() -> bool:
    """Return whether the machine has cgroup v2 alone."""
    return (UNIFIED / "cgroup.controllers").exists()


def make(group: str) -> None:
    """Make a group and its parents, ready to hold processes or the kubelet's own groups."""
    for hierarchy in hierarchies():
        folder = hierarchy
        for part in Path(group).parts:
            _enable_controllers(folder)
            folder /= part
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(folder)
        _enable_controllers(folder.parent)


def entry_files(group: str) -> list[Path]:
    """Return the files that a process writes its id to in order to join a group."""
    return [hierarchy / group / "cgroup.procs" for hierarchy in hierarchies()]


def processes(group: str) -> set[int]:
    """Return the ids of all processes in a group and below it."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / group):
            found |= _members(Path(folder))
    return found


def kill(group: str) -> set[int]:
    """Kill every process in a group and below it, and wait until there is none.

    Returns:
        Their ids.

    Raises:
        LabError: Some did not go away.
    """
    killed: set[int] = set()

    def emptied() -> bool:
        left = processes(group)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(left)
        return not left

    wait_for(emptied, f"the processes in control group {group} to end", KILL_SECONDS, 0.05)
    return killed


def remove(group: str) -> None:
    """Remove a group and all below it, and its parents where nothing else is in them."""
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / group, topdown=False):
            _remove_emptied(Path(folder))
        for parent in list(Path(group).parents)[:-1]:
            _remove_unused(hierarchy / parent)


def _enable_controllers(folder: Path) -> None:
    """Hand a v2 group's controllers on to its children, as far as the kernel has them."""
    switch = folder / "cgroup.subtree_control"
    if not is_unified():
        return
    for controller in CONTROLLERS_V2:
        try:
            switch.write_text(f"+{controller}")
        except OSError:
            continue


def _inherit_cpuset(folder: Path) -> None:
    """Fill a new v1 cpuset group, which may hold no process before it has CPUs and memory."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if not is_unified() and file.exists() and not file.read_text().strip():
            file.write_text((folder.parent / name).read_text())


def _members(folder: Path) -> set[int]:
    try:
        return {int(line) for line in (folder / "cgroup.procs").read_text().split()}
    except (FileNotFoundError, OSError):
        return set()


def _remove_emptied(folder: Path) -> None:
    """Remove a group whose processes have ended; the kernel may need a moment to see that."""

    def removed() -> bool:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    wait_for(removed, f"the control group {folder} to be empty", KILL_SECONDS, 0.02)


def _remove_unused(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
