"""Whether the kernel has room for one more lab, and what it is raised to."""

from __future__ import annotations

import ctypes
import os
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.lab import limits
from tests.lab.errors import LabError
from tests.lab.limits import INSTANCES, WATCHES, in_use, make_room

if TYPE_CHECKING:
    from pathlib import Path

LAB = INSTANCES.needs(4, control_plane=True)
IN_CREATE = 0x100


@pytest.mark.parametrize(
    ("present", "used", "value"),
    [
        (128, 0, None),
        (128, 128 - LAB, None),
        (128, 129 - LAB, 1024),
        (128, 2 * 48, 1024),
        (1024, 2 * 48, None),
        (8192, 8192, 16384),
    ],
)
def test_room_for_a_lab_of_four_nodes(present: int, used: int, value: int | None) -> None:
    """A lab that runs takes 48; the third one does not fit the usual 128."""
    assert INSTANCES.raised(present, used, LAB) == value


def test_nodes_that_join_a_lab_need_no_second_control_plane() -> None:
    assert INSTANCES.needs(1, control_plane=False) == INSTANCES.node
    assert INSTANCES.needs(0, control_plane=True) == INSTANCES.control_plane


def test_what_is_in_use_is_counted() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init()
    libc.inotify_add_watch(descriptor, b"/", IN_CREATE)
    during = in_use()
    os.close(descriptor)
    # Other programs of the user have some, or none.
    assert during[0] >= 1
    assert during[1] >= 1


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a machine with the usual settings, of which a good deal is in use."""
    (tmp_path / INSTANCES.name).write_text("128\n")
    (tmp_path / WATCHES.name).write_text("8192\n")
    monkeypatch.setattr(limits, "SETTINGS", tmp_path)
    monkeypatch.setattr(limits, "in_use", lambda: (96, 500))
    return tmp_path


def test_a_limit_is_raised_once_and_reported(kernel: Path) -> None:
    message: list[str] = []
    make_room(4, message.append, control_plane=True)
    assert message == [
        (
            f"fs.inotify.max_user_instances is 128, 96 are in use, and the lab needs {LAB} more:"
            " raised to 1024, until the machine starts again"
        )
    ]
    assert (kernel / INSTANCES.name).read_text() == "1024"
    assert (kernel / WATCHES.name).read_text() == "8192\n"
    make_room(4, message.append, control_plane=True)
    assert len(message) == 1


def test_where_it_can_not_be_raised_the_cure_is_named(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    with pytest.raises(LabError, match=r"run `sysctl fs\.inotify\.max_user_instances=1024`"):
        make_room(4, lambda _: None, control_plane=True)
    assert (kernel / INSTANCES.name).read_text() == "128\n"


@pytest.mark.parametrize(
    ("free", "nodes", "fits"),
    [(11e9, 4, True), (4.6e9, 4, True), (4.4e9, 4, False), (2.6e9, 0, True), (3.1e9, 1, True)],
)
def test_a_disk_on_which_kubelets_would_evict_pods_is_reported(
    free: float,
    nodes: int,
    fits: bool,  # noqa: FBT001 - a parameter of the table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = SimpleNamespace(total=252 * 10**9, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    if fits:
        limits.check_disk(tmp_path, nodes)
        return
    with pytest.raises(LabError, match=r"has 4.4 GB left, and 4 nodes need 4.5 GB.*remove files"):
        limits.check_disk(tmp_path, nodes)
