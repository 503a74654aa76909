"""The top of all decisions about one EdgeModel: a snapshot and the time in, everything to write out.

    fetches.py   what a job must bring in first: source and data set, where they are no images
    sources.py   digests and the assessment, shared by all targets
    builds.py    how far each target's build is, and which job is next
    rollout/     which revision has which role on which nodes (the waves are decided there)
    status.py    its status; findings.py its conditions

Every reconcile looks at the whole state and could be the first. A target whose build is not certified
still has its rollout decided: what serves keeps serving, and can still be rolled back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from skerry.api.actions import retry_asked
from skerry.api.attempt import Attempt
from skerry.api.edgemodel import Outcome
from skerry.api.labels import matches
from skerry.api.reasons import ConditionType
from skerry.decide.build.builds import plan_builds
from skerry.decide.build.engine_builds import served_by, work_of
from skerry.decide.build.fetches import settle
from skerry.decide.build.sources import assess_source
from skerry.decide.conditions import condition_of
from skerry.decide.decision import DaemonSetPlan, Decision, Deletions, Event
from skerry.decide.outcome import TargetOutcome
from skerry.decide.pods import absent
from skerry.decide.refused import holds_route, of_build, of_rollout
from skerry.decide.rollout import TargetView, actions_from, decide_target, policy_from_spec
from skerry.decide.rollout.rejected import is_rejected, next_attempt
from skerry.decide.status import make_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from skerry.api import EdgeModelStatus, ModelVariant
    from skerry.api.labels import Selector
    from skerry.decide.build.builds import TargetBuild
    from skerry.decide.build.fetches import Settled
    from skerry.decide.build.sources import Assessed
    from skerry.decide.decision import AssessJob, BuildJob, ServedRevision
    from skerry.decide.rollout import RolloutPolicy
    from skerry.decide.snapshot import Snapshot

RESOLVE_AGAIN_SECONDS = 30.0
OLD_VARIANTS_KEPT = 4
"""Per class and engine: the trials behind what served before stay readable for a while."""


def decide(snapshot: Snapshot, now: datetime) -> Decision:
    """Return everything to write for the EdgeModel now; when it is applied, the next decision changes nothing.

    Args:
        snapshot: the whole state.
        now: UTC.
    """
    settled = settle(snapshot, now)
    snapshot = replace(snapshot, pins=settled.pins)
    assessed = assess_source(snapshot)
    planned = plan_builds(snapshot, assessed, now)
    builds = tuple(of_build(snapshot.refused, build) for build in planned)
    outcomes = tuple(_outcome(snapshot, build, now) for build in builds)
    status = make_status(snapshot, assessed, outcomes, now)
    return Decision(
        status=status,
        variant_statuses={
            build.variant: build.status
            for target in builds
            for build in target.builds
            if build.status
        },
        routes={
            outcome.build.hardware_class: outcome.rollout.route
            for outcome in outcomes
            if outcome.rollout.route is not None
        },
        daemonsets=tuple(_daemonsets(snapshot, outcomes)),
        variants={
            build.variant: build.spec
            for target in builds
            for build in target.builds
            if build.variant not in snapshot.variants
        },
        jobs=(*settled.jobs, *_jobs(assessed, builds)),
        lookups=_lookups(assessed, builds),
        deletions=_deletions(snapshot, outcomes, settled),
        events=tuple(_events(snapshot, status)),
        requeue_after=_requeue_after(settled, outcomes, absent.look_again(snapshot, now)),
    )


def view_of(snapshot: Snapshot, build: TargetBuild, now: datetime) -> TargetView:
    """Return what the rollout machine sees of one target."""
    model, name = snapshot.model, build.hardware_class
    status = next((t.rollout for t in model.status.targets if t.hardware_class_name == name), None)
    policy = policy_from_spec(model.spec)
    namespace = model.metadata.namespace or "default"
    own = {build.served.revision} if build.served else set()
    view = TargetView(
        edge_model=model.metadata.name,
        hardware_class=name,
        desired=build.served.revision if build.served else None,
        attempt=status.attempt if status else 0,
        rejections=model.status.rejected,
        status=status,
        route=snapshot.routes.get(name),
        daemonsets=snapshot.daemonsets.get(name, {}),
        nodes=snapshot.nodes.get(name, ()),
        policy=policy,
        actions=actions_from(model.metadata.annotations),
        makeable=frozenset(served.revision for served in _stored(snapshot)) | own,
        rings_elsewhere=_rings_elsewhere(snapshot, name, policy),
        causes=absent.causes(snapshot.absences.get(name, ()), namespace, now),
        edge_model_uid=model.metadata.uid,
        route_stands=holds_route(snapshot.refused, name),
    )
    return _retried(snapshot, view)


def _rings_elsewhere(
    snapshot: Snapshot, hardware_class: str, policy: RolloutPolicy
) -> frozenset[Selector]:
    """Return rings in which another class has nodes."""
    others = [n for name, found in snapshot.nodes.items() if name != hardware_class for n in found]
    rings = {step.selector for step in policy.waves if step.percent is None}
    return frozenset(r for r in rings if any(matches(r, node.labels) for node in others))


def _retried(snapshot: Snapshot, view: TargetView) -> TargetView:
    """Return the view with a higher attempt, when a new retry annotation asks for a rejected revision."""
    model = snapshot.model
    nonce = retry_asked(model.metadata.annotations)
    asked = nonce is not None and nonce != model.status.retry_nonce
    if not asked or view.desired is None:
        return view
    if not is_rejected(view, Attempt(view.desired, view.attempt)):
        return view
    of_class = [r for r in view.rejections if r.hardware_class_name == view.hardware_class]
    return replace(view, attempt=next_attempt(view.attempt, of_class, view.route))


def _outcome(snapshot: Snapshot, build: TargetBuild, now: datetime) -> TargetOutcome:
    rollout = decide_target(view_of(snapshot, build, now), now)
    return TargetOutcome(build, of_rollout(snapshot.refused, build.hardware_class, rollout))


def _daemonsets(snapshot: Snapshot, outcomes: Sequence[TargetOutcome]) -> Iterable[DaemonSetPlan]:
    makeable = {served.revision: served for served in _makeable(snapshot, outcomes)}
    for outcome in outcomes:
        name = outcome.build.hardware_class
        present = snapshot.daemonsets.get(name, {})
        for revision, placement in outcome.rollout.placements.items():
            served = None if revision in present else makeable.get(revision)
            yield DaemonSetPlan(name, revision, placement, served)


def _makeable(snapshot: Snapshot, outcomes: Sequence[TargetOutcome]) -> Iterable[ServedRevision]:
    """Yield the revisions that a DaemonSet can be made of: the requested ones, and those of stored variants."""
    yield from _stored(snapshot)
    yield from (outcome.build.served for outcome in outcomes if outcome.build.served)


def _stored(snapshot: Snapshot) -> Iterable[ServedRevision]:
    """Return the revisions of stored variants' artifacts, with the current runtime images."""
    found = (served_by(snapshot, variant) for variant in snapshot.variants.values())
    return (served for served in found if served is not None)


