"""How far one engine is with a target: find or make its variant, certify it.

One `EngineBuild` is certified when there is an artifact that passes the gates of the spec as it is
now. `skerry.decide.build.builds` makes one of each engine of a target and chooses between them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skerry.api.artifact import Role
from skerry.api.modelvariant import ModelVariantSpec
from skerry.api.reasons import BuildReason, Cause, GeneralReason
from skerry.decide.build import identity
from skerry.decide.decision import BuildJob, ServedRevision
from skerry.decide.build.registry import looking_up, shared_access
from skerry.decide.build.sources import evaluation_of
from skerry.decide.build.state import BuildState
from skerry.decide.build.tries import gates_key, job_for, next_try, short_key
from skerry.api.units import parse_duration
from skerry.decide.build.variants import from_finished, from_job, regated, remembered
from skerry.engines.flavors import flavored
from skerry.engines.plugin import baseline_among
from skerry.engines.server import SKERRY_RUNTIME
from skerry.jobs.plans import JobPlan
from skerry.jobs.registry import evidence_tag

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api import HardwareClass, ModelVariant, ModelVariantStatus
    from skerry.api.hardwareclass import ServingRuntime
    from skerry.api.modelvariant import RecipeResult
    from skerry.decide.snapshot import Snapshot
    from skerry.engines.server import Server
    from skerry.decide.build.variants import VariantState

@dataclass(frozen=True)
class EngineBuild:
    """How far one engine is with one target.

    Attributes:
        variant, spec: the ModelVariant: its name, what it shall be.
        state: how far it is.
        cause: why it is where it is.
        status: of the variant, to be written; None for one that is not there yet.
        job: to start.
        lookup: tag in the registry to look at before a job is started.
        served: the revision that it would be; None unless certified.
        tried_before: a job for the same work has failed: what else is certified need not wait.
        evidence: key of the evidence that its job makes.
        measuring: its job runs.
    """

    engine: str
    variant: str
    spec: ModelVariantSpec
    state: BuildState
    cause: Cause
    status: ModelVariantStatus | None = None
    job: BuildJob | None = None
    lookup: str | None = None
    served: ServedRevision | None = None
    tried_before: bool = False
    evidence: str = ""
    measuring: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may still be certified without anybody doing anything."""
        return not self.state.has_failed and self.state is not BuildState.CERTIFIED

    @property
    def certified(self) -> RecipeResult | None:
        """The build as validation measured it; None unless certified."""
        if self.served is None or self.status is None or self.status.certificate is None:
            return None
        return self.status.certificate.certified


def work_of(snapshot: Snapshot, variant: str) -> str:
    """Return the name of the work of building a variant and choosing by the current gates; jobs carry it."""
    return short_key(variant, gates_key(snapshot.model.spec))


def served_by(snapshot: Snapshot, variant: ModelVariant) -> ServedRevision | None:
    """Return the revision that a variant makes with the current runtime image; None without an artifact."""
    artifact = variant.status.artifact
    engine = snapshot.config.engines.get(variant.spec.engine)
    if artifact is None or engine is None:
        return None
    serving = snapshot.model.spec.serving
    limits = variant.spec.limits
    serving = serving.model_copy(
        update={"resources": serving.resources.model_copy(update={"limits": limits})}
    )
    hardware_class = variant.spec.hardware_class_name
    runtime = _runtime(snapshot, variant)
    name = identity.revision(
        artifact.digest, serving, engine.runtime_image, hardware_class, runtime
    )
    return ServedRevision(
        name,
        hardware_class,
        artifact.image,
        engine.runtime_image,
        limits,
        _server(snapshot, variant, runtime),
    )


def _runtime(snapshot: Snapshot, variant: ModelVariant) -> ServingRuntime | None:
    """Return the server that the class defines for the variant's engine in place of the engine's own."""
    found = snapshot.classes.get(variant.spec.hardware_class_name)
    runtimes = found.spec.runtimes if found else ()
    return next((one for one in runtimes if one.engine == variant.spec.engine), None)


def _server(snapshot: Snapshot, variant: ModelVariant, runtime: ServingRuntime | None) -> Server:
    plugin = snapshot.plugins.get(variant.spec.engine)
    own = SKERRY_RUNTIME if plugin is None else plugin.server
    return own if runtime is None else flavored(own, runtime.flavor, runtime.image, runtime.args)


def engine_build(
    snapshot: Snapshot, hardware_class: HardwareClass, engine: str, now: datetime
) -> EngineBuild:
    """Return an installed engine's progress with a target whose source is assessed."""
    spec = _variant_spec(snapshot, hardware_class, engine)
    name = identity.variant_name(spec.edge_model_name, spec.hardware_class_name, spec.build_key, spec.limits)
    work = work_of(snapshot, name)
    job = _job(snapshot, hardware_class, spec, name, work)
    made = EngineBuild(
        engine, name, spec, BuildState.IN_PROGRESS,
        Cause(BuildReason.JOB_STARTING, f"variant {name} will be built"),
        tried_before=any(job.work == work and job.failure for job in snapshot.jobs),
        evidence=job.plan.evidence_key,
    )  # fmt: skip
    variant = snapshot.variants.get(name)
    state = _state(snapshot, variant, work, now) if variant else None
    if variant is not None and state is not None:
        return _with_state(snapshot, made, variant, state)
    if not snapshot.nodes.get(spec.hardware_class_name):
        return _without_nodes(made)
    return _started(snapshot, made, job, now)


