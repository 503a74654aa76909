"""A file that grows as bytes come in; a broken download continues after the bytes that are there."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from skerry.api.reasons import FetchRefusal
from skerry_fetcher.errors import RefusedError
from skerry_fetcher.listing import human

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_WORDS = 5.0


class Sink:
    """The target of one file's download.

    Args:
        path: Where it grows; what lies there is its beginning.
        allowed: Bytes that it may have at most.
        size: Bytes that it shall have, when known.
    """

    def __init__(self, path: Path, allowed: int, size: int | None) -> None:
        self.path = path
        self.size = size
        self._allowed = allowed
        self._reported_at = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    @property
    def offset(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size

    @property
    def is_complete(self) -> bool:
        """Whether all is there, as far as the size is known."""
        return self.size is not None and self.offset == self.size

    def restart(self) -> None:
        """Throw away what is there."""
        self.path.write_bytes(b"")

    def write(self, chunk: bytes) -> None:
        """Append.

        Raises:
            RefusedError: More than is allowed.
        """
        with self.path.open("ab") as file:
            file.write(chunk)
            offset = file.tell()
        if offset > self._allowed:
            raise too_large(self.path.name, None, self._allowed)
        self._tell(offset)

    def _tell(self, offset: int) -> None:
        now = time.monotonic()
        if now - self._reported_at >= SECONDS_BETWEEN_WORDS:
            self._reported_at = now
            of = f" of {human(self.size)}" if self.size is not None else ""
            logger.info("%s: %s%s", self.path.name, human(offset), of)


def too_large(what: str, size: int | None, allowed: int) -> RefusedError:
    """Return the error for files that exceed the size limit."""
    has = f"has {human(size)}, and" if size is not None else "is larger than allowed:"
    return RefusedError(
        FetchRefusal.TOO_LARGE,
        f"{what} {has} {human(allowed)} may be fetched; raise sizeLimit in the spec, or the chart's"
        " sources.sizeLimit, if it is meant to be so large",
    )
