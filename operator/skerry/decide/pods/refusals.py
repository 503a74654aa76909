"""Why the API server makes no pod of a DaemonSet or Job: the Events of their controllers, in few words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from skerry.api.reasons import Cause, PodReason
from skerry.decide.conditions import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skerry.decide.snapshot import EventView

FAILED_CREATE = "FailedCreate"
WORDS_LENGTH = 150
_BEFORE = re.compile(
    r'^(\(combined from similar events\): )?(Error creating: )?(pods "[^"]*" is forbidden: )?'
)
_CURES = tuple(
    (re.compile(pattern), cure)
    for pattern, cure in (
        (
            r"(?:exceeded|failed) quota: ([^,:\s]+)",
            "ResourceQuota {0} of namespace {namespace} must have room for it",
        ),
        (
            r"per (?:Container|Pod) is |limit to request ratio",
            "the LimitRange of namespace {namespace} must allow it",
        ),
        (
            r"no PriorityClass with name (\S+) was found",
            "create PriorityClass {0}, or remove its name from the chart's values",
        ),
        (
            "violates PodSecurity",
            "the label pod-security.kubernetes.io/enforce of namespace {namespace} must allow it",
        ),
        ("failed calling webhook", "that admission webhook must answer"),
        ("denied (?:the )?request", "that admission policy must allow it"),
    )
)


def refusal(events: Sequence[EventView], owner: str, namespace: str) -> Cause | None:
    """Return why no pod is made, as the newest Event says; None when none says so.

    Args:
        events: of the DaemonSet or Job, newest first.
        owner: its kind and name, as kubectl takes them.
        namespace: of it.
    """
    found = next((event for event in events if event.reason == FAILED_CREATE), None)
    if found is None:
        return None
    words = _BEFORE.sub("", found.message.strip())
    cure = _cure(words, owner, namespace)
    said = f"its pod was refused at {found.at:%H:%M:%S} UTC: {shortened(words, WORDS_LENGTH)}"
    return Cause(PodReason.FORBIDDEN, f"{said}; {cure}")


def _cure(words: str, owner: str, namespace: str) -> str:
    """Return what must be so, which stays true after it was done: controllers try again by themselves."""
    for pattern, cure in _CURES:
        found = pattern.search(words)
        if found is not None:
            return cure.format(*found.groups(), namespace=namespace)
    return f"see kubectl -n {namespace} describe {owner}"
