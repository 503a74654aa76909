"""What is brought in before anything can be assessed: which artifact needs a job, and how it went.

An `oci` image that anybody may pull is resolved by the operator itself. All else takes a job, in the
namespace of the EdgeModel and with its Secret: the operator reads no Secrets and visits no addresses
that users give it. A private `oci` artifact that is pinned takes one too: it may be a ModelKit. What came in is kept in the status and asked for again only when the uri, the pin
or the retry annotation changes. A failed try is followed by another, ever later: a Secret or a file
may come after the EdgeModel that names it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from skerry.api.mistakes import mistakes
from skerry.api.actions import retry_asked
from skerry.api.artifact import IMAGE, scheme_of
from skerry.api.edgemodel_status import Fetched
from skerry.api.modelvariant import PinnedArtifact
from skerry.api.reasons import Cause, FetchReason, FetchRefusal
from skerry.decide.decision import FetchJob, JobTry
from skerry.decide.build.registry import own_access
from skerry.decide.snapshot import ContainerPhase, Pin, Pins
from skerry.decide.build.state import BuildState, Failure
from skerry.decide.build.stages import failure, last_words, trouble
from skerry.decide.build.tries import retry_of, short_key
from skerry.api.units import parse_bytes, parse_duration
from skerry.api.artifact import Role
from skerry.jobs.plans import FetchPlan
from skerry.jobs.results import FetchReport
from skerry.jobs.stages import FETCH, LOOK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from skerry.api.artifact import Artifact
    from skerry.decide.snapshot import JobView, Snapshot

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=30)
_DEADLINE = "the chart's sources.timeLimit"
_NO_FETCHER = Cause(
    FetchReason.FETCHER_MISSING,
    "this installation has no fetcher: set the chart's images.fetcher, or use an oci:// image",
)


@dataclass(frozen=True)
class Fetching:
    """How far one artifact is.

    Attributes:
        fetched: what came in; None while nothing has.
        job: to start.
        state: Rejected and Failed take a person, or time, to get on.
        cause: why nothing came in yet.
        obsolete: jobs that are of no use any more.
        again_at: when the next try is due.
    """

    fetched: Fetched | None = None
    job: FetchJob | None = None
    state: BuildState = BuildState.WAITING
    cause: Cause | None = None
    obsolete: tuple[str, ...] = ()
    again_at: datetime | None = None


@dataclass(frozen=True)
class Settled:
    """The snapshot's pins, completed by what jobs brought in.

    Attributes:
        jobs: to start.
        obsolete: jobs to delete, by name.
        requeue_after: seconds until time alone makes another try due.
    """

    pins: Pins
    jobs: tuple[FetchJob, ...] = ()
    obsolete: tuple[str, ...] = ()
    requeue_after: float | None = None
    fetching: dict[Role, Fetching] = field(default_factory=dict)


def needs_job(artifact: Artifact) -> bool:
    """Return whether the operator can't find the digest by itself."""
    if scheme_of(artifact.uri) != IMAGE:
        return True
    return artifact.credentials_secret_name is not None and artifact.digest is None


def _takes_job(snapshot: Snapshot, role: Role, artifact: Artifact) -> bool:
    """Return whether a job brings the artifact in, or has done so."""
    if needs_job(artifact) or role in snapshot.pins.kits:
        return True
    known = snapshot.model.status.artifact(role)
    if known and known.fetched and known.fetched.key == fetch_key(artifact):
        return True
    if artifact.credentials_secret_name is None or snapshot.config.sources.fetcher_image is None:
        return False
    # Without a word of a fetch it was mounted as it is, and proved to be an image.
    return known is None or (known.uri, known.digest) != (artifact.uri, artifact.digest)


def fetch_key(artifact: Artifact) -> str:
    """Return the key of a fetch; neither credentials nor the size limit change it."""
    return short_key(
        artifact.uri, artifact.digest or "", artifact.endpoint or "", artifact.region or ""
    )


