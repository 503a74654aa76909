"""The first steps of every model, shared by its targets: digests, then one assessment of the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from skerry.api.edgemodel import Assessment, Phase
from skerry.api.job import BASELINE_ENGINE, AssessPlan
from skerry.artifacts.finished import assessment_tag
from skerry.decide import identity
from skerry.decide.decision import AssessJob
from skerry.decide.registry import LOOKING_UP, registry_access
from skerry.decide.stages import ASSESS, failure, last_words, trouble
from skerry.decide.tries import job_for, next_try, short_key

if TYPE_CHECKING:
    from skerry.api.modelvariant import PinnedArtifact
    from skerry.decide.snapshot import Finished, JobView, Snapshot


NOT_RESOLVED = "SourceNotResolved"
SUSPENDED = "Suspended"


@dataclass(frozen=True)
class Assessed:
    """How far the source is.

    Attributes:
        assessment: of the source as it is pinned now; None while there is none.
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
    """The assessment of the source, or the step towards it."""
    source = snapshot.pins.source
    if source is None or snapshot.pins.dataset is None:
        return _unresolved(snapshot)
    known = snapshot.model.status.assessment
    if known is not None and known.source_digest == source.digest:
        return Assessed(assessment=known)
    work = short_key("assess", source.digest)
    job = job_for(snapshot, work)
    if job is None:
        return _start(snapshot, source, work)
    return _from_job(job, source)


def _unresolved(snapshot: Snapshot) -> Assessed:
    problem = snapshot.pins.problem
    if problem:
        reason = snapshot.pins.reason or NOT_RESOLVED
        return Assessed(phase=Phase.FAILED, reason=reason, message=problem)
    if snapshot.pins.waiting:
        return Assessed(
            phase=Phase.PENDING, reason=snapshot.pins.reason, message=snapshot.pins.waiting
        )
    message = "the registry is asked for the digests of source and data set"
    return Assessed(phase=Phase.PENDING, reason="Resolving", message=message)


def _start(snapshot: Snapshot, source: PinnedArtifact, work: str) -> Assessed:
    """What an earlier job found out about the same source; else a job that reads it."""
    if snapshot.model.spec.suspend:
        message = "the source is not read while spec.suspend is true"
        return Assessed(phase=Phase.PAUSED, reason=SUSPENDED, message=message)
    plan = _plan(snapshot, source)
    tag = assessment_tag(plan.assessment_key)
    if tag not in snapshot.finished:
        message = "the registry is asked whether the source was read before"
        return Assessed(lookup=tag, reason=LOOKING_UP, message=message)
    found = _read_before(snapshot.finished[tag], source)
    if found is not None:
        return Assessed(assessment=found)
    made = next_try(snapshot, work)
    return Assessed(
        job=AssessJob(made, source, plan),
        reason="Assessing",
        message=f"job {made.name} reads the source {source.uri}",
    )


def _plan(snapshot: Snapshot, source: PinnedArtifact) -> AssessPlan:
    engines = snapshot.config.engines
    # What the baseline's engine can't run, no engine's candidates can be compared with.
    engine = BASELINE_ENGINE if BASELINE_ENGINE in engines else next(iter(engines))
    key = identity.assessment_key(
        source.digest, engine=engine, engine_version=engines[engine].version
    )
    return AssessPlan(
        source_digest=source.digest, engine=engine, assessment_key=key,
        registry=registry_access(snapshot),
    )  # fmt: skip


def _read_before(found: Finished | None, source: PinnedArtifact) -> Assessment | None:
    """The assessment that lies in the registry; one that can't be read is made anew."""
    try:
        assessment = Assessment.model_validate_json(found.result) if found else None
    except ValidationError:
        return None
    right = assessment is not None and assessment.source_digest == source.digest
    return assessment if right else None


def _from_job(job: JobView, source: PinnedArtifact) -> Assessed:
    if job.failure is not None:
        found = failure(job, "the operator's deadline is fixed; look at the pod's log")
        return Assessed(phase=Phase.FAILED, reason=f"Assess{found.reason}", message=found.message)
    if job.succeeded:
        return _parsed(job, source)
    stuck = trouble(job)
    if stuck is not None:
        return Assessed(reason=stuck.reason, message=stuck.message)
    return Assessed(reason="Assessing", message=f"job {job.name} reads the source {source.uri}")


def _parsed(job: JobView, source: PinnedArtifact) -> Assessed:
    """The assessment in the job's termination message."""
    text = last_words(job.pods[-1].containers, ASSESS) if job.pods else ""
    try:
        return Assessed(
            assessment=Assessment.model_validate_json(text).model_copy(
                update={"source_digest": source.digest}
            )
        )
    except ValidationError as error:
        first = error.errors()[0]["msg"]
        return Assessed(
            phase=Phase.FAILED,
            reason="AssessmentUnreadable",
            message=f"job {job.name} ended without a readable assessment ({first}):"
            " delete that job and it is run again",
        )
