"""`EdgeModel.status`: one small document for people, kubectl, Argo CD and Flux, written once a pass.

Each target tells its own story (its build's until there is a certified one, its rollout's from then);
phase and conditions are made of these alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.actions import retry_asked
from skerry.api.edgemodel import (
    Address,
    BuildPhase,
    EdgeModelStatus,
    EngineBuildStatus,
    FrontEntry,
    Phase,
    TargetStatus,
)
from skerry.decide.build.builds import CLASS_MISSING, ENGINE_MISSING
from skerry.decide.build.engine_builds import NO_NODES
from skerry.decide.build.fetches import FETCHER_MISSING
from skerry.decide.build.sources import NOT_RESOLVED
from skerry.decide.build.variants import GATES_NOT_MET
from skerry.decide.conditions import Finding, conditions
from skerry.decide.pods.trouble import is_stuck
from skerry.decide.refused import STALLED, finding
from skerry.decide.rollout.report import DEADLINE_EXCEEDED
from skerry.decide.unreadable import NOT_READABLE
from skerry.jobs.errors import UNUSABLE
from skerry.jobs.plans import Role
from skerry.jobs.results import Refusal
from skerry.judging.choose import score
from skerry.judging.contest import joint_front

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from skerry.api import ModelVariantStatus
    from skerry.api.modelvariant import Trial
    from skerry.decide.build.builds import TargetBuild
    from skerry.decide.build.engine_builds import EngineBuild
    from skerry.decide.build.sources import Assessed
    from skerry.decide.outcome import TargetOutcome
    from skerry.decide.snapshot import Snapshot

NAME_CONFLICT = "NameConflict"
# With several classes the phase is the first of these that holds for any (design/product.md).
PHASE_ORDER = (
    Phase.FAILED, Phase.ROLLED_BACK, Phase.PAUSED, Phase.ROLLING_OUT, Phase.OPTIMIZING, Phase.PENDING,
    Phase.SERVING,
)  # fmt: skip
HISTORY_LENGTH = 32
REJECTED_LENGTH = 64
_NOT_ACCEPTED = {
    CLASS_MISSING, NOT_READABLE, ENGINE_MISSING, FETCHER_MISSING, NOT_RESOLVED, *UNUSABLE.values(),
    *(word.value for word in Refusal),
}  # fmt: skip
FRONT_LENGTH = 16
_STALLED = {Phase.FAILED, Phase.ROLLED_BACK}


def make_status(
    snapshot: Snapshot, assessed: Assessed, outcomes: Sequence[TargetOutcome], now: datetime
) -> EdgeModelStatus:
    """The whole status after this pass."""
    model = snapshot.model
    generation = model.metadata.generation or 0
    findings = _findings(snapshot, outcomes)
    rejections = [*model.status.rejected, *(r for o in outcomes for r in o.rollout.rejections)]
    history = [*model.status.history, *(h for o in outcomes for h in o.rollout.history)]
    pins = snapshot.pins
    resolved = pins.source is not None and pins.dataset is not None
    return EdgeModelStatus(
        observed_generation=generation,
        phase=_phase_of(outcomes, conflicted=bool(snapshot.conflicts or snapshot.unreadable)),
        source_digest=pins.source.digest if pins.source else model.status.source_digest,
        source_uri=pins.source.uri if pins.source else model.status.source_uri,
        source_fetched=pins.fetched.get(Role.SOURCE)
        if pins.source
        else model.status.source_fetched,
        dataset_digest=pins.dataset.digest if pins.dataset else model.status.dataset_digest,
        dataset_uri=pins.dataset.uri if pins.dataset else model.status.dataset_uri,
        dataset_fetched=pins.fetched.get(Role.DATASET)
        if pins.dataset
        else model.status.dataset_fetched,
        resolved_generation=generation if resolved else model.status.resolved_generation,
        assessment=assessed.assessment or model.status.assessment,
        targets=tuple(_target(snapshot, outcome) for outcome in outcomes),
        rejected=tuple(rejections[-REJECTED_LENGTH:]),
        history=tuple(history[-HISTORY_LENGTH:]),
        # A retry is honoured once the tags are resolved anew, not before.
        retry_nonce=retry_asked(model.metadata.annotations)
        if resolved
        else model.status.retry_nonce,
        address=_address(snapshot),
        conditions=conditions(findings, model.status.conditions, generation, now),
    )


def _phase_of(outcomes: Sequence[TargetOutcome], *, conflicted: bool) -> Phase:
    """Return one word for all targets, for people: no code reads it again."""
    if conflicted:
        return Phase.FAILED
    present = {outcome.story.phase for outcome in outcomes}
    return next((phase for phase in PHASE_ORDER if phase in present), Phase.PENDING)


def _target(snapshot: Snapshot, outcome: TargetOutcome) -> TargetStatus:
    build, rollout, story = outcome.build, outcome.rollout, outcome.story
    status = TargetStatus(
        hardware_class_name=build.hardware_class,
        phase=story.phase, reason=story.reason, message=story.message,
        engines=build.engines, constraints=build.constraints,
        builds=tuple(_engine(snapshot, one) for one in build.builds),
        choice=build.message if build.phase is None else "", front=_front(snapshot, build),
        variant_name=build.lead.variant if build.lead else None,
        engine=build.lead.engine if build.lead else None,
        desired=rollout.desired, attempt=rollout.attempt, stable=rollout.stable,
        candidate=rollout.candidate, previous=rollout.previous, approved=rollout.approved,
        nodes=rollout.counts, wave=rollout.wave, catching_up=rollout.catching_up,
        offenders=rollout.offenders,
    )  # fmt: skip
    known = _known(snapshot, build.lead) if build.lead else None
    return status.model_copy(update=_measured(known))


def _engine(snapshot: Snapshot, build: EngineBuild) -> EngineBuildStatus:
    """One engine's part of the story."""
    trial = build.certified
    weights = snapshot.model.spec.optimization.search.weights
    return EngineBuildStatus(
        engine=build.engine,
        variant_name=build.variant,
        phase=BuildPhase.CERTIFIED if build.phase is None else BuildPhase(build.phase.value),
        reason=build.reason,
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
    counting = [one for one in outcomes if one.story.reason != NO_NODES] or list(outcomes)
    builds = [outcome.build for outcome in outcomes]
    found = [
        _ready(snapshot, counting),
        _accepted(snapshot, builds),
        _optimized(builds),
        _certified(builds),
        _rolled_out(counting),
        _available(counting),
    ]
    stalled = _first(counting, _is_stalled)
    refused = finding(snapshot.refused)
    if snapshot.conflicts:
        found.append(
            Finding("Stalled", holds=True, reason=NAME_CONFLICT, message=_conflicts(snapshot))
        )
    elif snapshot.unreadable:
        found.append(
            Finding("Stalled", holds=True, reason=NOT_READABLE, message=_unreadable(snapshot))
        )
    elif refused is not None and (refused.type == STALLED or stalled is None):
        found.append(refused)
    elif stalled is not None:
        found.append(
            Finding("Stalled", holds=True, reason=stalled.story.reason, message=_say(stalled))
        )
    elif not found[0].holds:
        found.append(
            Finding("Reconciling", holds=True, reason=found[0].reason, message=found[0].message)
        )
    return found


def _ready(snapshot: Snapshot, outcomes: Sequence[TargetOutcome]) -> Finding:
    """What the spec asks for is what answers."""
    if snapshot.conflicts:
        return Finding("Ready", holds=False, reason=NAME_CONFLICT, message=_conflicts(snapshot))
    if snapshot.unreadable:
        return Finding("Ready", holds=False, reason=NOT_READABLE, message=_unreadable(snapshot))
    wanting = sorted(
        (one for one in outcomes if one.story.phase is not Phase.SERVING),
        key=lambda one: PHASE_ORDER.index(one.story.phase),
    )
    if not wanting:
        return Finding(
            "Ready", holds=True, reason="Serving", message="; ".join(map(_say, outcomes))
        )
    return Finding(
        "Ready", holds=False, reason=wanting[0].story.reason, message="; ".join(map(_say, wanting))
    )


def _accepted(snapshot: Snapshot, builds: Sequence[TargetBuild]) -> Finding:
    if snapshot.conflicts:
        return Finding("Accepted", holds=False, reason=NAME_CONFLICT, message=_conflicts(snapshot))
    if snapshot.unreadable:
        return Finding("Accepted", holds=False, reason=NOT_READABLE, message=_unreadable(snapshot))
    refused = next((build for build in builds if build.reason in _NOT_ACCEPTED), None)
    if refused is not None:
        return Finding("Accepted", holds=False, reason=refused.reason, message=refused.message)
    return Finding("Accepted", holds=True, reason="Accepted", message="every target can be built")


def _optimized(builds: Sequence[TargetBuild]) -> Finding:
    """Every target was built and measured, whatever the gates say to it."""
    missing = [
        build for build in builds if build.phase is not None and build.reason != GATES_NOT_MET
    ]
    return _all_builds("Optimized", missing, "every target is built and measured")


def _certified(builds: Sequence[TargetBuild]) -> Finding:
    missing = [build for build in builds if build.phase is not None]
    return _all_builds(
        "Certified", missing, "every target has a build that passes its required gates"
    )


def _all_builds(kind: str, missing: Sequence[TargetBuild], message: str) -> Finding:
    if not missing:
        return Finding(kind, holds=True, reason=kind, message=message)
    worst = min(missing, key=lambda build: PHASE_ORDER.index(build.phase or Phase.SERVING))
    said = "; ".join(f"{build.hardware_class}: {build.message}" for build in missing)
    return Finding(kind, holds=False, reason=worst.reason, message=said)


def _rolled_out(outcomes: Sequence[TargetOutcome]) -> Finding:
    behind = _first(outcomes, lambda one: one.story.phase is not Phase.SERVING)
    if behind is None:
        message = "the desired revision is stable in every class"
        return Finding("RolledOut", holds=True, reason="Promoted", message=message)
    return Finding("RolledOut", holds=False, reason=behind.story.reason, message=_say(behind))


def _available(outcomes: Sequence[TargetOutcome]) -> Finding:
    """A good revision answers on every reachable node; stays true through a rollback."""
    short = _first(outcomes, lambda one: one.rollout.counts.ready < one.reachable)
    if short is not None:
        ready = f"{short.rollout.counts.ready} of {short.reachable} reachable nodes answer"
        message = f"{short.name}: {ready}"
        if short.rollout.unanswered:
            message = f"{message}; {short.rollout.unanswered}"
        return Finding("Available", holds=False, reason="NotAnswering", message=message)
    if not any(one.reachable for one in outcomes):
        message = "no node of any target is reachable"
        return Finding("Available", holds=False, reason="NoReachableNodes", message=message)
    return Finding(
        "Available", holds=True, reason="Answering", message="every reachable node answers"
    )


def _is_stalled(outcome: TargetOutcome) -> bool:
    story = outcome.story
    if story.phase in _STALLED or story.reason == DEADLINE_EXCEEDED:
        return True
    return is_stuck(story.phase, story.reason)


def _first(
    outcomes: Sequence[TargetOutcome], check: Callable[[TargetOutcome], bool]
) -> TargetOutcome | None:
    return next((outcome for outcome in outcomes if check(outcome)), None)


def _say(outcome: TargetOutcome) -> str:
    return f"{outcome.name}: {outcome.story.message}"


def _conflicts(snapshot: Snapshot) -> str:
    names = ", ".join(snapshot.conflicts)
    return f"{names} exists and was not made for this EdgeModel: rename or delete it"


def _unreadable(snapshot: Snapshot) -> str:
    return "; ".join(snapshot.unreadable)


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
