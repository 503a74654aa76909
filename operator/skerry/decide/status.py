"""`EdgeModel.status`: one small document for people, kubectl, Argo CD and Flux, written once a pass.

Each target tells its own story (its build's until there is a certified one, its rollout's from then);
phase and conditions are made of these alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skerry.api.actions import retry_asked
from skerry.api.edgemodel import (
    Address,
    ArtifactStatus,
    BuildPhase,
    BuildStatus,
    EdgeModelStatus,
    EngineBuildStatus,
    FrontEntry,
    JobSlot,
    Phase,
    RolloutStatus,
    TargetStatus,
)
from skerry.api.reasons import (
    Cause,
    ConditionType,
    GeneralReason,
    ModelReason,
    RolloutReason,
)
from skerry.decide.build.state import BuildState
from skerry.decide.conditions import Finding, conditions
from skerry.decide.refused import finding
from skerry.decide.rollout.model import Story
from skerry.judging.choose import score
from skerry.judging.contest import joint_front

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from skerry.api import ModelVariantStatus
    from skerry.api.edgemodel import NodeCounts
    from skerry.api.modelvariant import Trial
    from skerry.decide.build.builds import TargetBuild
    from skerry.decide.build.engine_builds import EngineBuild
    from skerry.decide.build.sources import Assessed
    from skerry.decide.rollout.model import TargetDecision
    from skerry.decide.snapshot import Snapshot

# With several classes the phase is the first of these that holds for any (design/product.md).
PHASE_ORDER = (
    Phase.FAILED, Phase.ROLLED_BACK, Phase.PAUSED, Phase.ROLLING_OUT, Phase.OPTIMIZING, Phase.PENDING,
    Phase.SERVING,
)  # fmt: skip
HISTORY_LENGTH = 32
REJECTED_LENGTH = 64
FRONT_LENGTH = 16


@dataclass(frozen=True)
class TargetOutcome:
    """What a pass found and decided for one target."""

    build: TargetBuild
    rollout: TargetDecision

    @property
    def hardware_class(self) -> str:
        """Name of the class."""
        return self.build.hardware_class

    @property
    def story(self) -> Story:
        """The build's story until one is certified, then the rollout's."""
        phase = self.build.state.phase
        if phase is None:
            return self.rollout.story
        message = self.build.cause.message + _meanwhile(self.rollout)
        cause = replace(self.build.cause, message=message)
        stalls = cause.stalls or self.build.state.has_failed
        return Story(
            phase,
            replace(cause, stalls=stalls),
            without_nodes=self.build.state is BuildState.WITHOUT_NODES,
        )

    @property
    def serves(self) -> bool:
        """Whether the desired revision answers on every reachable node."""
        return self.story.phase is Phase.SERVING

    def __str__(self) -> str:
        """The class and its message."""
        return f"{self.hardware_class}: {self.story.cause.message}"


def make_status(
    snapshot: Snapshot, assessed: Assessed, outcomes: Sequence[TargetOutcome], now: datetime
) -> EdgeModelStatus:
    """The whole status after this pass."""
    model = snapshot.model
    generation = model.metadata.generation or 0
    targets = tuple(_target(snapshot, outcome) for outcome in outcomes)
    findings = _findings(snapshot, outcomes)
    rejections = [*model.status.rejected, *(r for o in outcomes for r in o.rollout.rejections)]
    history = [*model.status.history, *(h for o in outcomes for h in o.rollout.history)]
    resolved = snapshot.pins.known.keys() >= model.spec.artifacts.keys()
    return EdgeModelStatus(
        observed_generation=generation,
        phase=phase_of(targets, conflicted=bool(snapshot.conflicts or snapshot.unreadable)),
        artifacts=tuple(_artifacts(snapshot)),
        resolved_generation=generation if resolved else model.status.resolved_generation,
        assessment=assessed.assessment or model.status.assessment,
        awaited_slot=_awaited_slot(outcomes),
        targets=targets,
        rejected=tuple(rejections[-REJECTED_LENGTH:]),
        history=tuple(history[-HISTORY_LENGTH:]),
        # A retry is honoured once the tags are resolved anew, not before.
        retry_nonce=retry_asked(model.metadata.annotations)
        if resolved
        else model.status.retry_nonce,
        address=_address(snapshot),
        conditions=conditions(findings, model.status.conditions, generation, now),
    )


def _artifacts(snapshot: Snapshot) -> Iterable[ArtifactStatus]:
    """What each artifact is resolved to; as before, while that is not known again."""
    for role in snapshot.model.spec.artifacts:
        pin, before = snapshot.pins.known.get(role), snapshot.model.status.artifact(role)
        if pin is not None:
            uri, digest = pin.artifact.uri, pin.artifact.digest
            yield ArtifactStatus(role=role, uri=uri, digest=digest, fetched=pin.fetched)
        elif before is not None:
            yield before


def _awaited_slot(outcomes: Sequence[TargetOutcome]) -> JobSlot | None:
    slots = {BuildState.QUEUED_TO_BUILD: JobSlot.BUILD, BuildState.QUEUED_TO_FETCH: JobSlot.FETCH}
    found = (slots.get(outcome.build.state) for outcome in outcomes)
    return next((slot for slot in found if slot is not None), None)


def phase_of(targets: Sequence[TargetStatus], *, conflicted: bool) -> Phase:
    """One word for all targets."""
    if conflicted:
        return Phase.FAILED
    present = {target.phase for target in targets}
    return next((phase for phase in PHASE_ORDER if phase in present), Phase.PENDING)


def _target(snapshot: Snapshot, outcome: TargetOutcome) -> TargetStatus:
    build, story = outcome.build, outcome.story
    return TargetStatus(
        hardware_class_name=build.hardware_class,
        phase=story.phase, reason=story.cause.reason, message=story.cause.message,
        engines=build.engines, constraints=build.constraints,
        build=_build(snapshot, build), rollout=_rollout(outcome.rollout),
    )  # fmt: skip


def _build(snapshot: Snapshot, build: TargetBuild) -> BuildStatus:
    status = BuildStatus(
        engine_builds=tuple(_engine(snapshot, one) for one in build.builds),
        choice=build.cause.message if build.is_certified else "",
        front=_front(snapshot, build),
        variant_name=build.lead.variant if build.lead else None,
        engine=build.lead.engine if build.lead else None,
    )
    known = _known(snapshot, build.lead) if build.lead else None
    return status.model_copy(update=_measured(known))


def _rollout(rollout: TargetDecision) -> RolloutStatus:
    return RolloutStatus(
        desired=rollout.desired, attempt=rollout.attempt, stable=rollout.stable,
        candidate=rollout.candidate, previous=rollout.previous, approved=rollout.approved,
        wave=rollout.wave, catching_up=rollout.catching_up, nodes=rollout.counts,
        offenders=rollout.offenders,
    )  # fmt: skip


def _engine(snapshot: Snapshot, build: EngineBuild) -> EngineBuildStatus:
    """One engine's part of the story."""
    trial = build.certified
    weights = snapshot.model.spec.optimization.search.weights
    return EngineBuildStatus(
        engine=build.engine,
        variant_name=build.variant,
        phase=BuildPhase((build.state.phase or build.state).value),
        reason=build.cause.reason,
        recipe=trial.recipe if trial else None,
        score=f"{score(trial, weights):.3f}" if trial else None,
    )


