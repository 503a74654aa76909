"""Vetoes in a file of fixed size that is overwritten in place, so that a full disk can't lose a Fail.

Two slots are written in turn, each with a check sum: when the power goes in the middle of one, the
other still holds what was written before. A file system that copies on write may refuse all the same
when it is full; then the vetoes stay in memory and in EdgeNode.status.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING
from zlib import crc32

from pydantic import TypeAdapter, ValidationError

from skerry.api.common import Model
from skerry.api.edgenode import Veto
from skerry_agent.files import FILE_MODE, FOLDER_MODE, set_aside, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

SLOT_BYTES = 32768
SLOTS = 2
MAGIC = b"skerry-vetoes-1"
HEAD = "{magic} {sequence:020d} {length:010d} {check:010d}\n"
HEAD_BYTES = len(MAGIC) + 45


class KeptVeto(Model):
    """A veto with the model that it is about: `key` is its name, `uid` its identity."""

    key: str
    uid: str = ""
    veto: Veto


Vetoes = tuple[KeptVeto, ...]
_FORM = TypeAdapter(Vetoes)


class Ledger:
    """The file; `load` before the first `save`."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self.path = path
        self._written: Vetoes | None = None
        self._tried: Vetoes | None = None
        self._sequence = 0

    def load(self) -> Vetoes:
        """Return what was written last, nothing on a new device; a damaged file is set aside."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            set_aside(self.path, error)
            return ()
        slots = [_read(data[at : at + SLOT_BYTES]) for at in range(0, len(data), SLOT_BYTES)]
        found = [slot for slot in slots if slot is not None]
        if not found:
            if data.strip(b"\0"):
                set_aside(self.path, "neither half of it is whole")
            return ()
        self._sequence, self._written = max(found, key=lambda slot: slot[0])
        return self._written

    def lacks(self, vetoes: Vetoes) -> bool:
        """Return whether one of the vetoes was never tried to be written."""
        return vetoes != self._tried

    def save(self, vetoes: Vetoes) -> None:
        """Write vetoes that differ from the last time; raises OSError when the disk refuses."""
        self._tried = vetoes
        if vetoes == self._written:
            return
        self._reserve()
        sequence = self._sequence + 1
        data = _slot(sequence, vetoes)
        number = os.open(self.path, os.O_WRONLY)
        try:
            written = os.pwrite(number, data, sequence % SLOTS * SLOT_BYTES)
            os.fsync(number)
        finally:
            os.close(number)
        if written < len(data):
            raise OSError(f"only {written} of {len(data)} bytes were written to {self.path}")
        self._sequence, self._written = sequence, vetoes

    def _reserve(self) -> None:
        """Take the room on the disk, with real bytes: later writes need no new blocks."""
        with suppress(FileNotFoundError):
            if self.path.stat().st_size == SLOTS * SLOT_BYTES:
                return
        self.path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            with os.fdopen(os.open(self.path, flags, FILE_MODE), "wb") as file:
                file.write(bytes(SLOTS * SLOT_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                self.path.unlink()
            raise
        sync_folder(self.path.parent)


def _slot(sequence: int, vetoes: Vetoes) -> bytes:
    """Return a slot's bytes: the newest vetoes that it holds."""
    newest = sorted(vetoes, key=lambda kept: kept.veto.failure_time, reverse=True)
    body = _FORM.dump_json(tuple(newest))
    while len(body) > SLOT_BYTES - HEAD_BYTES:
        newest = newest[: len(newest) * 3 // 4]
        body = _FORM.dump_json(tuple(newest))
    head = HEAD.format(
        magic=MAGIC.decode(), sequence=sequence, length=len(body), check=crc32(body)
    ).encode()
    return (head + body).ljust(SLOT_BYTES, b"\0")


def _read(slot: bytes) -> tuple[int, Vetoes] | None:
    """Return a slot's sequence and vetoes; None when it is empty or broken."""
    head, _, rest = slot.partition(b"\n")
    parts = head.split()
    if len(parts) != 4 or parts[0] != MAGIC:  # noqa: PLR2004 - magic, sequence, length, check sum
        return None
    try:
        sequence, length, check = (int(part) for part in parts[1:])
        body = rest[:length]
        return None if crc32(body) != check else (sequence, _FORM.validate_json(body))
    except (ValueError, ValidationError):
        return None
