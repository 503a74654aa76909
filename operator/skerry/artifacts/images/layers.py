"""Reproducible tar layers: sorted names, no time, no owner, so that equal files have equal digests.

Uncompressed: weights hardly shrink, and packing them by gzip took four times as long as all else.
"""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from skerry.artifacts.plain_files import unpack_plain_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILE_MODE = 0o644
FOLDER_MODE = 0o755
CHUNK = 1 << 20


@dataclass(frozen=True)
class Layer:
    """A tar file on disk.

    Attributes:
        path: Where it lies.
        digest: sha256:... of its bytes; as it is not compressed, its diff id too.
        size: In bytes.
        annotations: What the manifest says about it.
    """

    path: Path
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)


def pack_folder(folder: Path, target: Path, annotations: Mapping[str, str] | None = None) -> Layer:
    """Pack all files below `folder`, by their relative names, into the tar file `target`.

    Raises:
        FileNotFoundError: There is no such folder, or no file in it.
    """
    files = {
        file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()
    }
    if not files:
        raise FileNotFoundError(f"{folder} is not a folder with files in it: nothing to pack")
    return pack_files(files, target, annotations)


def pack_files(
    files: Mapping[str, Path], target: Path, annotations: Mapping[str, str] | None = None
) -> Layer:
    """Pack files under the given relative names into the tar file `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for folder in _folders(files):
            archive.addfile(_entry(folder, FOLDER_MODE, tarfile.DIRTYPE))
        for name in sorted(files):
            entry = _entry(name, FILE_MODE, tarfile.REGTYPE)
            entry.size = files[name].stat().st_size
            with files[name].open("rb") as content:
                archive.addfile(entry, content)
    with target.open("rb") as packed:
        return Layer(target, digest_of(packed), target.stat().st_size, dict(annotations or {}))


def unpack(layer: Path, folder: Path) -> None:
    """Unpack a tar layer of plain files into `folder`; anything else is refused.

    Raises:
        tarfile.TarError: It is not a tar file, holds a link or a device, or points outside.
    """
    with tarfile.open(layer, "r:") as archive:
        unpack_plain_files(archive, folder)


def digest_of(content: BinaryIO) -> str:
    """Return sha256:... of what is left to read."""
    digest = hashlib.sha256()
    while chunk := content.read(CHUNK):
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _folders(names: Iterable[str]) -> list[str]:
    parents = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    return sorted(parents - {"."})


def _entry(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    entry.type = kind
    return entry