def _front(snapshot: Snapshot, build: TargetBuild) -> tuple[FrontEntry, ...]:
    """The Pareto front of all engines' trials so far."""
    known = {one.engine: _known(snapshot, one) for one in build.builds}
    trials = {engine: status.trials for engine, status in known.items() if status}
    return tuple(
        FrontEntry(engine=engine, recipe=trial.recipe, **_ratios(trial))
        for engine, trial in joint_front(trials)[:FRONT_LENGTH]
    )


def _meanwhile(rollout: TargetDecision) -> str:
    """Say what stable does until there is another certified build, by what its nodes report."""
    if not rollout.stable:
        return ""
    counts = rollout.counts
    reachable = counts.desired - counts.offline
    if counts.ready:
        nodes = f"{counts.ready} of {reachable} reachable nodes"
        return f"; {rollout.stable} continues to serve on {nodes}"
    where = "no reachable node" if counts.offline else "no node"
    return f"; {rollout.stable} answers on {where}"


def _known(snapshot: Snapshot, build: EngineBuild) -> ModelVariantStatus | None:
    """The variant's status: as it is to be written, or as it was stored."""
    variant = snapshot.variants.get(build.variant)
    return build.status or (variant.status if variant else None)


def _measured(status: ModelVariantStatus | None) -> dict[str, object]:
    """The figures of the certified build, for the status of its target."""
    if status is None or status.certificate is None or status.artifact is None:
        return {}
    trial = status.certificate.certified
    return {
        "recipe": trial.recipe,
        "precision": trial.precision,
        "image": status.artifact.image,
        **_ratios(trial),
    }


