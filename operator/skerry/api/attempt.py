"""An attempt at a revision: what a veto, a halt, a rejection, a trial and a person's action are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class OfAttempt(Protocol):
    """Whatever is about an attempt; on the wire its two fields are `revision` and `attempt`."""

    @property
    def revision(self) -> str:
        """Name of the revision."""

    @property
    def attempt(self) -> int:
        """Number of the attempt."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at rolling out a revision; each retry increases the number."""

    revision: str
    number: int = 0

    @classmethod
    def of(cls, one: OfAttempt) -> Attempt:
        """Return the attempt that it is about."""
        return cls(one.revision, one.attempt)

    def matches(self, one: OfAttempt) -> bool:
        """Return whether it is about this attempt."""
        return (one.revision, one.attempt) == (self.revision, self.number)

    def is_ruled_out_by(self, one: OfAttempt) -> bool:
        """Return whether its failure counts here: it rules out its own attempt and those before."""
        return one.revision == self.revision and one.attempt >= self.number
