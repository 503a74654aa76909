"""The first steps of every model, shared by its targets: digests, then one assessment of source and data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from skerry.api.mistakes import mistakes
from skerry.api.artifact import Role
from skerry.api.edgemodel import Assessment
from skerry.api.modelvariant import EvaluationPlan
from skerry.api.reasons import (
    AssessFailure,
    AssessReason,
    Cause,
    GeneralReason,
    RegistryReason,
)
from skerry.decide.build import identity
from skerry.decide.decision import AssessJob
from skerry.decide.build.registry import looking_up, shared_access
from skerry.decide.build.state import BuildState
from skerry.decide.build.stages import failure, last_words, trouble
from skerry.decide.build.tries import job_for, next_try, short_key
from skerry.api.units import parse_duration
from skerry.engines.plugin import baseline_among
from skerry.jobs.plans import AssessPlan
from skerry.jobs.registry import assessment_tag
from skerry.jobs.stages import ASSESS

if TYPE_CHECKING:
    from skerry.api.evaluation import Evaluation
    from skerry.api.modelvariant import PinnedArtifact
    from skerry.decide.build.state import Failure
    from skerry.decide.snapshot import Finished, JobView, Snapshot


_RESOLVING = Cause(
    RegistryReason.RESOLVING_DIGESTS, "resolving the digests of source and data set"
)


@dataclass(frozen=True)
class Assessed:
    """How far source and data set are.

    Attributes:
        assessment: of both as they are pinned now; None while there is none.
        job: to start.
        lookup: tag in the registry to look at first.
        state, cause: why there is no assessment; of no meaning once there is one.
    """

    assessment: Assessment | None = None
    job: AssessJob | None = None
    lookup: str | None = None
    state: BuildState = BuildState.IN_PROGRESS
    cause: Cause = _RESOLVING


def assess_source(snapshot: Snapshot) -> Assessed:
    """Return the assessment of source and data set, or the step towards it."""
    source, dataset = map(snapshot.pins.artifact, (Role.SOURCE, Role.DATASET))
    if source is None or dataset is None:
        return _unresolved(snapshot)
    evaluation = evaluation_of(snapshot.model.spec.evaluation, dataset)
    known = snapshot.model.status.assessment
    if known is not None and _is_of(known, source.digest, evaluation):
        return Assessed(assessment=known)
    plan = _plan(snapshot, source, evaluation)
    work = short_key("assess", plan.assessment_key)
    job = job_for(snapshot, work)
    if job is None:
        return _start(snapshot, source, plan, work)
    return _from_job(job, source, plan)


def evaluation_of(evaluation: Evaluation, dataset: PinnedArtifact) -> EvaluationPlan:
    """Return what builds and assessment need of `spec.evaluation`, with the data set as it is pinned."""
    return EvaluationPlan(
        dataset=dataset,
        metric=evaluation.metric,
        calibration_samples=evaluation.calibration_samples,
        golden_samples=evaluation.golden_samples,
    )


def _is_of(assessment: Assessment, source_digest: str, evaluation: EvaluationPlan) -> bool:
    """Return whether an assessment belongs to this source and this evaluation."""
    checked = assessment.dataset
    if checked is None or assessment.source_digest != source_digest:
        return False
    return checked == evaluation.assessed(checked.samples)


def _unresolved(snapshot: Snapshot) -> Assessed:
    pins = snapshot.pins
    return Assessed(state=pins.state, cause=pins.cause or _RESOLVING)


def _start(snapshot: Snapshot, source: PinnedArtifact, plan: AssessPlan, work: str) -> Assessed:
    """Return an earlier job's finding about the same source; otherwise start a job that reads it."""
    if snapshot.model.spec.suspend:
        message = "the source is not read while spec.suspend is true"
        cause = Cause(GeneralReason.SUSPENDED, message)
        return Assessed(state=BuildState.SUSPENDED, cause=cause)
    tag = assessment_tag(plan.assessment_key)
    if tag not in snapshot.finished:
        return Assessed(lookup=tag, cause=looking_up(snapshot, "the source was read before"))
    found = _read_before(snapshot.finished[tag], plan)
    if found is not None:
        return Assessed(assessment=found)
    made, search = next_try(snapshot, work), snapshot.model.spec.optimization.search
    return Assessed(
        job=AssessJob(made, source, plan, parse_duration(search.time_limit)),
        cause=Cause(AssessReason.ASSESSING, _reads(made.name, source, plan, begun=False)),
    )


def _reads(job: str, source: PinnedArtifact, plan: AssessPlan, *, begun: bool) -> str:
    does = "reads" if begun else "is starting: it will read"
    return (
        f"job {job} {does} the source {source.uri} and the data set {plan.evaluation.dataset.uri}"
    )


def _plan(snapshot: Snapshot, source: PinnedArtifact, evaluation: EvaluationPlan) -> AssessPlan:
    engines = snapshot.config.engines
    # What the baseline's engine can't run, no engine's candidates can be compared with.
    first = next(iter(engines))
    baseline = baseline_among(snapshot.plugins, first)
    engine = baseline if baseline in engines else first
    key = identity.assessment_key(
        source.digest, evaluation, engine=engine, engine_version=engines[engine].version
    )
    return AssessPlan(
        source_digest=source.digest, evaluation=evaluation, engine=engine, assessment_key=key,
        registry=shared_access(snapshot),
    )  # fmt: skip


def _read_before(found: Finished | None, plan: AssessPlan) -> Assessment | None:
    """Return the assessment in the registry; one that can't be parsed is made again."""
    try:
        assessment = Assessment.model_validate_json(found.result) if found else None
    except ValidationError:
        return None
    right = assessment is not None and _is_of(assessment, plan.source_digest, plan.evaluation)
    return assessment if right else None


def _from_job(job: JobView, source: PinnedArtifact, plan: AssessPlan) -> Assessed:
    if job.failure is not None:
        found = failure(job, "spec.optimization.search.timeLimit")
        return Assessed(state=found.state, cause=_of_assessing(found))
    if job.succeeded:
        return _parsed(job, plan)
    message = _reads(job.name, source, plan, begun=job.begun)
    return Assessed(cause=trouble(job) or Cause(AssessReason.ASSESSING, message))


def _of_assessing(found: Failure) -> Cause:
    """Return the cause of a failed job; the reason names the assessment unless its input is at fault."""
    if found.state is BuildState.REJECTED:
        return found.cause
    return replace(found.cause, reason=AssessFailure[found.cause.reason.name])


def _parsed(job: JobView, plan: AssessPlan) -> Assessed:
    """Return the assessment in the job's termination message."""
    text = last_words(job.pods[-1].containers, ASSESS.name) if job.pods else ""
    try:
        assessment = Assessment.model_validate_json(text)
    except ValidationError as error:
        return _unreadable(job, mistakes(error, whole="its message")[0])
    if not _is_of(assessment, plan.source_digest, plan.evaluation):
        return _unreadable(
            job, "of another source or data set; check that its image is of this release"
        )
    return Assessed(assessment=assessment)


def _unreadable(job: JobView, why: str) -> Assessed:
    message = (
        f"job {job.name} ended without a readable assessment ({why}): delete the job to run it again"
    )
    return Assessed(state=BuildState.FAILED, cause=Cause(AssessReason.UNREADABLE, message))
