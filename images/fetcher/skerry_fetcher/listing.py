"""What an origin offers, as `look` found it; `fetch` brings in just that, or says that it changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from skerry.api.artifact import scheme_of
from skerry.api.common import Model

if TYPE_CHECKING:
    from pathlib import Path


class RemoteFile(Model):
    """One file at its origin.

    Attributes:
        name: Relative path in the folder that was asked for; of a single file its own name.
        size: In bytes; None when the server does not say.
        validator: What changes with the content: ETag, generation, blob id. Empty when there is none.
        sha256: Of the content as 64 hex digits, where the origin knows it.
        original: Of a link, the name of the file that it stands for; empty for a file of its own.
    """

    name: str
    size: int | None = None
    validator: str = ""
    sha256: str | None = None
    original: str = ""


class RemoteLayer(RemoteFile):
    """A layer of an image or a model artifact; `name` is its digest without the algorithm.

    Attributes:
        path: Of the one file that the layer is; empty when it is an archive.
    """

    path: str = ""


class Listing(Model):
    """All files of an origin.

    Attributes:
        layers: What holds the files, in order, where they are known only once it is unpacked.
        manifest: Digest of the manifest that names the layers.
        folder: Whether a folder was asked for; a pin is then a digest over all of its files.
        resolved: What the origin calls this version, for people.
        digest: Of the image that holds these files already, or that a private tag names.
        content: With `digest`: of the files themselves.
    """

    files: tuple[RemoteFile, ...] = ()
    layers: tuple[RemoteLayer, ...] = ()
    manifest: str | None = None
    folder: bool = False
    resolved: str = ""
    digest: str | None = None
    content: str | None = None
    bytes: int = 0

    @property
    def total(self) -> int | None:
        """Bytes of all that is to be fetched; None when one part does not say."""
        sizes = [file.size for file in (*self.files, *self.layers)]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def version(self, uri: str, endpoint: str | None) -> str | None:
        """Return a key of exactly this version of these files; None where nothing distinguishes versions."""
        if self.manifest is not None:
            # The same bytes wherever they lie; what is taken of them depends on the scheme.
            return hashlib.sha256(f"{scheme_of(uri)} {self.manifest}".encode()).hexdigest()
        if not self.files or not all(file.validator for file in self.files):
            return None
        lines = [f"{uri} {endpoint or ''}"]
        lines += sorted(f"{file.name} {file.size} {file.validator}" for file in self.files)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def write(self, file: Path) -> None:
        """Keep it for the next stage."""
        file.write_text(self.model_dump_json())

    @classmethod
    def read(cls, file: Path) -> Listing:
        """Return the listing that `look` stored."""
        return cls.model_validate_json(file.read_text())


def human(count: int) -> str:
    """Return a count of bytes for people, such as 90.3 MB."""
    size, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":  # noqa: PLR2004
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
