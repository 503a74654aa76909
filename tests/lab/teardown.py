"""Removes everything that a lab made, whether it is whole or what a crash has left of it.

Nothing here relies on how far the lab had come: processes are found by their control group, mounts
by the state folder, namespaces, links and firewall rules by names that follow from the lab's.
"""

import os
import shutil
from pathlib import Path

import psutil

from tests.lab import cgroups, network
from tests.lab.commands import run, wait_for
from tests.lab.plan import Plan, host_lock, load
from tests.lab.processes import Processes, wait_for_end

UNMOUNT_SECONDS = 30.0


def remove_lab(name: str) -> None:
    """Remove a lab with all its state; of one that is gone, nothing is left to remove."""
    # Without a plan it had made nothing yet, or the plan was deleted; all names follow from its.
    plan = load(name) or Plan(name, network=0)
    _kill_strays(plan)
    if any((hierarchy / plan.cgroup).exists() for hierarchy in cgroups.hierarchies()):
        wait_for_end(cgroups.kill(plan.cgroup))
    _unmount(plan.state)
    with host_lock():
        network.remove(plan)
        network.remove_empty_netns_mount()
        cgroups.remove(plan.cgroup)
        shutil.rmtree(plan.state, ignore_errors=not plan.state.exists())


def _kill_strays(plan: Plan) -> None:
    """Kill those recorded or recognizable programs that had not joined their control group yet."""
    for record in Processes(plan).records():
        if process := record.process():
            process.kill()
    state = f"{plan.state}/"
    for process in psutil.process_iter(["pid", "name", "cmdline"]):
        words = process.info["cmdline"] or []
        ours = any(state in word for word in words)
        if ours and process.pid != os.getpid() and words[0] in {"sh", "nsenter", "unshare"}:
            process.kill()


def _unmount(state: Path) -> None:
    """Unmount all below the state folder, the innermost first."""

    def unmounted() -> bool:
        for mount in reversed(_mounts_below(state)):
            run("umount", "--lazy", mount)
        return not _mounts_below(state)

    wait_for(unmounted, f"the mounts below {state} to go", UNMOUNT_SECONDS)


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].replace("\\040", " ") for line in lines]
    return [point for point in points if point.startswith(f"{folder}/")]
