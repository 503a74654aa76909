"""`EdgeModel.status`: one small document for people, kubectl, Argo CD and Flux, written once per reconcile.

Each target has its own story (its build's until there is a certified one, its rollout's from then);
phase and conditions are made of these alone.
"""

from __future__ import annotations

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
from skerry.decide.build.state import BuildState
from skerry.decide.conditions import conditions
from skerry.decide.findings import findings
from skerry.decide.outcome import PHASE_ORDER
from skerry.judging.choose import score
from skerry.judging.contest import joint_front

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from skerry.api import ModelVariantStatus
    from skerry.api.modelvariant import RecipeResult
    from skerry.decide.build.builds import TargetBuild
    from skerry.decide.build.engine_builds import EngineBuild
    from skerry.decide.build.sources import Assessed
    from skerry.decide.outcome import TargetOutcome
    from skerry.decide.rollout.model import TargetDecision
    from skerry.decide.snapshot import Snapshot

HISTORY_LENGTH = 32
REJECTED_LENGTH = 64
FRONT_LENGTH = 16
MOST_SAID = 9_999_999.999
"""Of a ratio: a job may report any number, and twelve characters are what a figure of the status takes."""


def make_status(
    snapshot: Snapshot, assessed: Assessed, outcomes: Sequence[TargetOutcome], now: datetime
) -> EdgeModelStatus:
    """Return the whole status after this reconcile."""
    model = snapshot.model
    generation = model.metadata.generation or 0
    rejections = [*model.status.rejected, *(r for o in outcomes for r in o.rollout.rejections)]
    history = [*model.status.history, *(h for o in outcomes for h in o.rollout.history)]
    resolved = snapshot.pins.known.keys() >= model.spec.artifacts.keys()
    return EdgeModelStatus(
        observed_generation=generation,
        phase=_phase_of(outcomes, conflicted=bool(snapshot.conflicts or snapshot.unreadable)),
        artifacts=tuple(_artifacts(snapshot)),
        resolved_generation=generation if resolved else model.status.resolved_generation,
        assessment=assessed.assessment or model.status.assessment,
        awaited_slot=_awaited_slot(outcomes),
        targets=tuple(_target(snapshot, outcome) for outcome in outcomes),
        rejected=tuple(rejections[-REJECTED_LENGTH:]),
        history=tuple(history[-HISTORY_LENGTH:]),
        # A retry counts as used once the tags are resolved again, not before.
        retry_nonce=retry_asked(model.metadata.annotations)
        if resolved
        else model.status.retry_nonce,
        address=_address(snapshot),
        conditions=conditions(
            findings(snapshot, outcomes), model.status.conditions, generation, now
        ),
    )


def _artifacts(snapshot: Snapshot) -> Iterable[ArtifactStatus]:
    """Yield each artifact's digest; the last known one while it is not known again."""
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


def _phase_of(outcomes: Sequence[TargetOutcome], *, conflicted: bool) -> Phase:
    """Return one word for all targets, for people: no code reads it again."""
    if conflicted:
        return Phase.FAILED
    present = {outcome.story.phase for outcome in outcomes}
    return next((phase for phase in PHASE_ORDER if phase in present), Phase.PENDING)


def _target(snapshot: Snapshot, outcome: TargetOutcome) -> TargetStatus:
    build, story = outcome.build, outcome.story
    return TargetStatus(
        hardware_class_name=build.hardware_class,
        phase=story.phase, reason=story.cause.reason, message=story.cause.message,
        stalled=story.cause.stalls,
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
    """Return the status of one engine's build."""
    result = build.certified
    weights = snapshot.model.spec.optimization.search.weights
    return EngineBuildStatus(
        engine=build.engine,
        variant_name=build.variant,
        phase=BuildPhase((build.state.phase or build.state).value),
        reason=build.cause.reason,
        recipe=result.recipe if result else None,
        score=f"{score(result, weights):.3f}" if result else None,
    )


def _front(snapshot: Snapshot, build: TargetBuild) -> tuple[FrontEntry, ...]:
    """Return the Pareto front of all engines' recipe results so far."""
    known = {one.engine: _known(snapshot, one) for one in build.builds}
    recipe_results = {engine: status.recipe_results for engine, status in known.items() if status}
    return tuple(
        FrontEntry(engine=engine, recipe=result.recipe, **_ratios(result))
        for engine, result in joint_front(recipe_results)[:FRONT_LENGTH]
    )


def _known(snapshot: Snapshot, build: EngineBuild) -> ModelVariantStatus | None:
    """Return the variant's status: the one to write, or the stored one."""
    variant = snapshot.variants.get(build.variant)
    return build.status or (variant.status if variant else None)


def _measured(status: ModelVariantStatus | None) -> dict[str, object]:
    """Return the figures of the certified build, for the status of its target."""
    if status is None or status.certificate is None or status.artifact is None:
        return {}
    result = status.certificate.certified
    return {
        "recipe": result.recipe,
        "precision": result.precision,
        "image": status.artifact.image,
        **_ratios(result),
    }


def _ratios(result: RecipeResult) -> dict[str, str]:
    figures = {
        "speedup": (result.speedup, 0.0),
        "quality": (result.quality, 0.0),
        "memory_reduction": (result.memory_reduction, -MOST_SAID),
    }
    return {
        name: f"{min(max(least, float(interval.value)), MOST_SAID):.3f}"
        for name, (interval, least) in figures.items()
        if interval
    }


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
