"""A page for the reasons, from their enums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.tools.table import code, table
from skerry.api.reasons import SUBJECTS

if TYPE_CHECKING:
    from skerry.api.reasons import Reason

INTRODUCTION = """# Reasons

A condition, a target, an engine's build and an Event give their cause as a reason (one word, for programs) and a
message (for people). [Troubleshooting](../troubleshooting.md) says what to do about each.
"""


def render() -> str:
    """Return the page."""
    return INTRODUCTION + "".join(map(_part, SUBJECTS))


def _part(subject: type[Reason]) -> str:
    title = (subject.__doc__ or "").partition("\n")[0].rstrip(".")
    rows = [(code(reason.value), reason.meaning) for reason in subject]
    return f"\n## {title}\n\n{table(('reason', 'what it means'), rows)}"
