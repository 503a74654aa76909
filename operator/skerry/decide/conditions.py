"""Kubernetes conditions: written in each reconcile, with a transition time that moves only with the status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.common import Condition, ConditionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from skerry.api.reasons import Cause, ConditionType


@dataclass(frozen=True)
class Finding:
    """What a condition shall say; `holds` None is Unknown."""

    type: ConditionType
    holds: bool | None
    cause: Cause

    @property
    def status(self) -> ConditionStatus:
        """The condition's status."""
        if self.holds is None:
            return ConditionStatus.UNKNOWN
        return ConditionStatus.TRUE if self.holds else ConditionStatus.FALSE


def conditions(
    findings: Iterable[Finding], before: Iterable[Condition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Return the findings as conditions, for a spec of this generation.

    `lastTransitionTime` is kept from `before` while the status is the same. Conditions that have no
    finding are gone (Reconciling and Stalled are there only while true).
    """
    known = {condition.type: condition for condition in before}
    return tuple(
        _condition(finding, known.get(finding.type), generation, now) for finding in findings
    )


def condition_of(found: Iterable[Condition], kind: str) -> Condition | None:
    """Return the condition of this type, if there."""
    return next((condition for condition in found if condition.type == kind), None)


def shortened(text: str, length: int) -> str:
    """Return the text, cut with an ellipsis where it exceeds the schema's limit."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _condition(
    finding: Finding, before: Condition | None, generation: int, now: datetime
) -> Condition:
    same = before is not None and before.status == finding.status
    return Condition(
        type=finding.type,
        status=finding.status,
        observed_generation=generation,
        last_transition_time=before.last_transition_time if same and before else now,
        reason=finding.cause.reason,
        message=finding.cause.message,
    )
