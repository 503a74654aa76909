"""What the agent stores of one model: the trial of its candidate, and the vetoes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from skerry.api.attempt import Attempt
from skerry.api.common import Model
from skerry.api.edgenode import CandidateState, Verdict, Veto

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_VETOES = 8
WITH_TRAFFIC = (CandidateState.SHIFTING, CandidateState.SOAKING, CandidateState.PASSED)


class NodeTrial(Model):
    """How far a revision came on this node.

    `step_since` is of the monotonic clock, which another boot starts at zero: it is not stored, and an agent
    that starts restarts the step.
    """

    revision: str
    attempt: int
    state: CandidateState = CandidateState.WAITING
    step: int = 0
    step_since: float = Field(default=0.0, exclude=True)
    losses: int = 0
    verdict: Verdict | None = None

    @property
    def key(self) -> Attempt:
        """What a veto sticks to."""
        return Attempt.of(self)

    @property
    def has_traffic(self) -> bool:
        """Whether its state gives the revision traffic."""
        return self.state in WITH_TRAFFIC


class Memory(Model):
    """What is stored of one model: it outlives the agent.

    `uid` is the EdgeModel's: one that is created again under its name has no past.
    """

    uid: str = ""
    trial: NodeTrial | None = None
    vetoes: tuple[Veto, ...] = ()

    def vetoed(self, attempt: Attempt) -> bool:
        """Return whether this attempt failed here."""
        return any(map(attempt.matches, self.vetoes))

    def with_vetoes(self, vetoes: Iterable[Veto]) -> Memory:
        """Return the memory with vetoes that it lacks, those that were stored elsewhere."""
        new = [veto for veto in vetoes if not self.vetoed(Attempt.of(veto))]
        return self.model_copy(update={"vetoes": (*new, *self.vetoes)[-MOST_VETOES:]})

    def with_trial(self, trial: NodeTrial | None) -> Memory:
        """Return the memory with another trial."""
        return self.model_copy(update={"trial": trial})

    def is_of_another(self, uid: str | None) -> bool:
        """Return whether the memory is of an earlier EdgeModel of the same name."""
        return bool(self.uid and uid and self.uid != uid)

    def identified(self, uid: str | None) -> Memory:
        """Return the memory with its EdgeModel's identity; an operator of an earlier version gives none."""
        return self.model_copy(update={"uid": uid}) if uid and self.uid != uid else self
