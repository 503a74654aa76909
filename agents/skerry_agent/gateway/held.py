"""A file that holds a text whatever happens to it: a bit of the disk that flips, a hand, a full disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry_agent.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

READ_EVERY = 30
"""Calls between two readings of a file whose size and times are as they were left."""


class Held:
    """One file."""

    def __init__(self, path: Path) -> None:
        """Begin with nothing read or written."""
        self.path = path
        self._text: str | None = None
        self._left: tuple[int, int, int] | None = None
        self._calls = 0

    def holds(self, text: str) -> bool:
        """Return whether the file holds the text; most times by a look at its size and times alone."""
        self._calls += 1
        if text == self._text and self._signature() == self._left and self._calls % READ_EVERY:
            return True
        return self._read() == text.encode()

    def write(self, text: str) -> None:
        """Make the file hold the text; raises OSError when the disk refuses."""
        if not self.holds(text):
            write_atomically(self.path, text)
        self._text, self._left = text, self._signature()

    def _read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except OSError:
            return None

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
