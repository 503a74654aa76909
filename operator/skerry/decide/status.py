"""`EdgeModel.status`: one small document for people, kubectl, Argo CD and Flux, written once a pass.

Each target tells its own story (its build's until there is a certified one, its rollout's from then);
phase and conditions are made of these alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.actions import retry_asked
from skerry.api.edgemodel import (
    Address,
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
from skerry.decide.build.variants import CERTIFIED, GATES_NOT_MET
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
    from skerry.decide.rollout.model import TargetDecision
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


@dataclass(frozen=True)
class TargetOutcome:
    """What a pass found and decided for one target."""

    build: TargetBuild
    rollout: TargetDecision


def make_status(
    snapshot: Snapshot, assessed: Assessed, outcomes: Sequence[TargetOutcome], now: datetime
) -> EdgeModelStatus:
    """The whole status after this pass."""
    model = snapshot.model
    generation = model.metadata.generation or 0
    targets = tuple(_target(snapshot, outcome) for outcome in outcomes)
    findings = _findings(snapshot, targets, outcomes)
    rejections = [*model.status.rejected, *(r for o in outcomes for r in o.rollout.rejections)]
    history = [*model.status.history, *(h for o in outcomes for h in o.rollout.history)]
    pins = snapshot.pins
    resolved = pins.source is not None and pins.dataset is not None
    return EdgeModelStatus(
        observed_generation=generation,
        phase=phase_of(targets, conflicted=bool(snapshot.conflicts or snapshot.unreadable)),
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


def phase_of(targets: Sequence[TargetStatus], *, conflicted: bool) -> Phase:
    """One word for all targets."""
    if conflicted:
        return Phase.FAILED
    present = {target.phase for target in targets}
    return next((phase for phase in PHASE_ORDER if phase in present), Phase.PENDING)


def _target(snapshot: Snapshot, outcome: TargetOutcome) -> TargetStatus:
    build, rollout = outcome.build, outcome.rollout
    phase, reason, message = _story(outcome)
    status = TargetStatus(
        hardware_class=build.hardware_class,
        phase=phase, reason=reason, message=message,
        engines=build.engines, constraints=build.constraints,
        builds=tuple(_engine(snapshot, one) for one in build.builds),
        choice=build.message if build.phase is None else "", front=_front(snapshot, build),
        variant=build.lead.variant if build.lead else None,
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
        variant=build.variant,
        phase=CERTIFIED if build.phase is None else build.phase.value,
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


def _story(outcome: TargetOutcome) -> tuple[Phase, str, str]:
    """The build's story until it is certified, then the rollout's."""
    build, rollout = outcome.build, outcome.rollout
    if build.phase is None:
        return rollout.phase, rollout.reason, rollout.message
    return build.phase, build.reason, build.message + _meanwhile(rollout)


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


def _findings(
    snapshot: Snapshot, targets: Sequence[TargetStatus], outcomes: Sequence[TargetOutcome]
) -> list[Finding]:
    # A class without nodes does not stand in the way of the others.
    counting = [target for target in targets if target.reason != NO_NODES] or list(targets)
    builds = [outcome.build for outcome in outcomes]
    found = [
        _ready(snapshot, counting),
        _accepted(snapshot, builds),
        _optimized(builds),
        _certified(builds),
        _rolled_out(counting),
        _available(counting, outcomes),
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
        found.append(Finding("Stalled", holds=True, reason=stalled.reason, message=_say(stalled)))
    elif not found[0].holds:
        found.append(
            Finding("Reconciling", holds=True, reason=found[0].reason, message=found[0].message)
        )
    return found


def _ready(snapshot: Snapshot, targets: Sequence[TargetStatus]) -> Finding:
    """What the spec asks for is what answers."""
    if snapshot.conflicts:
        return Finding("Ready", holds=False, reason=NAME_CONFLICT, message=_conflicts(snapshot))
    if snapshot.unreadable:
        return Finding("Ready", holds=False, reason=NOT_READABLE, message=_unreadable(snapshot))
    wanting = sorted(
        (target for target in targets if target.phase is not Phase.SERVING),
        key=lambda target: PHASE_ORDER.index(target.phase),
    )
    if not wanting:
        return Finding("Ready", holds=True, reason="Serving", message="; ".join(map(_say, targets)))
    return Finding(
        "Ready", holds=False, reason=wanting[0].reason, message="; ".join(map(_say, wanting))
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


def _rolled_out(targets: Sequence[TargetStatus]) -> Finding:
    behind = _first(targets, lambda target: target.phase is not Phase.SERVING)
    if behind is None:
        message = "the desired revision is stable in every class"
        return Finding("RolledOut", holds=True, reason="Promoted", message=message)
    return Finding("RolledOut", holds=False, reason=behind.reason, message=_say(behind))


def _available(targets: Sequence[TargetStatus], outcomes: Sequence[TargetOutcome]) -> Finding:
    """A good revision answers on every reachable node; stays true through a rollback."""
    short = _first(targets, lambda t: t.nodes.ready < t.nodes.desired - t.nodes.offline)
    if short is not None:
        reachable = short.nodes.desired - short.nodes.offline
        message = (
            f"{short.hardware_class}: {short.nodes.ready} of {reachable} reachable nodes answer"
        )
        outcome = next(o for o in outcomes if o.build.hardware_class == short.hardware_class)
        if outcome.rollout.unanswered:
            message = f"{message}; {outcome.rollout.unanswered}"
        return Finding("Available", holds=False, reason="NotAnswering", message=message)
    if not any(target.nodes.desired > target.nodes.offline for target in targets):
        message = "no node of any target is reachable"
        return Finding("Available", holds=False, reason="NoReachableNodes", message=message)
    return Finding(
        "Available", holds=True, reason="Answering", message="every reachable node answers"
    )


def _is_stalled(target: TargetStatus) -> bool:
    if target.phase in _STALLED or target.reason == DEADLINE_EXCEEDED:
        return True
    return is_stuck(target.phase, target.reason)


def _first(
    targets: Sequence[TargetStatus], check: Callable[[TargetStatus], bool]
) -> TargetStatus | None:
    return next((target for target in targets if check(target)), None)


def _say(target: TargetStatus) -> str:
    return f"{target.hardware_class}: {target.message}"


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