def _ratios(trial: Trial) -> dict[str, str]:
    figures = {
        "speedup": trial.speedup,
        "quality": trial.quality,
        "memory_reduction": trial.memory_reduction,
    }
    return {name: f"{float(interval.value):.3f}" for name, interval in figures.items() if interval}


def _findings(snapshot: Snapshot, outcomes: Sequence[TargetOutcome]) -> list[Finding]:
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
    """Why nothing at all can be done for the EdgeModel."""
    if snapshot.conflicts:
        return Cause(GeneralReason.NAME_CONFLICT, _conflicts(snapshot))
    if snapshot.unreadable:
        return Cause(GeneralReason.NOT_READABLE, "; ".join(snapshot.unreadable))
    return None


def _stalled(
    obstacle: Cause | None, refused: Finding | None, targets: Sequence[TargetOutcome]
) -> Finding | None:
    """What waits for a person; or a refused write that passes by itself, where nothing does."""
    if obstacle is not None:
        return Finding(ConditionType.STALLED, holds=True, cause=obstacle)
    stalled = next((target for target in targets if target.story.cause.stalls), None)
    if refused is not None and (refused.cause.stalls or stalled is None):
        return refused
    if stalled is None:
        return None
    return Finding(ConditionType.STALLED, holds=True, cause=_of_class(stalled))


def _ready(obstacle: Cause | None, targets: Sequence[TargetOutcome]) -> Finding:
    """What the spec asks for is what answers."""
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
    """Every target was built and measured, whatever the gates say to it."""
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
    """A good revision answers on every reachable node; stays true through a rollback."""
    short = next((target for target in targets if _is_short(target.rollout.counts)), None)
    if short is not None:
        cause = Cause(ModelReason.NOT_ANSWERING, _unanswered(short))
        return Finding(ConditionType.AVAILABLE, holds=False, cause=cause)
    counts = [target.rollout.counts for target in targets]
    if not any(one.desired > one.offline for one in counts):
        cause = Cause(ModelReason.NO_REACHABLE_NODES, "no node of any target is reachable")
        return Finding(ConditionType.AVAILABLE, holds=False, cause=cause)
    cause = Cause(ModelReason.ANSWERING, "every reachable node answers")
    return Finding(ConditionType.AVAILABLE, holds=True, cause=cause)


def _is_short(counts: NodeCounts) -> bool:
    return counts.ready < counts.desired - counts.offline


def _unanswered(target: TargetOutcome) -> str:
    counts, why = target.rollout.counts, target.rollout.unanswered
    reachable = counts.desired - counts.offline
    text = f"{target.hardware_class}: {counts.ready} of {reachable} reachable nodes answer"
    return f"{text}; {why}" if why else text


def _of_class(target: TargetOutcome) -> Cause:
    return replace(target.story.cause, message=str(target))


def _conflicts(snapshot: Snapshot) -> str:
    names = ", ".join(snapshot.conflicts)
    return f"{names} exists and was not made for this EdgeModel: rename or delete it"


def _address(snapshot: Snapshot) -> Address:
    metadata, gateway = snapshot.model.metadata, snapshot.gateway
    path = f"/{metadata.namespace}/{metadata.name}"
    by_ip = f"http://{gateway.cluster_ip}{path}" if gateway.cluster_ip else None
    by_port = f"http://NODE:{gateway.node_port}{path}" if gateway.node_port else None
    return Address(
        url=f"http://{metadata.name}.{metadata.namespace}.svc",
        grpc_target=f"{metadata.name}.{metadata.namespace}.svc:80",
        cluster_ip_url=by_ip,
        node_port_url=by_port,
    )
