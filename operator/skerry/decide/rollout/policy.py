"""`spec.rollout` and `spec.guard` as the machine reads them. A change takes effect at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.decide.rollout.model import RolloutPolicy
from skerry.decide.units import parse_duration

if TYPE_CHECKING:
    from skerry.api.edgemodel import EdgeModelSpec


def policy_from_spec(spec: EdgeModelSpec) -> RolloutPolicy:
    """The policy of an EdgeModel; the same for all its targets.

    Raises:
        ValueError: a duration that the schema should have refused.
    """
    return RolloutPolicy(
        wave_percents=tuple(wave.percent for wave in spec.rollout.waves),
        traffic=spec.rollout.traffic,
        soak_seconds=parse_duration(spec.rollout.soak),
        rollback_window_seconds=parse_duration(spec.rollout.rollback_window),
        min_samples=spec.guard.min_samples,
        rules=spec.guard.rules,
        max_degraded_nodes=spec.guard.max_degraded_nodes,
        lost_after_seconds=parse_duration(spec.guard.lost_after),
    )
