"""Room on the disk and in the kernel's limits of inotify, which all labs share: looked at before a start.

kubelets and controllers that can't watch files fail late and with words that lead nowhere ("too many
open files"). The usual limit is enough for two labs of four nodes. On a full disk kubelets evict pods, and
whoever waits for these waits in vain.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = Path("/proc/sys/fs/inotify")
PROCESSES = Path("/proc")
EVICTION_PERCENT = 1
"""Of a disk: what kubelets of the lab keep free."""
NODE_BYTES = 500 * 10**6
"""What a node unpacks of images, at least: some 1 GB were seen with Skerry and a model."""


@dataclass(frozen=True)
class Limit:
    """A setting fs.inotify.NAME of the kernel, which holds for each user.

    Attributes:
        name: Of the setting.
        control_plane: What API server and controllers take (8 and 12 were seen).
        node: What kubelet, containerd and kube-proxy take (10 and some 140 were seen, with one pod).
        roomy: What the setting is raised to, at least.
    """

    name: str
    control_plane: int
    node: int
    roomy: int

    def needs(self, nodes: int, *, control_plane: bool) -> int:
        """Return what a lab takes, or what so many nodes more take of one that is up."""
        return nodes * self.node + control_plane * self.control_plane

    def raised(self, present: int, used: int, needed: int) -> int | None:
        """Return what the setting has to be raised to; None where there is room."""
        if used + needed <= present:
            return None
        value = self.roomy
        while value < used + needed:
            value *= 2
        return value


INSTANCES = Limit("max_user_instances", control_plane=10, node=14, roomy=1024)
WATCHES = Limit("max_user_watches", control_plane=20, node=1000, roomy=65536)


def make_room(nodes: int, report: Callable[[str], None], *, control_plane: bool) -> None:
    """Raise the kernel's limits where a start would meet them, and report it.

    Raises:
        LabError: They are too low and can't be raised from here.
    """
    instances, watches = in_use()
    for limit, used in ((INSTANCES, instances), (WATCHES, watches)):
        present = int((SETTINGS / limit.name).read_text())
        needed = limit.needs(nodes, control_plane=control_plane)
        value = limit.raised(present, used, needed)
        if value is None:
            continue
        setting = f"fs.inotify.{limit.name}"
        message = f"{setting} is {present}, {used} are in use, and the lab needs {needed} more"
        try:
            (SETTINGS / limit.name).write_text(str(value))
        except OSError as error:
            raise LabError(
                f"{message}; it can't be raised from here ({error.strerror}): run `sysctl"
                f" {setting}={value}` as root on the machine itself, or take another lab down"
            ) from error
        report(f"{message}: raised to {value}, until the machine starts again")


def check_disk(folder: Path, nodes: int) -> None:
    """Check that nodes have room for what they unpack.

    Raises:
        LabError: They have not.
    """
    disk = shutil.disk_usage(folder)
    needed = disk.total * EVICTION_PERCENT // 100 + nodes * NODE_BYTES
    if nodes and disk.free < needed:
        raise LabError(
            f"{folder} has {disk.free / 1e9:.1f} GB left, and {nodes} nodes need {needed / 1e9:.1f} GB: their"
            " kubelets would evict pods; take another lab down, or remove files"
        )


def in_use(user: int | None = None) -> tuple[int, int]:
    """Return how many inotify instances and watches a user's processes hold; by default, this user's."""
    owner = os.getuid() if user is None else user
    instances = watches = 0
    for process in PROCESSES.glob("[0-9]*"):
        for descriptor in _instances(process, owner):
            instances += 1
            watches += _watches(process / "fdinfo" / descriptor.name)
    return instances, watches


def _instances(process: Path, owner: int) -> Iterator[Path]:
    try:
        if process.stat().st_uid != owner:
            return
        descriptors = list((process / "fd").iterdir())
    except OSError:  # it has ended
        return
    for descriptor in descriptors:
        try:
            if descriptor.readlink().name == "anon_inode:inotify":
                yield descriptor
        except OSError:
            continue


def _watches(info: Path) -> int:
    try:
        return info.read_text().count("inotify wd:")
    except OSError:
        return 0
