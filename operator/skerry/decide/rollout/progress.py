"""Whether a wave gets on: when a node last joined it or passed, and until when another should have."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from skerry.decide.rollout.wave import remembered_wave

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.decide.rollout.model import TargetView
    from skerry.decide.rollout.wave import Wave


def progressed_at(
    view: TargetView, wave: Wave, nodes: int, passed: int, now: datetime
) -> datetime | None:
    """When the wave last got on, for the status; None while suspended, so that waiting then is no fault.

    Args:
        view: with the status as last written.
        wave: as of this pass.
        nodes: in the wave now.
        passed: of these.
        now: UTC.
    """
    if view.policy.suspended:
        return None
    before = remembered_wave(view, wave.candidate.revision)
    same = before is not None and before.index == wave.index
    if before is None or not same or before.progressed_at is None:
        return now
    return now if nodes > before.nodes or passed > before.passed else before.progressed_at


def deadline(view: TargetView) -> datetime | None:
    """When the remembered wave counts as stalled unless it gets on; None without one."""
    status = view.status
    if status is None or status.wave is None or status.wave.progressed_at is None:
        return None
    patience = view.policy.soak_seconds + view.policy.progress_seconds
    return status.wave.progressed_at + timedelta(seconds=patience)
