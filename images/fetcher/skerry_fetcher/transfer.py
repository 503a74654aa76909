"""Brings all files in over a line that breaks: what came is kept, the rest is asked for, with pauses.

It gives up when nothing new came in a number of tries in a row, not after a number of breaks: a long
download over a bad line gets through.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from skerry.api.reasons import FetchRefusal
from skerry_fetcher.errors import BrokenError, RefusedError
from skerry_fetcher.sink import Sink, too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from skerry_fetcher.listing import RemoteFile
    from skerry_fetcher.origins import Origin

logger = logging.getLogger(__name__)

TRIES = 8
"""Tries in a row without a new byte; with the pauses, about two minutes."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

T = TypeVar("T")


def fetch_all(origin: Origin, files: Mapping[str, RemoteFile], folder: Path, allowed: int) -> None:
    """Bring every file into the folder, under the names given.

    Args:
        origin: Where they come from.
        files: By name in the folder.
        folder: What lies there already is not fetched again.
        allowed: Bytes of all files together.

    Raises:
        RefusedError: One can't be had; those that came stay.
    """
    left = allowed
    for name, file in files.items():
        sink = Sink(folder / name, left, file.size)
        _bring(origin, file, sink)
        left -= sink.offset
        if left < 0:
            raise too_large("all of it", None, allowed)


def patiently(ask: Callable[[], T], progress: Callable[[], int] = lambda: 0) -> T:
    """Ask until there is an answer, or until nothing moves any more.

    Args:
        ask: May raise BrokenError, which is tried again.
        progress: A number that changes when something moved.

    Raises:
        RefusedError: As `ask` does, or when it was tried in vain.
    """
    patience = _Patience(progress)
    pauses = wait_exponential_jitter(
        multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS, jitter=0.5
    )
    try:
        return Retrying(
            retry=retry_if_exception_type(BrokenError),
            stop=patience,
            wait=lambda state: 0.0 if patience.moved else pauses(state),
            before_sleep=_say,
            reraise=True,
        )(ask)
    except BrokenError as error:
        message = f"{error}; given up after {TRIES} tries in a row without a byte"
        raise RefusedError(FetchRefusal.UNREACHABLE, message) from error


class _Patience:
    """Counts tries since something moved last."""

    def __init__(self, progress: Callable[[], int]) -> None:
        self._progress = progress
        self._seen = progress()
        self._tries = 0
        self.moved = False

    def __call__(self, _: RetryCallState) -> bool:
        now = self._progress()
        self.moved = now != self._seen
        self._seen = now
        self._tries = 0 if self.moved else self._tries + 1
        return self._tries >= TRIES


def _bring(origin: Origin, file: RemoteFile, sink: Sink) -> None:
    def ask() -> None:
        origin.fetch(file, sink)
        if file.size is not None and sink.offset != file.size:
            raise BrokenError(f"{file.name} ended at {sink.offset} of {file.size} bytes")

    patiently(ask, lambda: sink.offset)


def _say(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("again: %s", error)