def _jobs(assessed: Assessed, builds: Sequence[TargetBuild]) -> tuple[AssessJob | BuildJob, ...]:
    first = (assessed.job,) if assessed.job else ()
    return (*first, *(job for build in builds for job in build.jobs))


def _lookups(assessed: Assessed, builds: Sequence[TargetBuild]) -> tuple[str, ...]:
    first = (assessed.lookup,) if assessed.lookup else ()
    return (*first, *(tag for build in builds for tag in build.lookups))


def _deletions(
    snapshot: Snapshot, outcomes: Sequence[TargetOutcome], settled: Settled
) -> Deletions:
    targets = {outcome.build.hardware_class for outcome in outcomes}
    withdrawn = snapshot.routes.keys() - targets
    gone = [revision for outcome in outcomes for revision in outcome.rollout.delete]
    return Deletions(
        routes=tuple(sorted(withdrawn)),
        daemonsets=(*sorted(gone), *sorted(_withdrawn_revisions(snapshot, targets))),
        variants=tuple(_old_variants(snapshot, outcomes)),
        jobs=(*settled.obsolete, *_old_jobs(snapshot, outcomes)),
    )


def _withdrawn_revisions(snapshot: Snapshot, targets: set[str]) -> Iterable[str]:
    """Yield the revisions of classes that left the spec, once no gateway sends traffic to them."""
    for name, revisions in snapshot.daemonsets.items():
        if name in targets or name in snapshot.routes:
            continue
        if not any(node.reachable and node.model for node in snapshot.nodes.get(name, ())):
            yield from revisions


