"""What a reason is: one CamelCase word for programs, with its meaning; and the types of conditions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class ConditionType(StrEnum):
    """The types of conditions, of all kinds."""

    READY = "Ready"
    ACCEPTED = "Accepted"
    OPTIMIZED = "Optimized"
    CERTIFIED = "Certified"
    ROLLED_OUT = "RolledOut"
    AVAILABLE = "Available"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    DISTINCT = "Distinct"
    UNIFORM = "Uniform"
    AS_SPECIFIED = "AsSpecified"
    COMPLETE = "Complete"


class Reason(StrEnum):
    """Base of all reasons.

    Attributes:
        meaning: in a sentence, for the documentation.
    """

    meaning: str

    def __new__(cls, word: str, meaning: str = "") -> Self:
        """Make a member from its word and meaning."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member


@dataclass(frozen=True)
class Cause:
    """Why something is as it is.

    Attributes:
        reason: for programs.
        message: for people.
        stalls: whether it stays so until a person acts (kstatus' Stalled).
    """

    reason: Reason
    message: str
    stalls: bool = False
