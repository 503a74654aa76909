"""Unpacks tar archives of plain files, and refuses all else. The standard library alone: devices run it too."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 20
REMOVES = ".wh."
"""What a file's name begins with that takes one of an earlier layer away."""


def unpack_plain_files(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack files and folders into `folder`.

    By hand, since `tarfile`'s own filter came with Python 3.11.4 and Debian 12 has 3.11.2.

    Raises:
        tarfile.TarError: It is not a tar file, holds a link or a device, takes a file of an earlier layer
            away, or points outside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for member in archive:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name} in the layer is not a plain file inside it")
        if name.name.startswith(REMOVES):
            raise tarfile.TarError(
                f"{member.name} takes away what an earlier layer has: build the image in one layer"
            )
        content = archive.extractfile(member)
        if content is None:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file, CHUNK)