def settle(snapshot: Snapshot, now: datetime) -> Settled:
    """Return the pins of all artifacts as far as they are known, and the jobs towards the others."""
    artifacts = snapshot.model.spec.artifacts
    free = snapshot.config.sources.max_concurrent - snapshot.slots.fetching
    fetching: dict[Role, Fetching] = {}
    for role, artifact in artifacts.items():
        if _takes_job(snapshot, role, artifact):
            found = _queued(_one(snapshot, role, artifact, now), snapshot, free)
            free -= found.job is not None
            fetching[role] = found
    pins = _pinned(snapshot.pins, artifacts, fetching)
    due = [f.again_at for f in fetching.values() if f.again_at is not None]
    return Settled(
        pins=pins,
        jobs=tuple(found.job for found in fetching.values() if found.job),
        obsolete=tuple(name for found in fetching.values() for name in found.obsolete),
        requeue_after=min(((at - now).total_seconds() for at in due), default=None),
        fetching=fetching,
    )


def _pinned(pins: Pins, artifacts: dict[Role, Artifact], fetching: dict[Role, Fetching]) -> Pins:
    """Return the pins with those that jobs found, and why others are missing."""
    # The registry's answer about the other artifact comes before what is merely awaited.
    failed = [one for one in fetching.values() if one.state.has_failed]
    missing = [] if pins.failed else [one for one in fetching.values() if one.cause]
    found = {
        role: _pin(artifacts[role], one.fetched) for role, one in fetching.items() if one.fetched
    }
    explained = _explained(pins, failed or missing) if failed or missing else pins
    others = {role: pin for role, pin in pins.known.items() if role not in fetching}
    return replace(explained, known={**others, **found})


def _explained(pins: Pins, missing: Sequence[Fetching]) -> Pins:
    """Return the pins with the state and cause of what is missing; what they wait for comes first."""
    queued = any(one.state is BuildState.QUEUED_TO_FETCH for one in missing)
    state = BuildState.QUEUED_TO_FETCH if queued else missing[0].state
    causes = [one.cause for one in missing if one.cause]
    before = [] if state.has_failed or pins.cause is None else [pins.cause.message]
    message = "; ".join([*before, *(cause.message for cause in causes)])
    return replace(pins, state=state, cause=replace(causes[0], message=message))


def _pin(artifact: Artifact, fetched: Fetched) -> Pin:
    pinned = PinnedArtifact(
        uri=artifact.uri,
        digest=fetched.digest,
        image=fetched.image,
        pull_secret_name=None if fetched.image else artifact.credentials_secret_name,
    )
    return Pin(pinned, fetched)


def _one(snapshot: Snapshot, role: Role, artifact: Artifact, now: datetime) -> Fetching:
    model = snapshot.model
    key = fetch_key(artifact)
    known = model.status.artifact(role)
    fetched = known.fetched if known else None
    nonce = retry_asked(model.metadata.annotations)
    if fetched is not None and fetched.key == key and nonce == model.status.retry_nonce:
        return Fetching(fetched=fetched)
    if snapshot.config.sources.fetcher_image is None:
        return Fetching(state=BuildState.REJECTED, cause=_NO_FETCHER)
    work = short_key("fetch", role.value, key, nonce or "")
    jobs = sorted((j for j in snapshot.jobs if j.work == work), key=lambda job: job.created_at)
    good = next((job for job in reversed(jobs) if job.failure is None), None)
    if good is not None:
        found = _from_job(good, artifact, key, now)
        return replace(found, obsolete=_names(job for job in jobs if job is not good))
    return _tried(snapshot, role, work, jobs, now)


def _tried(
    snapshot: Snapshot, role: Role, work: str, failed: list[JobView], now: datetime
) -> Fetching:
    """Return the next try, or why it is not due yet."""
    current = retry_of(snapshot.model)
    last = next((job for job in reversed(failed) if job.retry.startswith(f"{current}#")), None)
    if last is None:
        return _start(snapshot, role, work, 1, failed)
    number = int(last.retry.rpartition("#")[2])
    again_at = (last.finished_at or now) + pause_after(number)
    if now >= again_at:
        return _start(snapshot, role, work, number + 1, failed)
    found = _refusal(last) or failure(last, _DEADLINE)
    message = f"{found.cause.message} (try {number}; next try at {again_at:%H:%M:%S} UTC or after a change)"
    return Fetching(
        state=found.state,
        cause=replace(found.cause, message=message),
        obsolete=_names(job for job in failed if job is not last),
        again_at=again_at,
    )


