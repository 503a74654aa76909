"""Names for things by what they are made of, so that nothing is made twice.

The cache lies outside the checkout (`~/.cache/skerry`, or SKERRY_CACHE), each entry in a folder
named by the hash of its inputs. An entry is made next to its place and then renamed, so a build that
was killed leaves nothing that looks finished.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock

KEY_LENGTH = 16
"""Hexadecimal digits of a hash that name an entry: 64 bits."""

IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


def cache_folder() -> Path:
    """Return the cache's folder, outside of any checkout."""
    return Path(os.environ.get("SKERRY_CACHE", Path.home() / ".cache" / "skerry"))


def key_of(*parts: object) -> str:
    """Return a key for values that JSON can write."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def key_of_folders(folders: Iterable[Path]) -> str:
    """Return a key for the names, modes and bytes of all files below some folders."""
    return key_of([_entry(folder, file) for folder in folders for file in files_below(folder)])


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder in a fixed order, without what tools leave there."""
    files = (path for path in folder.rglob("*") if not IGNORED & set(path.parts))
    return sorted(path for path in files if path.is_file())


def _entry(folder: Path, file: Path) -> tuple[str, bool, str]:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return str(file.relative_to(folder)), os.access(file, os.X_OK), digest


def cached(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of an entry, made by `make` in an empty folder if it is not there yet.

    Two builds at once make it once: the second waits for the first.
    """
    place = cache_folder() / kind / key
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):
        if not place.exists():
            partial = place.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(place)
    return place
