"""What is built next for a target: assess, build with each engine that suits, choose between them.

One `TargetBuild` says how far a target's build is. With `engine: Auto` every installed engine of the
class's ranking builds, each in a job and a ModelVariant of its own. When none of them has anything
left to do that could still win, the best certified build is the one to roll out. An engine that
fails or meets no gates stands in nobody's way; one whose failed job is tried again doesn't either.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from skerry.api.edgemodel import AUTO
from skerry.api.reasons import BuildReason, Cause, GeneralReason
from skerry.judging.contest import Contender, decide_contest
from skerry.decide.nodes.device import device_of
from skerry.decide.build.engine_builds import engine_build
from skerry.decide.nodes.select import rank_engines
from skerry.decide.build.state import BuildState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from skerry.api.edgemodel import EngineRank, Target
    from skerry.decide.decision import BuildJob, ServedRevision
    from skerry.decide.build.engine_builds import EngineBuild
    from skerry.decide.snapshot import Snapshot
    from skerry.decide.build.sources import Assessed

@dataclass(frozen=True)
class TargetBuild:
    """How far the build of one target is.

    Attributes:
        state: of the lead, where there is one.
        cause: why it is where it is; when a build is chosen, why this one.
        engines: the ranking, for people.
        constraints: the power and network constraints of the class's devices, for people.
        builds: of each engine that builds for the target, in the order of the ranking.
        lead: the chosen one; before, the one that is worth looking at; None when none is built.
    """

    hardware_class: str
    state: BuildState
    cause: Cause
    engines: tuple[EngineRank, ...] = ()
    constraints: tuple[str, ...] = ()
    builds: tuple[EngineBuild, ...] = field(default=())
    lead: EngineBuild | None = None

    @property
    def served(self) -> ServedRevision | None:
        """The revision that the spec asks for; None unless a certified build is chosen."""
        return self.lead.served if self.lead is not None and self.is_certified else None

    @property
    def is_certified(self) -> bool:
        """Whether a certified build is chosen."""
        return self.state is BuildState.CERTIFIED

    @property
    def jobs(self) -> tuple[BuildJob, ...]:
        """The jobs to start."""
        return tuple(build.job for build in self.builds if build.job)

    @property
    def lookups(self) -> tuple[str, ...]:
        """Tags in the registry to look at."""
        return tuple(build.lookup for build in self.builds if build.lookup)


def plan_builds(snapshot: Snapshot, assessed: Assessed, now: datetime) -> tuple[TargetBuild, ...]:
    """Return the builds of all targets, in the order of the spec; jobs are started while slots last."""
    free = snapshot.config.builds.max_concurrent - snapshot.slots.running
    targets = [_plan(snapshot, assessed, target, now) for target in snapshot.model.spec.targets]
    measured_on = {
        build.evidence: target.hardware_class
        for target in targets
        for build in target.builds
        if build.measuring
    }
    planned: list[TargetBuild] = []
    for found in targets:
        builds = []
        for one in found.builds:
            build = _held(snapshot, _shared(one, measured_on))
            if build.job is not None and free <= snapshot.slots.waiting_before:
                build = _queued(build, snapshot, free)
            if build.job is not None:
                free -= 1
                measured_on[build.evidence] = found.hardware_class
            builds.append(build)
        planned.append(_concluded(snapshot, replace(found, builds=tuple(builds))))
    return tuple(planned)


def _shared(build: EngineBuild, measured_on: Mapping[str, str]) -> EngineBuild:
    """Let a build wait for the job that makes the same evidence on another class."""
    other = measured_on.get(build.evidence)
    if build.job is None or other is None:
        return build
    message = (
        f"waits for the build on class {other}: the nodes of both classes have the same hardware,"
        " so its evidence applies here too"
    )
    cause = Cause(BuildReason.SHARED, message)
    return replace(build, job=None, state=BuildState.IN_PROGRESS, cause=cause)


def _held(snapshot: Snapshot, build: EngineBuild) -> EngineBuild:
    """Return the build without a new job while the model is suspended; running jobs finish."""
    if build.job is None or not snapshot.model.spec.suspend:
        return build
    message = f"{build.cause.message} once spec.suspend is false again"
    cause = Cause(GeneralReason.SUSPENDED, message)
    return replace(build, job=None, state=BuildState.SUSPENDED, cause=cause)


def _queued(build: EngineBuild, snapshot: Snapshot, free: int) -> EngineBuild:
    most, waiting = snapshot.config.builds.max_concurrent, snapshot.slots.waiting_before
    message = (
        f"waits for a build slot: {most - free} optimization jobs run and {waiting} older"
        f" EdgeModels wait (builds.maxConcurrent is {most})"
    )
    cause = Cause(BuildReason.QUEUED, message)
    return replace(build, job=None, state=BuildState.QUEUED_TO_BUILD, cause=cause)


def _plan(snapshot: Snapshot, assessed: Assessed, target: Target, now: datetime) -> TargetBuild:
    """Return what each engine has done for the target; the reason when no engine has."""
    name = target.hardware_class_name
    hardware_class = snapshot.classes.get(name)
    if hardware_class is None and name in snapshot.unreadable_classes:
        cause = Cause(GeneralReason.NOT_READABLE, snapshot.unreadable_classes[name])
        return TargetBuild(name, BuildState.REJECTED, cause)
    if hardware_class is None:
        message = f"there is no HardwareClass {name}: create it, or correct spec.targets"
        if count := len(snapshot.nodes.get(name, ())):
            message += f" ({count} nodes stay in the class while an EdgeModel names it)"
        cause = Cause(BuildReason.CLASS_NOT_FOUND, message)
        return TargetBuild(name, BuildState.REJECTED, cause)
    if assessed.assessment is None:
        return TargetBuild(name, assessed.state, assessed.cause)
    device = device_of(hardware_class)
    ranks = rank_engines(assessed.assessment, device, snapshot.config.engines, snapshot.plugins)
    engines = _engines(target, ranks)
    if not engines:
        cause = Cause(BuildReason.ENGINE_NOT_INSTALLED, _missing(target, ranks))
        return TargetBuild(name, BuildState.REJECTED, cause, ranks, device.constraints)
    builds = tuple(engine_build(snapshot, hardware_class, engine, now) for engine in engines)
    first = builds[0]
    return TargetBuild(name, first.state, first.cause, ranks, device.constraints, builds)


def _engines(target: Target, ranks: Sequence[EngineRank]) -> list[str]:
    """Return the engines that build for the target: the one that it names, or all that are installed."""
    installed = [rank.engine for rank in ranks if rank.installed]
    return installed if target.engine == AUTO else [e for e in installed if e == target.engine]


def _missing(target: Target, ranks: Sequence[EngineRank]) -> str:
    wanted = [rank for rank in ranks if target.engine in {AUTO, rank.engine}]
    if wanted:
        said = "; ".join(f"{rank.engine}: {rank.reason}" for rank in wanted)
        return f"no installed engine suits class {target.hardware_class_name}: {said}"
    installed = ", ".join(rank.engine for rank in ranks if rank.installed) or "none"
    return (
        f"engine {target.engine} is not installed (installed: {installed}): add it to `engines` in"
        f" the chart's values, or correct spec.targets of class {target.hardware_class_name}"
    )


def _concluded(snapshot: Snapshot, found: TargetBuild) -> TargetBuild:
    """Return the target's build once each engine's is known."""
    if not found.builds:
        return found
    certified = [build for build in found.builds if build.served]
    waited_for = [
        build for build in found.builds if build.is_open and not (certified and build.tried_before)
    ]
    if waited_for:
        running = [build for build in waited_for if build.state is BuildState.IN_PROGRESS]
        return _waiting(found, (running or waited_for)[0])
    if certified:
        return _chosen(snapshot, found, certified)
    return _failed(found)


def _waiting(found: TargetBuild, lead: EngineBuild) -> TargetBuild:
    return replace(found, state=lead.state, cause=_joint_cause(found.builds, lead), lead=lead)


def _failed(found: TargetBuild) -> TargetBuild:
    # A job that failed may succeed when it is tried again; gates that were missed stay missed.
    faults = [build for build in found.builds if build.state is not BuildState.GATES_NOT_MET]
    lead = (faults or list(found.builds))[0]
    return replace(found, state=lead.state, cause=_joint_cause(found.builds, lead), lead=lead)


def _chosen(
    snapshot: Snapshot, found: TargetBuild, certified: Sequence[EngineBuild]
) -> TargetBuild:
    weights = snapshot.model.spec.optimization.search.weights
    contenders = [
        Contender(build.engine, build.certified) for build in certified if build.certified
    ]
    if len(found.builds) == 1 or not contenders:
        (lead, *_) = certified
        return replace(found, state=lead.state, cause=lead.cause, lead=lead)
    won = decide_contest(contenders, weights)
    lead = next(build for build in certified if build.engine == won.winner.engine)
    others = [f"{b.engine}: {b.cause.message}" for b in found.builds if b not in certified]
    cause = Cause(BuildReason.CHOSEN, "; ".join([won.explanation, *others]))
    return replace(found, state=lead.state, cause=cause, lead=lead)


def _joint_cause(builds: Iterable[EngineBuild], lead: EngineBuild) -> Cause:
    """Return the lead's cause with the other engines' causes; a single engine needs no name before it."""
    others = [build for build in builds if build is not lead]
    if not others:
        return lead.cause
    said = "; ".join(f"{build.engine}: {build.cause.message}" for build in (lead, *others))
    return replace(lead.cause, message=said)