def pause_after(tries: int) -> timedelta:
    """Return the pause after so many failed tries: 1, 2, 4 and so on up to 30 minutes."""
    return min(
        timedelta(seconds=FIRST_PAUSE.total_seconds() * 2.0 ** min(tries - 1, 10)), LONGEST_PAUSE
    )


def _start(
    snapshot: Snapshot, role: Role, work: str, number: int, failed: Iterable[JobView]
) -> Fetching:
    model, settings = snapshot.model, snapshot.config.sources
    artifact = model.spec.artifacts[role]
    retry = f"{retry_of(model)}#{number}"
    made = JobTry(f"{model.metadata.name}-{short_key(work, retry)}", work, retry)
    most = parse_bytes(settings.size_limit)
    own = parse_bytes(artifact.size_limit) if artifact.size_limit else most
    plan = FetchPlan(
        role=role,
        uri=artifact.uri,
        pin=artifact.digest,
        endpoint=artifact.endpoint,
        region=artifact.region,
        secret=artifact.credentials_secret_name,
        size_limit=min(own, most),
        registry=own_access(snapshot),
    )
    job = FetchJob(made, plan, parse_duration(settings.time_limit))
    cause = Cause(FetchReason.FETCHING, f"job {made.name} will fetch {artifact.uri}")
    return Fetching(job=job, cause=cause, obsolete=_names(failed))


def _queued(found: Fetching, snapshot: Snapshot, free: int) -> Fetching:
    """Return the same without its job when no slot is free."""
    if found.job is None or free > 0:
        return found
    most = snapshot.config.sources.max_concurrent
    uri = found.job.plan.uri
    message = f"{uri} waits for a fetch slot: {most} fetch jobs run (sources.maxConcurrent)"
    return Fetching(state=BuildState.QUEUED_TO_FETCH, cause=Cause(FetchReason.QUEUED, message))


def _from_job(job: JobView, artifact: Artifact, key: str, now: datetime) -> Fetching:
    if not job.succeeded:
        return Fetching(cause=trouble(job) or _running(job, artifact))
    words = last_words(job.pods[-1].containers, FETCH.name) if job.pods else ""
    try:
        report = FetchReport.model_validate_json(words)
    except ValidationError as error:
        first = mistakes(error, whole="its message")[0]
        message = (
            f"job {job.name} ended without a readable report ({first}):"
            " delete the job to run it again"
        )
        cause = Cause(FetchReason.REPORT_UNREADABLE, message)
        return Fetching(state=BuildState.FAILED, cause=cause)
    return Fetching(
        fetched=Fetched(
            key=key,
            digest=report.digest,
            image=report.image,
            content=report.content,
            resolved=report.resolved,
            bytes=report.bytes,
            fetch_time=job.finished_at or now,
        )
    )


def _running(job: JobView, artifact: Artifact) -> Cause:
    """Return the state of a running fetch, with its size once the first stage has listed the files."""
    pod = job.pods[-1] if job.pods else None
    fetch = next((c for c in pod.containers if c.name == FETCH.name), None) if pod else None
    if pod is None or not pod.begun:
        return Cause(FetchReason.FETCHING, f"job {job.name} is starting: it will check {artifact.uri}")
    if fetch is None or fetch.phase is ContainerPhase.WAITING:
        return Cause(FetchReason.FETCHING, f"job {job.name} checks {artifact.uri}")
    since = f", since {fetch.started_at:%H:%M:%S} UTC" if fetch.started_at else ""
    size = last_words(pod.containers, LOOK.name).strip()
    message = f"job {job.name} fetches {artifact.uri}: {size}{since}, on node {pod.node}"
    return Cause(FetchReason.FETCHING, message)


def _refusal(job: JobView) -> Failure | None:
    """Return the failure that the fetcher reported, by the word that its message begins with."""
    for pod in reversed(job.pods):
        for container in pod.containers:
            word, _, message = container.message.strip().partition(": ")
            if container.exit_code and message and word in set(FetchRefusal):
                return Failure(BuildState.REJECTED, Cause(FetchRefusal(word), message))
    return None


def _names(jobs: Iterable[JobView]) -> tuple[str, ...]:
    return tuple(job.name for job in jobs)
