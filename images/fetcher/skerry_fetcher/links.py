"""Links in the one folder that is wanted of an image: followed as in a container, and never out of it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from skerry.api.reasons import FetchRefusal
from skerry_fetcher.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_HOPS = 8
"""Links that lead to links."""
MOST_FILES = 10_000


@dataclass(frozen=True)
class Link:
    """A symbolic link: the text that it has."""

    text: str


@dataclass(frozen=True)
class _Folder:
    """A folder to look into: where it lies, the beginning of its files' names, and the links to it."""

    path: str
    beginning: str
    through: tuple[str, ...] = ()


class Tree:
    """The files and links of an image.

    Args:
        entries: By their paths from the root; the files are elsewhere.
        below: The folder that is wanted.
        where: The source, for messages.
    """

    def __init__(self, entries: Mapping[str, Path | Link], below: str, where: str) -> None:
        self._entries, self._below, self._where = entries, below, where
        self._inside: dict[str, list[str]] = {}
        for name in entries:
            self._place(name)

    def files(self) -> dict[str, Path]:
        """Return the files by their names in the folder, first by their own, then by those that links give.

        Raises:
            RefusedError: A link leads outside of the folder, nowhere or in a circle, or there are too many.
        """
        own: dict[str, Path] = {}
        linked: dict[str, Path] = {}
        # Depth first, and each folder holds a file: the count of files bounds what links to links cost.
        todo = [_Folder(self._below, "")]
        while todo:
            folder = todo.pop()
            for last in self._inside.get(folder.path, ()):
                name, path, through = (
                    folder.beginning + last,
                    f"{folder.path}/{last}",
                    folder.through,
                )
                if isinstance(self._entries.get(path), Link):
                    through = (*through, path)
                    path = self._followed(path)
                entry = self._entries.get(path)
                if isinstance(entry, Path):
                    (linked if through else own)[name] = entry
                else:
                    self._check(path, through)
                    todo.append(_Folder(path, f"{name}/", through))
            if len(own) + len(linked) > MOST_FILES:
                raise self._wrong(f"links make more than {MOST_FILES} files of it; remove some")
        return dict(sorted(own.items())) | dict(sorted(linked.items()))

    def _place(self, name: str) -> None:
        """Note an entry in its folder, and each new folder in that above it."""
        while name:
            folder, last = posixpath.split(name)
            known = folder in self._inside
            self._inside.setdefault(folder, []).append(last)
            name = "" if known else folder

    def _followed(self, link: str) -> str:
        """Return where a link leads at last, through all links on the way."""
        todo, at, hops = link.split("/")[::-1], "", 0
        while todo:
            part = todo.pop()
            if part == "..":
                at = posixpath.dirname(at)
            elif part not in {"", "."}:
                at = posixpath.join(at, part)
            entry = self._entries.get(at)
            if isinstance(entry, Link):
                hops += 1
                if hops > MOST_HOPS:
                    raise self._circle(link)
                at = "" if entry.text.startswith("/") else posixpath.dirname(at)
                todo += entry.text.split("/")[::-1]
        if at == self._below:
            raise self._circle(link)
        if not at.startswith(f"{self._below}/") or not (at in self._entries or at in self._inside):
            raise self._wrong(
                f"{link} is a link to {at or '/'}, which /{self._below} does not have; copy the file into"
                " the image"
            )
        return at

    def _check(self, folder: str, through: tuple[str, ...]) -> None:
        """Refuse a folder that links lead to from inside of it."""
        if len(through) > MOST_HOPS or any(link.startswith(f"{folder}/") for link in through):
            raise self._circle(through[-1])

    def _circle(self, link: str) -> RefusedError:
        return self._wrong(
            f"{link} is a link that leads in a circle, or through more than {MOST_HOPS} links; let it"
            " name the file itself"
        )

    def _wrong(self, what: str) -> RefusedError:
        return RefusedError(FetchRefusal.WRONG_FORMAT, f"{self._where}: {what}")
