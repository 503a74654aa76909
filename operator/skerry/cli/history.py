"""How revisions ended, the newest first, and what may not be tried again. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from skerry.api.edgemodel import Outcome
from skerry.cli.status.words import age

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from skerry.api import EdgeModel

_STYLES = {Outcome.PROMOTED: "green", Outcome.SUPERSEDED: "dim"}


def table(model: EdgeModel, classes: Sequence[str], now: datetime) -> Table:
    """Return the history of these classes; of all when none is named."""
    shown = Table("when", "class", "revision", "outcome", "why", title=model.metadata.name)
    entries = [e for e in model.status.history if not classes or e.hardware_class_name in classes]
    for entry in sorted(entries, key=lambda entry: entry.completion_time, reverse=True):
        style = _STYLES.get(entry.outcome, "red")
        why = entry.message + _retry(
            model, entry.hardware_class_name, entry.revision, entry.outcome
        )
        when = f"{entry.completion_time:%Y-%m-%d %H:%M:%S} ({age(entry.completion_time, now)} ago)"
        shown.add_row(
            when, entry.hardware_class_name, entry.revision, f"[{style}]{entry.outcome}[/]", why
        )
    return shown


def _retry(model: EdgeModel, hardware_class: str, revision: str, outcome: Outcome) -> str:
    if outcome not in (Outcome.ROLLED_BACK, Outcome.ABORTED):
        return ""
    target = next(
        (t for t in model.status.targets if t.hardware_class_name == hardware_class), None
    )
    if (
        target is None
        or target.rollout.desired != revision
        or target.rollout.candidate
        or target.rollout.stable == revision
    ):
        return ""
    return " [the spec still requires it: `retry`, or change the spec]".replace("[", "\\[")