def _without_nodes(build: EngineBuild) -> EngineBuild:
    """Return a build that waits for nodes instead of a job that no node can run."""
    name = build.spec.hardware_class_name
    message = f"class {name} has no nodes to measure on: label a node so that the class selects it"
    cause = Cause(GeneralReason.NO_NODES, message)
    return replace(build, state=BuildState.WITHOUT_NODES, cause=cause)


def _started(snapshot: Snapshot, made: EngineBuild, job: BuildJob, now: datetime) -> EngineBuild:
    """Return what an earlier job left under the same keys; otherwise start the job."""
    tag = evidence_tag(job.plan.evidence_key)
    if tag not in snapshot.finished:
        cause = looking_up(snapshot, "this was built and measured before")
        return replace(made, lookup=tag, cause=cause)
    finished = snapshot.finished[tag]
    variant = snapshot.variants.get(made.variant)
    if variant is None:
        # Its status has to have somewhere to go first.
        return made if finished else replace(made, job=job)
    key = gates_key(snapshot.model.spec)
    state = from_finished(variant, finished, job.plan, key, now) if finished else None
    return _with_state(snapshot, made, variant, state) if state else replace(made, job=job)


def _state(
    snapshot: Snapshot, variant: ModelVariant, work: str, now: datetime
) -> VariantState | None:
    """Return the variant's state under the current gates; None when a job has to start."""
    spec = snapshot.model.spec
    key = gates_key(spec)
    if variant.status.gates_key == key:
        return remembered(variant)
    job = job_for(snapshot, work)
    if job is not None:
        return from_job(variant, job, spec.gates, key, now)
    if variant.status.recipe_results:
        return regated(variant, spec.gates, spec.optimization.search.weights, key, now)
    return None


def _with_state(
    snapshot: Snapshot, made: EngineBuild, variant: ModelVariant, state: VariantState
) -> EngineBuild:
    certified = variant.model_copy(update={"status": state.status})
    served = served_by(snapshot, certified) if state.state is BuildState.CERTIFIED else None
    return replace(
        made,
        state=state.state,
        cause=state.cause,
        status=state.status,
        served=served,
        measuring=state.state is BuildState.IN_PROGRESS,
    )


def _variant_spec(
    snapshot: Snapshot, hardware_class: HardwareClass, engine: str
) -> ModelVariantSpec:
    spec, settings = snapshot.model.spec, snapshot.config.engines[engine]
    source, dataset = map(snapshot.pins.artifact, (Role.SOURCE, Role.DATASET))
    if source is None or dataset is None:
        raise ValueError("a variant needs resolved digests; assess_source comes first")
    evaluation = evaluation_of(spec.evaluation, dataset)
    key = identity.build_key(
        source.digest, evaluation,
        architecture=hardware_class.spec.architecture, features=hardware_class.spec.features,
        engine=engine, engine_version=settings.version, recipe_set=settings.recipe_set,
        max_recipes=spec.optimization.search.max_recipes,
    )  # fmt: skip
    return ModelVariantSpec(
        edge_model_name=snapshot.model.metadata.name,
        hardware_class_name=hardware_class.metadata.name,
        engine=engine,
        engine_version=settings.version,
        build_key=key,
        source=source,
        evaluation=evaluation,
        recipe_set=settings.recipe_set,
        max_recipes=spec.optimization.search.max_recipes,
        limits=spec.serving.resources.limits,
    )


def _job(
    snapshot: Snapshot, hardware_class: HardwareClass, spec: ModelVariantSpec, name: str, work: str
) -> BuildJob:
    model = snapshot.model
    search = model.spec.optimization.search
    hardware = identity.hardware_of(spec.hardware_class_name, hardware_class.status.facts)
    evidence = identity.evidence_key(
        spec.build_key, hardware, spec.limits, model.spec.gates, search.weights
    )
    deadline = parse_duration(search.time_limit)
    plan = JobPlan(
        edge_model=spec.edge_model_name, namespace=model.metadata.namespace or "default",
        hardware_class=spec.hardware_class_name, features=hardware_class.spec.features,
        build_key=spec.build_key, evidence_key=evidence, engine=spec.engine,
        engine_version=spec.engine_version, recipe_set=spec.recipe_set, source=spec.source,
        baseline_engine=baseline_among(snapshot.plugins, spec.engine),
        evaluation=spec.evaluation, max_recipes=spec.max_recipes, limits=spec.limits,
        gates=model.spec.gates, weights=search.weights, registry=shared_access(snapshot),
        time_limit_seconds=deadline,
    )  # fmt: skip
    return BuildJob(next_try(snapshot, work), name, plan, spec.engine, deadline)