def _old_variants(snapshot: Snapshot, outcomes: Sequence[TargetOutcome]) -> Iterable[str]:
    """Yield all variants but those that are built, served or among the newest of their class and engine."""
    needed = {build.variant for outcome in outcomes for build in outcome.build.builds}
    roles = {
        role.revision
        for route in snapshot.routes.values()
        for role in (route.stable, route.candidate, route.previous)
        if role
    }
    by_engine: dict[tuple[str, str], list[ModelVariant]] = {}
    for variant in snapshot.variants.values():
        served = served_by(snapshot, variant)
        if variant.metadata.name not in needed and not (served and served.revision in roles):
            key = (variant.spec.hardware_class_name, variant.spec.engine)
            by_engine.setdefault(key, []).append(variant)
    for variants in by_engine.values():
        newest_first = sorted(variants, key=_created, reverse=True)
        yield from (variant.metadata.name for variant in newest_first[OLD_VARIANTS_KEPT:])


def _old_jobs(snapshot: Snapshot, outcomes: Sequence[TargetOutcome]) -> Iterable[str]:
    """Yield the jobs whose work the spec no longer asks for: running ones would hold a build slot for nothing."""
    if snapshot.pins.failed:
        return
    wanted = {work_of(snapshot, build.variant) for o in outcomes for build in o.build.builds}
    if all(outcome.build.builds for outcome in outcomes):
        yield from (job.name for job in snapshot.jobs if job.work not in wanted)


def _created(variant: ModelVariant) -> str:
    at = variant.metadata.creation_timestamp
    return at.isoformat() if at else ""


def _events(snapshot: Snapshot, after: EdgeModelStatus) -> Iterable[Event]:
    """Yield the changes for `kubectl describe`: how revisions ended, and what Ready says.

    A refused write has an event of its own, from the reconcile that wrote in vain.
    """
    before = snapshot.model.status
    refusals = {refused.cause.reason.value for refused in snapshot.refused if refused.cause}
    for entry in (entry for entry in after.history if entry not in before.history):
        text = f"{entry.hardware_class_name}: {entry.revision} {entry.message}".strip()
        yield Event(entry.outcome.value, text, warning=entry.outcome is Outcome.ROLLED_BACK)
    was = condition_of(before.conditions, ConditionType.READY)
    ready = condition_of(after.conditions, ConditionType.READY)
    if ready is None or ready.reason in refusals:
        return
    if was is None or was.reason != ready.reason:
        stalled = condition_of(after.conditions, ConditionType.STALLED) is not None
        yield Event(ready.reason, ready.message, warning=stalled)


def _requeue_after(
    settled: Settled, outcomes: Sequence[TargetOutcome], look_again: float | None
) -> float | None:
    times = [o.rollout.requeue_after for o in outcomes if o.rollout.requeue_after is not None]
    later = [settled.requeue_after, settled.pins.again_in]
    times += [seconds for seconds in later if seconds is not None]
    if settled.pins.failed and later == [None, None]:
        times.append(RESOLVE_AGAIN_SECONDS)
    if look_again is not None:
        times.append(look_again)
    return min(times, default=None)
