"""What the agent keeps on disk, so that it works on after a restart without the API server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from skerry.api.common import Model
from skerry_agent.files import write_atomically
from skerry_agent.plan import Memory
from skerry_agent.pods import Pod

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)


class Kept(Model):
    """Everything but golden samples: routes as they came, pods, and the memory of each model."""

    hardware_class: str = ""
    routes: dict[str, dict[str, Any]] = Field(default_factory=dict)
    pods: dict[str, Pod] = Field(default_factory=dict)
    memories: dict[str, Memory] = Field(default_factory=dict)


class Store:
    """`state/agent.json` below the state directory; written only when something changed."""

    def __init__(self, directory: Path) -> None:
        """Nothing is read yet."""
        self.path = directory / "state" / "agent.json"
        self._written: Kept | None = None

    def load(self) -> Kept:
        """What was kept; empty on a new device, and said so when the file can't be read."""
        try:
            self._written = Kept.model_validate_json(self.path.read_text())
        except FileNotFoundError:
            return Kept()
        except (OSError, ValidationError) as error:
            log.error("%s can't be read, beginning anew: %s", self.path, error)  # noqa: TRY400
            return Kept()
        return self._written

    def save(self, kept: Kept) -> None:
        """Writes what differs from the last time."""
        if kept != self._written:
            write_atomically(self.path, kept.model_dump_json())
            self._written = kept
