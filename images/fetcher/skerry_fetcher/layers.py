"""Files out of layers, as they would lie upon each other in a container, and never at a path that one names.

Each file is written under a number; the names are kept here until all layers are read, so that no archive
reaches outside of its folder, whatever links and names it has. Layers of images take away what lower ones
have by whiteouts: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
"""

from __future__ import annotations

import gzip
import hashlib
import posixpath
import tarfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from skerry.api.reasons import FetchRefusal
from skerry_fetcher.errors import RefusedError
from skerry_fetcher.links import MOST_FILES, Link, Tree
from skerry_fetcher.sink import too_large

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry_fetcher.listing import RemoteLayer

CHUNK = 1 << 20
REMOVES, EMPTIES = ".wh.", ".wh..wh..opq"
"""Names that take away a file of the layers below, and all that they have in a folder."""
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass
class _Change:
    """What one layer does to those below it.

    Attributes:
        above: The folders that entries have been put in.
    """

    entries: dict[str, Path | Link] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)
    above: set[str] = field(default_factory=set)

    def put(self, name: str, entry: Path | Link) -> None:
        """Let a path be a file or link; what comes later in a layer replaces what came before."""
        if name in self.above:
            for other in [one for one in self.entries if _is_below(one, name)]:
                del self.entries[other]
        for parent in _parents(name):
            self.entries.pop(parent, None)
            self.above.add(parent)
        self.entries[name] = entry


