"""The status of an EdgeModel or HardwareClass that can't be parsed, so this works on its JSON.

Three conditions are replaced. The rest of the status stays: without it a rollout would start over once
the object is readable again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry.api.edgemodel import Phase
from skerry.api.reasons import Cause, ConditionType, GeneralReason
from skerry.decide.conditions import Finding, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MESSAGE_LENGTH = 1024


def findings(message: str) -> tuple[Finding, ...]:
    """Return the conditions of an object that can't be acted on."""
    cause = Cause(GeneralReason.NOT_READABLE, message)
    return (
        Finding(ConditionType.READY, holds=False, cause=cause),
        Finding(ConditionType.ACCEPTED, holds=False, cause=cause),
        Finding(ConditionType.STALLED, holds=True, cause=cause),
    )


def status_of(item: Mapping[str, Any], message: str, now: datetime) -> dict[str, Any]:
    """Return the object's status with these conditions, as JSON; the same as before when it says so already."""
    status = dict(item.get("status") or {})
    generation = item["metadata"].get("generation", 0)
    present = [one for one in status.get("conditions") or () if isinstance(one, dict)]
    known = {one.get("type"): one for one in present}
    said = [_condition(one, known.get(one.type), generation, now) for one in findings(message)]
    replaced = {ConditionType.RECONCILING, *(one["type"] for one in said)}
    kept = [one for one in present if one.get("type") not in replaced]
    status |= {"observedGeneration": generation, "conditions": [*said, *kept]}
    return status | ({"phase": Phase.FAILED.value} if item.get("kind") == "EdgeModel" else {})


def _condition(
    finding: Finding, before: Mapping[str, Any] | None, generation: int, now: datetime
) -> dict[str, Any]:
    same = before is not None and before.get("status") == finding.status.value
    at = before.get("lastTransitionTime") if same and before else None
    return {
        "type": finding.type.value,
        "status": finding.status.value,
        "observedGeneration": generation,
        "lastTransitionTime": at or now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "reason": finding.cause.reason.value,
        "message": shortened(finding.cause.message, MESSAGE_LENGTH),
    }
