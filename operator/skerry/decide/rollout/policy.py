"""`spec.rollout`, `spec.guard` and the annotations as the machine reads them. A change takes effect at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.actions import ANNOTATION_ABORT, ANNOTATION_PROMOTE, ANNOTATION_UNDO, marks
from skerry.api.rollout import Promotion
from skerry.api.units import parse_duration
from skerry.decide.rollout.model import Actions, RolloutPolicy, WaveStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api.edgemodel import EdgeModelSpec


def policy_from_spec(spec: EdgeModelSpec) -> RolloutPolicy:
    """Return the policy of an EdgeModel; the same for all its targets.

    Raises:
        ValueError: a duration that the schema should have refused.
    """
    return RolloutPolicy(
        waves=tuple(
            WaveStep(wave.percent, tuple(sorted((wave.node_selector or {}).items())))
            for wave in spec.rollout.waves
        ),
        traffic=spec.rollout.traffic,
        soak_seconds=parse_duration(spec.rollout.soak),
        rollback_window_seconds=parse_duration(spec.rollout.rollback_window),
        min_samples=spec.guard.min_samples,
        rules=spec.guard.rules,
        max_degraded_nodes=spec.guard.max_degraded_nodes,
        lost_after_seconds=parse_duration(spec.guard.lost_after),
        progress_seconds=parse_duration(spec.rollout.progress_deadline),
        max_concurrent_pulls=spec.rollout.max_concurrent_pulls,
        manual=spec.rollout.promotion is Promotion.MANUAL,
        suspended=spec.suspend,
        standby=spec.rollout.standby,
    )


def actions_from(annotations: Mapping[str, str]) -> Actions:
    """Return what the annotations of an EdgeModel ask for."""
    return Actions(
        promote=marks(annotations, ANNOTATION_PROMOTE),
        abort=frozenset(mark.attempt for mark in marks(annotations, ANNOTATION_ABORT)),
        undo=frozenset(mark.attempt for mark in marks(annotations, ANNOTATION_UNDO)),
    )
