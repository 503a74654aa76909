"""What one rule, or all of them together, found: an outcome with the figures behind it."""

from __future__ import annotations

from dataclasses import dataclass

from skerry.api.edgenode import VerdictOutcome


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome for people and for the rollout.

    `samples` are the candidate's; `first_bad_at` is in the clock of the answers, in seconds.
    """

    outcome: VerdictOutcome
    rule: str
    observed: str = ""
    bound: str = ""
    samples: int = 0
    message: str = ""
    first_bad_at: float | None = None


def no_data(rule: str, have: int, need: int, whose: str = "the candidate") -> Finding:
    """Return that there are too few answers to judge, which neither passes nor fails."""
    return Finding(
        VerdictOutcome.NO_DATA,
        rule,
        samples=have,
        message=f"{rule}: {have} of {need} answers from {whose} so far",
    )
