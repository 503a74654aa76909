"""What the files must be: the names that jobs look for, a first look at the bytes, and one digest of all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from skerry.api.artifact import Role
from skerry.api.reasons import FetchRefusal
from skerry.tasks import TENSOR_INFERENCE
from skerry_fetcher.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from skerry_fetcher.listing import Listing, RemoteFile

BEGINNING = 512
MOST_NAMED = 3
_ZIP = b"PK\x03\x04"


FORMATS = {Role.SOURCE: TENSOR_INFERENCE.source, Role.DATASET: TENSOR_INFERENCE.dataset}
OTHERS = {
    b"<!doctype": "a web page, such as one to log in", b"<html": "a web page, such as one to log in",
    b"<?xml": "XML, such as a server's error", b"{": "JSON", b"\x80\x02": "a Python pickle",
    b"\x89HDF": "HDF5, such as Keras writes", b"GGUF": "GGUF", b"\x1f\x8b": "a gzip archive",
}  # fmt: skip
"""Beginnings of what people name by mistake."""


def placed(role: Role, listing: Listing, where: str) -> dict[str, RemoteFile]:
    """Return the files by their names in the image.

    What was unpacked of layers may have the one main file in a folder, which then is the model's or data
    set's, and alone is kept. One file under several names is one, if one folder has all that the others have.

    Raises:
        RefusedError: Among them is none that jobs could use, or more than one; or a name that
            reaches outside of the folder.
    """
    expected = FORMATS[role]
    by_name = {file.name: file for file in listing.files}
    for name in by_name:
        if name.startswith("/") or ".." in name.split("/") or not name:
            message = f"{where}: {name!r} is no name of a file in a folder; rename it"
            raise RefusedError(FetchRefusal.WRONG_FORMAT, message)
    if expected.main in by_name:
        return by_name
    every = [name for name in by_name if name.endswith(expected.suffix)]
    mains = [name for name in every if "/" not in name]
    if not mains and listing.manifest is not None:
        mains = [name for name in every if name.endswith(f"/{expected.main}")] or every
    if not mains:
        raise _none_fits(role, sorted(by_name), where)
    taken = _largest(mains, by_name, expected.main)
    if taken is None:
        raise _several(role, mains, by_name, where)
    return taken


def check_main(role: Role, folder: Path, where: str) -> None:
    """Check the main file before an image is made of it; the assessment reads all of it.

    Raises:
        RefusedError: It is something else than its name says.
    """
    expected = FORMATS[role]
    with (folder / expected.main).open("rb") as content:
        beginning = content.read(BEGINNING)
    found = next(
        (words for mark, words in OTHERS.items() if beginning.lower().startswith(mark.lower())), ""
    )
    if beginning.startswith(_ZIP) and role is not Role.DATASET:
        found = "a zip archive, such as PyTorch writes"
    if not beginning.startswith(_ZIP) and role is Role.DATASET and not found:
        found = "something else"
    if not beginning:
        found = "an empty file"
    if found:
        raise RefusedError(
            FetchRefusal.WRONG_FORMAT,
            f"{where}: {expected.main} is {found}, and not {expected.words}; see that the uri names"
            " the file itself, and that it was exported in this format",
        )


def content_digest(files: Mapping[str, Path], *, folder: bool) -> str:
    """Return sha256:... of the one file; for a folder, of the lines that `sha256sum` writes for its files.

    So a pin can be made with `sha256sum FILE`, or in the folder with
    `find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum`.

    Args:
        files: By their names at the origin.
        folder: Whether a folder was asked for.
    """
    hashes = {}
    for name, path in files.items():
        with path.open("rb") as content:
            hashes[name] = hashlib.file_digest(content, "sha256").hexdigest()
    if not folder:
        (only,) = hashes.values()
        return f"sha256:{only}"
    lines = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def _largest(
    mains: list[str], by_name: Mapping[str, RemoteFile], target: str
) -> dict[str, RemoteFile] | None:
    """Return what is taken with the one main file; None if there are several, or folders that differ."""
    if len({_original(by_name[main]) for main in mains}) > 1:
        return None
    first = sorted(mains, key=lambda main: (bool(by_name[main].original), main))
    best = max((_taken(main, mains, by_name, target) for main in first), key=len)
    has = {(name, _original(file)) for name, file in best.items()}
    others = (_taken(main, mains, by_name, target) for main in first)
    lacks = ((name, _original(file)) not in has for one in others for name, file in one.items())
    return None if any(lacks) else best


def _taken(
    main: str, mains: list[str], by_name: Mapping[str, RemoteFile], target: str
) -> dict[str, RemoteFile]:
    """Return the files of a main file's folder by their names in it, without its other names."""
    folder = main[: main.rfind("/") + 1]
    others = set(mains) - {main}
    return {
        target if name == main else name.removeprefix(folder): file
        for name, file in by_name.items()
        if name.startswith(folder) and name not in others
    }


def _original(file: RemoteFile) -> str:
    return file.original or file.name


def _several(
    role: Role, mains: list[str], by_name: Mapping[str, RemoteFile], where: str
) -> RefusedError:
    own = [name for name in mains if by_name[name].original not in mains]
    found = " and ".join(sorted(own if len(own) > 1 else mains)[:MOST_NAMED])
    main = FORMATS[role].main
    todo = f", and no {main}: rename the one that is meant"
    if any("/" in name for name in mains):
        todo = f": move the one that is meant up, as {main}"
    return RefusedError(FetchRefusal.WRONG_FORMAT, f"{where} holds {found}{todo}")


def _none_fits(role: Role, names: list[str], where: str) -> RefusedError:
    expected = FORMATS[role]
    found = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")  # noqa: PLR2004
    return RefusedError(
        FetchRefusal.WRONG_FORMAT,
        f"{where} holds no {expected.main} and no other {expected.suffix} file (found: {found}): name"
        f" one, or its folder; {expected.words} is what this release reads",
    )
