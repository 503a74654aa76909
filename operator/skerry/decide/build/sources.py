"""The first steps of every model, shared by its targets: digests, then one assessment of source and data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from skerry.api.edgemodel import Assessment, Phase
from skerry.api.modelvariant import EvaluationPlan
from skerry.decide.build import identity
from skerry.decide.decision import AssessJob
from skerry.decide.build.registry import looking_up, shared_access
from skerry.decide.build.stages import failure, last_words, trouble
from skerry.decide.build.tries import job_for, next_try, short_key
from skerry.api.units import parse_duration
from skerry.jobs.errors import UNUSABLE
from skerry.jobs.plans import BASELINE_ENGINE, AssessPlan
from skerry.jobs.registry import assessment_tag
from skerry.jobs.stages import ASSESS

if TYPE_CHECKING:
    from skerry.api.evaluation import Evaluation
    from skerry.api.modelvariant import PinnedArtifact
    from skerry.decide.snapshot import Finished, JobView, Snapshot


NOT_RESOLVED = "SourceNotResolved"
SUSPENDED = "Suspended"


@dataclass(frozen=True)
class Assessed:
    """How far source and data set are.

    Attributes:
        assessment: of both as they are pinned now; None while there is none.
        job: to start.
        lookup: tag in the registry to look at first.
        phase, reason, message: why there is no assessment.
    """

    assessment: Assessment | None = None
    job: AssessJob | None = None
    lookup: str | None = None
    phase: Phase = Phase.OPTIMIZING
    reason: str = ""
    message: str = ""


def assess_source(snapshot: Snapshot) -> Assessed:
    """The assessment of source and data set, or the step towards it."""
    source, dataset = snapshot.pins.source, snapshot.pins.dataset
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
    """What builds and assessment depend on of `spec.evaluation`, with the data set as it is pinned."""
    return EvaluationPlan(
        dataset=dataset,
        metric=evaluation.metric,
        calibration_samples=evaluation.calibration_samples,
        golden_samples=evaluation.golden_samples,
    )


def _is_of(assessment: Assessment, source_digest: str, evaluation: EvaluationPlan) -> bool:
    """Whether an assessment is of this source and of this evaluation."""
    checked = assessment.dataset
    if checked is None or assessment.source_digest != source_digest:
        return False
    return checked == evaluation.assessed(checked.samples)


def _unresolved(snapshot: Snapshot) -> Assessed:
    problem = snapshot.pins.problem
    if problem:
        reason = snapshot.pins.reason or NOT_RESOLVED
        return Assessed(phase=Phase.FAILED, reason=reason, message=problem)
    if snapshot.pins.waiting:
        return Assessed(
            phase=Phase.PENDING, reason=snapshot.pins.reason, message=snapshot.pins.waiting
        )
    message = "resolving the digests of source and data set"
    return Assessed(phase=Phase.PENDING, reason="Resolving", message=message)


def _start(snapshot: Snapshot, source: PinnedArtifact, plan: AssessPlan, work: str) -> Assessed:
    """What an earlier job found out about the same; else a job that reads it."""
    if snapshot.model.spec.suspend:
        message = "the source is not read while spec.suspend is true"
        return Assessed(phase=Phase.PAUSED, reason=SUSPENDED, message=message)
    tag = assessment_tag(plan.assessment_key)
    if tag not in snapshot.finished:
        told = looking_up(snapshot, "the source was read before")
        return Assessed(lookup=tag, reason=told.reason, message=told.message)
    found = _read_before(snapshot.finished[tag], plan)
    if found is not None:
        return Assessed(assessment=found)
    made, search = next_try(snapshot, work), snapshot.model.spec.optimization.search
    return Assessed(
        job=AssessJob(made, source, plan, parse_duration(search.time_limit)),
        reason="Assessing",
        message=_reads(made.name, source, plan, begun=False),
    )


def _reads(job: str, source: PinnedArtifact, plan: AssessPlan, *, begun: bool) -> str:
    does = "reads" if begun else "is starting: it will read"
    return (
        f"job {job} {does} the source {source.uri} and the data set {plan.evaluation.dataset.uri}"
    )


def _plan(snapshot: Snapshot, source: PinnedArtifact, evaluation: EvaluationPlan) -> AssessPlan:
    engines = snapshot.config.engines
    # What the baseline's engine can't run, no engine's candidates can be compared with.
    engine = BASELINE_ENGINE if BASELINE_ENGINE in engines else next(iter(engines))
    key = identity.assessment_key(
        source.digest, evaluation, engine=engine, engine_version=engines[engine].version
    )
    return AssessPlan(
        source_digest=source.digest, evaluation=evaluation, engine=engine, assessment_key=key,
        registry=shared_access(snapshot),
    )  # fmt: skip


def _read_before(found: Finished | None, plan: AssessPlan) -> Assessment | None:
    """The assessment that lies in the registry; one that can't be read is made anew."""
    try:
        assessment = Assessment.model_validate_json(found.result) if found else None
    except ValidationError:
        return None
    right = assessment is not None and _is_of(assessment, plan.source_digest, plan.evaluation)
    return assessment if right else None


def _from_job(job: JobView, source: PinnedArtifact, plan: AssessPlan) -> Assessed:
    if job.failure is not None:
        found = failure(job, "spec.optimization.search.timeLimit")
        unusable = found.reason in UNUSABLE.values()
        reason = found.reason if unusable else f"Assess{found.reason}"
        return Assessed(phase=Phase.FAILED, reason=reason, message=found.message)
    if job.succeeded:
        return _parsed(job, plan)
    stuck = trouble(job)
    if stuck is not None:
        return Assessed(reason=stuck.reason, message=stuck.message)
    message = _reads(job.name, source, plan, begun=job.begun)
    return Assessed(reason="Assessing", message=message)


def _parsed(job: JobView, plan: AssessPlan) -> Assessed:
    """The assessment in the job's termination message."""
    text = last_words(job.pods[-1].containers, ASSESS.name) if job.pods else ""
    try:
        assessment = Assessment.model_validate_json(text)
    except ValidationError as error:
        return _unreadable(job, error.errors()[0]["msg"])
    if not _is_of(assessment, plan.source_digest, plan.evaluation):
        return _unreadable(
            job, "of another source or data set; check that its image is of this release"
        )
    return Assessed(assessment=assessment)


def _unreadable(job: JobView, why: str) -> Assessed:
    return Assessed(
        phase=Phase.FAILED,
        reason="AssessmentUnreadable",
        message=f"job {job.name} ended without a readable assessment ({why}):"
        " delete the job to run it again",
    )