class Contents:
    """What is in layers, one upon the other.

    Args:
        folder: For the files; it must not exist.
        allowed: Bytes of all layers, unpacked.
        where: The source, for messages.
        below: The one folder of an image that is wanted, such as "models"; without, the layers are those of a
            model artifact: plain files alone, all wanted.
    """

    def __init__(self, folder: Path, allowed: int, where: str, below: str | None) -> None:
        self._folder, self._where, self._below = folder, where, below
        self._allowed, self._left = allowed, allowed
        self._entries: dict[str, Path | Link] = {}
        self._counted, self._bytes = 0, 0
        folder.mkdir(parents=True)

    def add(self, layer: RemoteLayer, path: Path) -> None:
        """Read the next layer.

        Raises:
            RefusedError: It has other bytes than its digest says, is no archive, is too large unpacked, or has
                something other than files that stay inside.
        """
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != layer.sha256:
                raise RefusedError(
                    FetchRefusal.CHANGED,
                    f"{self._where}: layer {layer.validator} came damaged; the transfer or the registry's"
                    " storage is at fault",
                )
        change = _Change()
        try:
            with self._opened(path) as content:
                if layer.path:
                    change.put(self._name(layer.path), self._write(content))
                else:
                    with tarfile.open(fileobj=content, mode="r|") as archive:
                        self._read(archive, change)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._wrong(
                f"layer {layer.validator} is no archive ({error}); push it again"
            ) from error
        self._apply(change)

    def files(self) -> dict[str, Path]:
        """Return the files of the wanted folder by their paths in it, those by way of links last.

        Raises:
            RefusedError: There is no such folder, or a link leads outside of it or nowhere.
        """
        if self._below is None:
            found = {
                name: entry for name, entry in self._entries.items() if isinstance(entry, Path)
            }
            return dict(sorted(found.items()))
        if not any(_is_below(name, self._below) for name in self._entries):
            raise self._wrong(
                f"the image has no folder /{self._below}, where KServe has the model; write oci:// if the files"
                " lie in its root"
            )
        return Tree(self._entries, self._below, self._where).files()

    def _read(self, archive: tarfile.TarFile, change: _Change) -> None:
        for member in archive:
            name = self._name(member.name)
            if not name or not self._is_wanted(name, change):
                continue
            if member.isdir():
                change.folders.add(name)
                change.entries.pop(name, None)
            elif member.isfile():
                change.put(name, self._write(archive.extractfile(member)))
            elif self._below and member.issym():
                self._count()
                change.put(name, Link(member.linkname))
            elif self._below and member.islnk():
                change.put(name, self._same(member, change))
            else:
                raise self._wrong(f"{member.name} is a link or a device; pack plain files")

    def _is_wanted(self, name: str, change: _Change) -> bool:
        """Note what a whiteout takes away; return whether this is a file to keep."""
        if self._below is None:
            return True
        folder, last = posixpath.split(name)
        if last == EMPTIES:
            change.emptied.add(folder)
            return False
        if last.startswith(REMOVES):
            change.removed.add(posixpath.join(folder, last.removeprefix(REMOVES)))
            return False
        return _is_below(name, self._below) or name == self._below

    def _name(self, text: str) -> str:
        """Return a path from the root; an image's may begin with a slash."""
        name = text.lstrip("/") if self._below else text
        if name.startswith("/") or ".." in name.split("/"):
            raise self._wrong(
                f"{text!r} in a layer reaches outside of its folder; pack plain relative paths"
            )
        return "" if (normal := posixpath.normpath(name)) == "." else normal

    def _same(self, member: tarfile.TarInfo, change: _Change) -> Path | Link:
        """Return what a hard link shares."""
        self._count()
        name = self._name(member.linkname)
        found = change.entries.get(name) or self._entries.get(name)
        if found is None:
            raise self._outside(member.name, member.linkname)
        return found

    def _write(self, content: IO[bytes] | _Bounded | None) -> Path:
        path = self._folder / str(self._count())
        with path.open("wb") as file:
            while content is not None and (chunk := content.read(CHUNK)):
                self._bytes += len(chunk)
                # Sparse files are larger than the archive that `_Bounded` counts.
                if self._bytes > self._allowed:
                    raise self._too_large()
                file.write(chunk)
        return path

    def _count(self) -> int:
        """Count a file or link; return how many there are."""
        self._counted += 1
        if self._counted > MOST_FILES:
            raise self._wrong(f"it has more than {MOST_FILES} files; pack the model alone")
        return self._counted

    @contextmanager
    def _opened(self, path: Path) -> Iterator[Any]:
        with path.open("rb") as raw:
            beginning = raw.read(len(ZSTD))
            raw.seek(0)
            if beginning == ZSTD:
                raise self._wrong(
                    "a layer is compressed with zstd, which is not read; pack it with gzip, or without"
                )
            content = gzip.GzipFile(fileobj=raw) if beginning.startswith(GZIP) else raw
            bounded = _Bounded(content, self._left)
            try:
                yield bounded
            except _TooMuchError as error:
                raise self._too_large() from error
            self._left = bounded.left

    def _apply(self, change: _Change) -> None:
        """Put a layer upon those below it; what it takes away is theirs, never its own."""
        covered = change.entries.keys() | change.removed
        parents = {parent for name in change.entries for parent in _parents(name)} | change.folders

        def stays(name: str) -> bool:
            return not (
                name in covered
                or name in parents
                or any(parent in covered or parent in change.emptied for parent in _parents(name))
                or "" in change.emptied
            )

        self._entries = {name: entry for name, entry in self._entries.items() if stays(name)}
        self._entries |= change.entries

    def _outside(self, name: str, target: str) -> RefusedError:
        return self._wrong(
            f"{name} is a link to {target}, which /{self._below} does not have; copy the file into the image"
        )

    def _too_large(self) -> RefusedError:
        return too_large(f"{self._where}, unpacked,", None, self._allowed)

    def _wrong(self, what: str) -> RefusedError:
        return RefusedError(FetchRefusal.WRONG_FORMAT, f"{self._where}: {what}")


class _TooMuchError(Exception):
    """More was read than is allowed."""


class _Bounded:
    """A stream that ends in an error after so many bytes: a small archive may unpack to anything."""

    def __init__(self, content: Any, left: int) -> None:
        self._content = content
        self.left = left

    def read(self, size: int) -> bytes:
        """Read at most so many bytes."""
        # A byte more than is left shows that there is more.
        chunk: bytes = self._content.read(min(size, self.left + 1))
        self.left -= len(chunk)
        if self.left < 0:
            raise _TooMuchError
        return chunk


def _is_below(name: str, folder: str) -> bool:
    return name.startswith(f"{folder}/")


def _parents(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name
