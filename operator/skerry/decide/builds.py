"""What is built next for a target: assess, choose the engine, find or make the variant, certify it.

One `TargetBuild` says how far a target's build is. It is certified when there is an artifact that
passes the gates of the spec as it is now: then, and only then, there is a revision to roll out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skerry.api.common import Engine
from skerry.api.edgemodel import EngineChoice, Phase
from skerry.api.job import JobPlan, RegistryAccess
from skerry.api.modelvariant import EvaluationPlan, ModelVariantSpec
from skerry.decide import identity
from skerry.decide.decision import BuildJob, ServedRevision
from skerry.decide.select import rank_engines
from skerry.decide.sources import SUSPENDED
from skerry.decide.stages import DOCKER_CONFIG_FILE
from skerry.decide.tries import job_for, next_try, short_key
from skerry.decide.units import parse_duration
from skerry.decide.variants import Progress, from_job, regated, remembered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from skerry.api import HardwareClass, ModelVariant, ModelVariantStatus
    from skerry.api.edgemodel import EngineRank, Target
    from skerry.api.hardwareclass import ReplacedRuntime
    from skerry.decide.snapshot import Snapshot
    from skerry.decide.sources import Assessed
    from skerry.decide.variants import VariantState

QUEUED = "BuildQueued"
CLASS_MISSING = "HardwareClassNotFound"
ENGINE_MISSING = "EngineNotInstalled"
NO_NODES = "NoNodes"
_PHASES = {
    Progress.RUNNING: Phase.OPTIMIZING,
    Progress.GATES_NOT_MET: Phase.FAILED,
    Progress.FAILED: Phase.FAILED,
}


@dataclass(frozen=True)
class TargetBuild:
    """How far the build of one target is.

    Attributes:
        phase: None when certified.
        reason, message: why it is where it is.
        engines: the ranking, for people.
        variant, spec, status: the ModelVariant: its name, what it shall be, what is to be written.
        job: to start.
        served: the revision that the spec asks for; None unless certified.
    """

    hardware_class: str
    phase: Phase | None
    reason: str
    message: str
    engines: tuple[EngineRank, ...] = ()
    engine: Engine | None = None
    variant: str | None = None
    spec: ModelVariantSpec | None = None
    status: ModelVariantStatus | None = None
    job: BuildJob | None = None
    served: ServedRevision | None = None


def plan_builds(snapshot: Snapshot, assessed: Assessed, now: datetime) -> tuple[TargetBuild, ...]:
    """The builds of all targets, in the order of the spec; jobs are started while slots last."""
    free = snapshot.config.builds.max_concurrent - snapshot.slots.running
    builds: list[TargetBuild] = []
    for target in snapshot.model.spec.targets:
        build = _held(snapshot, _plan(snapshot, assessed, target, now))
        if build.job is not None and free <= snapshot.slots.waiting_before:
            build = replace(
                build,
                job=None,
                phase=Phase.PENDING,
                reason=QUEUED,
                message=_queue_message(snapshot, free),
            )
        free -= build.job is not None
        builds.append(build)
    return tuple(builds)


def _held(snapshot: Snapshot, build: TargetBuild) -> TargetBuild:
    """No job is started while the model is suspended; those that run end."""
    if build.job is None or not snapshot.model.spec.suspend:
        return build
    message = f"{build.message} once spec.suspend is false again"
    return replace(build, job=None, phase=Phase.PAUSED, reason=SUSPENDED, message=message)


def _queue_message(snapshot: Snapshot, free: int) -> str:
    most, waiting = snapshot.config.builds.max_concurrent, snapshot.slots.waiting_before
    return (
        f"waits for a build slot: {most - free} optimisation jobs run and {waiting} older"
        f" EdgeModels wait (builds.maxConcurrent is {most})"
    )


def gates_key(snapshot: Snapshot) -> str:
    """Names the gates and weights of the spec; the chosen candidate depends on them."""
    spec = snapshot.model.spec
    return short_key(
        spec.gates.model_dump_json(), spec.optimization.search.weights.model_dump_json()
    )


def work_of(snapshot: Snapshot, variant: str) -> str:
    """Names the work of building a variant and choosing by the gates of now; jobs carry it."""
    return short_key(variant, gates_key(snapshot))


def served_by(snapshot: Snapshot, variant: ModelVariant) -> ServedRevision | None:
    """The revision that a variant makes with the runtime image of now; None without an artifact."""
    artifact = variant.status.artifact
    engine = snapshot.config.engines.get(variant.spec.engine)
    if artifact is None or engine is None:
        return None
    serving = snapshot.model.spec.serving
    limits = variant.spec.limits
    serving = serving.model_copy(
        update={"resources": serving.resources.model_copy(update={"limits": limits})}
    )
    hardware_class = variant.spec.hardware_class
    replaced = _replaced(snapshot, variant)
    name = identity.revision(
        artifact.digest, serving, engine.runtime_image, hardware_class, replaced
    )
    return ServedRevision(
        name, hardware_class, artifact.image, engine.runtime_image, limits, replaced
    )


def _replaced(snapshot: Snapshot, variant: ModelVariant) -> ReplacedRuntime | None:
    """The server that the class has for the variant's engine in place of Skerry's own."""
    found = snapshot.classes.get(variant.spec.hardware_class)
    runtimes = found.spec.runtimes if found else ()
    return next((one for one in runtimes if one.engine == variant.spec.engine), None)


def _plan(snapshot: Snapshot, assessed: Assessed, target: Target, now: datetime) -> TargetBuild:
    name = target.hardware_class
    hardware_class = snapshot.classes.get(name)
    if hardware_class is None:
        message = f"there is no HardwareClass {name}: create it, or correct spec.targets"
        return TargetBuild(name, Phase.FAILED, CLASS_MISSING, message)
    if assessed.assessment is None:
        return TargetBuild(name, assessed.phase, assessed.reason, assessed.message)
    ranks = rank_engines(assessed.assessment, hardware_class.spec, snapshot.config.engines)
    engine = _engine(target, ranks, snapshot)
    if engine is None:
        message = f"no installed engine suits class {name}: " + "; ".join(
            f"{rank.engine}: {rank.reason}" for rank in ranks
        )
        return TargetBuild(name, Phase.FAILED, ENGINE_MISSING, message, engines=ranks)
    build = _variant_build(snapshot, hardware_class, engine, now)
    return replace(build, engines=ranks)


def _engine(target: Target, ranks: Sequence[EngineRank], snapshot: Snapshot) -> Engine | None:
    """The engine that the target names, else the first of the ranking; None when not installed."""
    if target.engine is not EngineChoice.AUTO:
        named = Engine(target.engine.value)
        return named if named in snapshot.config.engines else None
    return next((Engine(rank.engine) for rank in ranks if rank.installed), None)


def _variant_build(
    snapshot: Snapshot, hardware_class: HardwareClass, engine: Engine, now: datetime
) -> TargetBuild:
    spec = _variant_spec(snapshot, hardware_class, engine)
    name = identity.variant_name(spec.edge_model, spec.hardware_class, spec.build_key, spec.limits)
    made = TargetBuild(
        spec.hardware_class, Phase.OPTIMIZING, "Starting", f"variant {name} is to be built",
        engine=engine, variant=name, spec=spec,
    )  # fmt: skip
    work = work_of(snapshot, name)
    variant = snapshot.variants.get(name)
    state = _state(snapshot, variant, work, now) if variant else None
    if variant is None or state is None:
        return _started(
            replace(made, job=_job(snapshot, hardware_class, spec, name, work)), snapshot
        )
    return _with_state(snapshot, made, variant, state)


def _started(build: TargetBuild, snapshot: Snapshot) -> TargetBuild:
    """A build on a class without nodes waits instead of starting a job that nothing can run."""
    if snapshot.nodes.get(build.hardware_class):
        return build
    message = f"no node carries class {build.hardware_class}: nothing can be measured there"
    return replace(build, job=None, phase=Phase.PENDING, reason=NO_NODES, message=message)


def _state(
    snapshot: Snapshot, variant: ModelVariant, work: str, now: datetime
) -> VariantState | None:
    """Where the variant stands under the gates of now; None when a job is to be started."""
    spec = snapshot.model.spec
    key = gates_key(snapshot)
    if variant.status.gates_key == key:
        return remembered(variant)
    job = job_for(snapshot, work)
    if job is not None:
        return from_job(variant, job, spec.gates, key, now)
    if variant.status.trials:
        return regated(variant, spec.gates, spec.optimization.search.weights, key, now)
    return None


def _with_state(
    snapshot: Snapshot, made: TargetBuild, variant: ModelVariant, state: VariantState
) -> TargetBuild:
    certified = variant.model_copy(update={"status": state.status})
    served = served_by(snapshot, certified) if state.progress is Progress.CERTIFIED else None
    return replace(
        made,
        phase=_PHASES.get(state.progress),
        reason=state.reason,
        message=state.message,
        status=state.status,
        served=served,
    )


def _variant_spec(
    snapshot: Snapshot, hardware_class: HardwareClass, engine: Engine
) -> ModelVariantSpec:
    spec, settings = snapshot.model.spec, snapshot.config.engines[engine]
    source, dataset = snapshot.pins.source, snapshot.pins.dataset
    if source is None or dataset is None:
        raise ValueError("a variant needs resolved digests; assess_source comes first")
    evaluation = EvaluationPlan(
        dataset=dataset,
        metric=spec.evaluation.metric,
        calibration_samples=spec.evaluation.calibration_samples,
        golden_samples=spec.evaluation.golden_samples,
    )
    key = identity.build_key(
        source.digest, evaluation,
        architecture=hardware_class.spec.architecture, features=hardware_class.spec.features,
        engine=engine, engine_version=settings.version, recipe_set=settings.recipe_set,
        trials=spec.optimization.search.trials,
    )  # fmt: skip
    return ModelVariantSpec(
        edge_model=snapshot.model.metadata.name,
        hardware_class=hardware_class.metadata.name,
        engine=engine,
        engine_version=settings.version,
        build_key=key,
        source=source,
        evaluation=evaluation,
        recipe_set=settings.recipe_set,
        trials=spec.optimization.search.trials,
        limits=spec.serving.resources.limits,
    )


def _job(
    snapshot: Snapshot, hardware_class: HardwareClass, spec: ModelVariantSpec, name: str, work: str
) -> BuildJob:
    model = snapshot.model
    search = model.spec.optimization.search
    evidence = identity.evidence_key(
        spec.build_key, spec.hardware_class, spec.limits, model.spec.gates, search.weights
    )
    plan = JobPlan(
        edge_model=spec.edge_model, namespace=model.metadata.namespace or "default",
        hardware_class=spec.hardware_class, features=hardware_class.spec.features,
        build_key=spec.build_key, evidence_key=evidence, engine_version=spec.engine_version,
        recipe_set=spec.recipe_set, source=spec.source, evaluation=spec.evaluation,
        trials=spec.trials, limits=spec.limits, gates=model.spec.gates, weights=search.weights,
        registry=registry_access(snapshot),
    )  # fmt: skip
    deadline = round(parse_duration(search.time_limit))
    return BuildJob(next_try(snapshot, work), name, plan, spec.engine, deadline)


def registry_access(snapshot: Snapshot) -> RegistryAccess:
    """Where the jobs of the EdgeModel push."""
    settings, metadata = snapshot.config.registry, snapshot.model.metadata
    return RegistryAccess(
        address=settings.address,
        repository=f"{settings.prefix}/{metadata.namespace}/{metadata.name}",
        insecure=settings.insecure,
        docker_config=DOCKER_CONFIG_FILE if settings.push_secret else None,
    )
