"""What layers may unpack to."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from skerry.api.reasons import FetchRefusal
from skerry_fetcher.errors import RefusedError
from skerry_fetcher.layers import Contents
from skerry_fetcher.listing import RemoteLayer

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = 1_000_000


def sparse(folder: Path, count: int, size: int) -> Path:
    """Return a tar file of holes, as GNU tar packs them; a hole takes no room in it."""
    (folder / "holes").mkdir()
    for number in range(count):
        with (folder / "holes" / f"{number}.bin").open("wb") as file:
            file.truncate(size)
    target = folder / "holes.tar"
    command = ["tar", "--sparse", "--hole-detection=raw", "--format=gnu", "-cf", str(target)]
    subprocess.run([*command, "holes"], cwd=folder, check=True)
    return target


def layer_of(path: Path) -> RemoteLayer:
    """Return what a manifest says of this layer."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return RemoteLayer(name=digest, size=path.stat().st_size, sha256=digest, validator=digest)


def test_sparse_files_count_with_what_they_unpack_to(tmp_path: Path) -> None:
    path = sparse(tmp_path, count=20, size=ALLOWED - 1)
    assert path.stat().st_size < ALLOWED / 10
    contents = Contents(tmp_path / "contents", ALLOWED, "oci://x/y:1", None)
    with pytest.raises(RefusedError) as caught:
        contents.add(layer_of(path), path)
    assert caught.value.reason is FetchRefusal.TOO_LARGE
    assert "oci://x/y:1, unpacked, is larger than allowed: 1.0 MB may" in str(caught.value)
    written = sum(file.stat().st_size for file in (tmp_path / "contents").iterdir())
    assert written <= ALLOWED


def test_sparse_files_of_several_layers_count_together(tmp_path: Path) -> None:
    path = sparse(tmp_path, count=1, size=ALLOWED // 2)
    contents = Contents(tmp_path / "contents", ALLOWED, "oci://x/y:1", None)
    contents.add(layer_of(path), path)
    contents.add(layer_of(path), path)
    assert contents.files()["holes/0.bin"].stat().st_size == ALLOWED // 2
    with pytest.raises(RefusedError, match="larger than allowed"):
        contents.add(layer_of(path), path)
