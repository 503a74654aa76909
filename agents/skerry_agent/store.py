"""What the agent keeps on disk, so that it works on after a restart without the API server.

The disk may be full, read-only or broken: what can't be written stays in memory and is tried again, and
what can't be read is set aside. Neither ends the agent.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from pydantic import Field

from skerry.api.common import Model
from skerry.api.edgenode import EdgeNodeSpec
from skerry_agent import metrics
from skerry_agent.files import FOLDER_MODE, set_aside, write_atomically
from skerry_agent.kubelet import Pod
from skerry_agent.ledger import KeptVeto, Ledger
from skerry_agent.trial.memory import Memory

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
RETRY_SECONDS = 5.0
"""Between two tries of a disk that refuses; a veto that is new is tried at once."""


class Kept(Model):
    """Everything but golden samples: routes as they came, pods, and the memory of each model.

    `place` is the device's shard and ring labels; None while they are not known.
    """

    schema_version: int = SCHEMA_VERSION
    hardware_class: str = ""
    place: EdgeNodeSpec | None = None
    routes: dict[str, dict[str, Any]] = Field(default_factory=dict)
    pods: dict[str, Pod] = Field(default_factory=dict)
    memories: dict[str, Memory] = Field(default_factory=dict)

    def vetoes(self) -> tuple[KeptVeto, ...]:
        """Return all vetoes with the models that they are about."""
        return tuple(
            KeptVeto(key=key, uid=memory.uid, veto=veto)
            for key, memory in sorted(self.memories.items())
            for veto in memory.vetoes
        )


class Store:
    """`state/agent.json` and `state/vetoes` below the state directory; written when something changed.

    Attributes:
        trouble: what the disk refused last; empty when everything is written.
    """

    def __init__(self, directory: Path) -> None:
        """Begin with nothing read."""
        self.path = directory / "state" / "agent.json"
        self.ledger = Ledger(directory / "state" / "vetoes")
        self.trouble = ""
        self._written: Kept | None = None
        self._again_at = 0.0

    def load(self) -> Kept:
        """Return what was stored, with every veto; empty on a new device, or when the files can't be read."""
        with suppress(OSError):
            self.path.parent.chmod(FOLDER_MODE)  # an earlier version left it open to all users
        kept = self._read()
        memories = dict(kept.memories)
        for entry in self.ledger.load():
            memory = memories.get(entry.key, Memory(uid=entry.uid))
            if memory.uid == entry.uid:
                memories[entry.key] = memory.with_vetoes([entry.veto])
        return kept.model_copy(update={"memories": memories})

    def _read(self) -> Kept:
        try:
            found = Kept.model_validate_json(self.path.read_bytes())
            if found.schema_version != SCHEMA_VERSION:
                raise ValueError(f"schema version {found.schema_version}, not {SCHEMA_VERSION}")  # noqa: TRY301
        except FileNotFoundError:
            return Kept()
        except (OSError, ValueError) as error:
            set_aside(self.path, _first_line(error))
            return Kept()
        self._written = found
        return found

    def lacks(self, kept: Kept) -> bool:
        """Return whether there is anything to write."""
        return bool(self.trouble) or kept != self._written or self.ledger.lacks(kept.vetoes())

    def save(self, kept: Kept) -> None:
        """Write what differs from the last time, vetoes first. Raises nothing: see `trouble`."""
        vetoes = kept.vetoes()
        now = monotonic()
        if self.trouble and now < self._again_at and not self.ledger.lacks(vetoes):
            return
        refused = ""
        try:
            self.ledger.save(vetoes)
        except OSError as error:
            refused = f"vetoes are in memory only: {error}"
        try:
            if kept != self._written:
                write_atomically(self.path, kept.model_dump_json())
                self._written = kept
        except OSError as error:
            refused = refused or f"the state of the models is in memory only: {error}"
        self._note(refused, now)

    def _note(self, refused: str, now: float) -> None:
        if refused and not self.trouble:
            log.error("the agent's state can't be written to disk: %s", refused)
        elif self.trouble and not refused:
            log.info("the agent's state can be written to disk again")
        self.trouble, self._again_at = refused, now + RETRY_SECONDS
        metrics.DISK_FAILING.set(bool(refused))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
