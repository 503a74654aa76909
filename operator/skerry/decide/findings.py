"""The conditions of an EdgeModel, from what was found and decided for its targets. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from skerry.api.edgemodel import Phase
from skerry.api.reasons import Cause, ConditionType, GeneralReason, ModelReason, RolloutReason
from skerry.decide.build.state import BuildState
from skerry.decide.conditions import Finding
from skerry.decide.outcome import PHASE_ORDER
from skerry.decide.refused import finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skerry.decide.build.builds import TargetBuild
    from skerry.decide.outcome import TargetOutcome
    from skerry.decide.snapshot import Snapshot


def findings(snapshot: Snapshot, outcomes: Sequence[TargetOutcome]) -> list[Finding]:
    """Return the conditions that the EdgeModel shall have after this reconcile."""
    # A class without nodes does not stand in the way of the others.
    counting = [one for one in outcomes if not one.story.without_nodes] or list(outcomes)
    builds = [outcome.build for outcome in outcomes]
    obstacle = _obstacle(snapshot)
    ready = _ready(obstacle, counting)
    found = [
        ready,
        _accepted(obstacle, builds),
        _optimized(builds),
        _certified(builds),
        _rolled_out(counting),
        _available(counting),
    ]
    waits = _stalled(obstacle, finding(snapshot.refused), counting)
    if waits is None and not ready.holds:
        waits = Finding(ConditionType.RECONCILING, holds=True, cause=ready.cause)
    return [*found, waits] if waits else found


def _obstacle(snapshot: Snapshot) -> Cause | None:
    """Return why nothing can be done for the EdgeModel."""
    if snapshot.conflicts:
        return Cause(GeneralReason.NAME_CONFLICT, _conflicts(snapshot))
    if snapshot.unreadable:
        return Cause(GeneralReason.NOT_READABLE, "; ".join(snapshot.unreadable))
    return None


def _stalled(
    obstacle: Cause | None, refused: Finding | None, targets: Sequence[TargetOutcome]
) -> Finding | None:
    """Return what needs a person; without that, a refused write that may succeed later."""
    if obstacle is not None:
        return Finding(ConditionType.STALLED, holds=True, cause=obstacle)
    stalled = next((target for target in targets if target.story.cause.stalls), None)
    if refused is not None and (refused.cause.stalls or stalled is None):
        return refused
    if stalled is None:
        return None
    return Finding(ConditionType.STALLED, holds=True, cause=_of_class(stalled))


def _ready(obstacle: Cause | None, targets: Sequence[TargetOutcome]) -> Finding:
    """Return whether what answers is what the spec asks for."""
    if obstacle is not None:
        return Finding(ConditionType.READY, holds=False, cause=obstacle)
    wanting = sorted(
        (target for target in targets if not target.serves),
        key=lambda target: PHASE_ORDER.index(target.story.phase),
    )
    said = "; ".join(map(str, wanting or targets))
    if not wanting:
        cause = Cause(RolloutReason.SERVING, said)
        return Finding(ConditionType.READY, holds=True, cause=cause)
    cause = replace(wanting[0].story.cause, message=said)
    return Finding(ConditionType.READY, holds=False, cause=cause)


def _accepted(obstacle: Cause | None, builds: Sequence[TargetBuild]) -> Finding:
    rejected = (build.cause for build in builds if build.state is BuildState.REJECTED)
    cause = obstacle or next(rejected, None)
    if cause is not None:
        return Finding(ConditionType.ACCEPTED, holds=False, cause=cause)
    cause = Cause(ModelReason.ACCEPTED, "every target can be built")
    return Finding(ConditionType.ACCEPTED, holds=True, cause=cause)


def _optimized(builds: Sequence[TargetBuild]) -> Finding:
    """Return whether every target was built and measured, whatever the gates decide."""
    measured = {BuildState.CERTIFIED, BuildState.GATES_NOT_MET}
    missing = [build for build in builds if build.state not in measured]
    reached = Cause(ModelReason.OPTIMIZED, "every target is built and measured")
    return _all_builds(ConditionType.OPTIMIZED, missing, reached)


def _certified(builds: Sequence[TargetBuild]) -> Finding:
    missing = [build for build in builds if not build.is_certified]
    message = "every target has a build that passes its required gates"
    return _all_builds(ConditionType.CERTIFIED, missing, Cause(ModelReason.CERTIFIED, message))


def _all_builds(kind: ConditionType, missing: Sequence[TargetBuild], reached: Cause) -> Finding:
    if not missing:
        return Finding(kind, holds=True, cause=reached)
    worst = min(missing, key=lambda build: PHASE_ORDER.index(build.state.phase or Phase.SERVING))
    said = "; ".join(f"{build.hardware_class}: {build.cause.message}" for build in missing)
    return Finding(kind, holds=False, cause=replace(worst.cause, message=said))


def _rolled_out(targets: Sequence[TargetOutcome]) -> Finding:
    behind = next((target for target in targets if not target.serves), None)
    if behind is None:
        cause = Cause(ModelReason.PROMOTED, "the desired revision is stable in every class")
        return Finding(ConditionType.ROLLED_OUT, holds=True, cause=cause)
    return Finding(ConditionType.ROLLED_OUT, holds=False, cause=_of_class(behind))


def _available(targets: Sequence[TargetOutcome]) -> Finding:
    """Return whether a good revision answers on every reachable node; it stays true through a rollback."""
    short = next((one for one in targets if one.rollout.counts.ready < one.reachable), None)
    if short is not None:
        cause = Cause(ModelReason.NOT_ANSWERING, _unanswered(short))
        return Finding(ConditionType.AVAILABLE, holds=False, cause=cause)
    if not any(one.reachable for one in targets):
        cause = Cause(ModelReason.NO_REACHABLE_NODES, "no node of any target is reachable")
        return Finding(ConditionType.AVAILABLE, holds=False, cause=cause)
    cause = Cause(ModelReason.ANSWERING, "every reachable node answers")
    return Finding(ConditionType.AVAILABLE, holds=True, cause=cause)


def _unanswered(target: TargetOutcome) -> str:
    rollout = target.rollout
    text = f"{target.name}: {rollout.counts.ready} of {target.reachable} reachable nodes answer"
    return f"{text}; {rollout.unanswered}" if rollout.unanswered else text


def _of_class(target: TargetOutcome) -> Cause:
    return replace(target.story.cause, message=str(target))


def _conflicts(snapshot: Snapshot) -> str:
    names = ", ".join(snapshot.conflicts)
    return f"{names} exists and was not made for this EdgeModel: rename or delete it"
