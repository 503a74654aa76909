"""How far a build is, as a type that code branches on; people read its phase, reason and message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from skerry.api.edgemodel import Phase

if TYPE_CHECKING:
    from skerry.api.reasons import Cause


class BuildState(Enum):
    """How far a build is, or a step before it.

    Rejected: the spec asks for what there is not, or names what can't be used. Waiting: for something that
    comes without anybody doing anything.
    """

    REJECTED = "Rejected"
    WAITING = "Waiting"
    WITHOUT_NODES = "WithoutNodes"
    QUEUED_TO_FETCH = "QueuedToFetch"
    QUEUED_TO_BUILD = "QueuedToBuild"
    SUSPENDED = "Suspended"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    GATES_NOT_MET = "GatesNotMet"
    CERTIFIED = "Certified"

    @property
    def phase(self) -> Phase | None:
        """The phase to show; None once certified, when the rollout has one."""
        return _PHASES.get(self)

    @property
    def has_failed(self) -> bool:
        """Whether it stays so until a person changes something."""
        return self.phase is Phase.FAILED


_PHASES = {
    BuildState.REJECTED: Phase.FAILED,
    BuildState.WAITING: Phase.PENDING,
    BuildState.WITHOUT_NODES: Phase.PENDING,
    BuildState.QUEUED_TO_FETCH: Phase.PENDING,
    BuildState.QUEUED_TO_BUILD: Phase.PENDING,
    BuildState.SUSPENDED: Phase.PAUSED,
    BuildState.IN_PROGRESS: Phase.OPTIMIZING,
    BuildState.FAILED: Phase.FAILED,
    BuildState.GATES_NOT_MET: Phase.FAILED,
}


@dataclass(frozen=True)
class Failure:
    """Why a job has failed, and whether its input is at fault (Rejected) or something else (Failed)."""

    state: BuildState
    cause: Cause
