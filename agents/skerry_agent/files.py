"""Files that are either the old or the new ones, whenever the power goes; for the agent's user alone."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content in one step and make it durable.

    Raises OSError when the disk refuses; the old file is then as it was, and nothing is left over.
    """
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, FILE_MODE), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename within a folder durable."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # not every file system can; the file itself is written
            os.fsync(number)
    finally:
        os.close(number)


def set_aside(path: Path, why: object) -> None:
    """Keep a file that can't be read as PATH.bad, for people, and say so."""
    kept = path.with_name(f"{path.name}.bad")
    try:
        path.replace(kept)
    except OSError as error:
        log.error("%s can't be read (%s) and can't be moved aside: %s", path, why, error)  # noqa: TRY400
        return
    log.error("%s can't be read (%s); it is kept as %s", path, why, kept)
