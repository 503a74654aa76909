"""Pieces of work, their names and their tries: which Job stands for a build, and when another one is due.

A failed job is not started again by itself (it has retried already, by its own backoffLimit): a
change of the spec or the retry annotation makes another try. Names are deterministic, so that an
operator that was killed after starting a job finds it again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from skerry.api.actions import retry_asked
from skerry.decide.decision import JobTry

if TYPE_CHECKING:
    from skerry.api import EdgeModel
    from skerry.api.edgemodel import EdgeModelSpec
    from skerry.decide.snapshot import JobView, Snapshot

KEY_DIGITS = 12


def short_key(*parts: str) -> str:
    """Return twelve hex digits of SHA-256 over the parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:KEY_DIGITS]


def gates_key(spec: EdgeModelSpec) -> str:
    """Return the key of a spec's gates and weights; the chosen candidate depends on them."""
    return short_key(
        spec.gates.model_dump_json(), spec.optimization.search.weights.model_dump_json()
    )


def retry_of(model: EdgeModel) -> str:
    """Return the key of a try: the spec's generation and the retry annotation."""
    return f"{model.metadata.generation}/{retry_asked(model.metadata.annotations) or ''}"


def job_for(snapshot: Snapshot, work: str) -> JobView | None:
    """Return the current job for the work; None when one has to start.

    A job that runs or has succeeded always stands; one that failed only under the spec it was made for.
    """
    jobs = sorted(
        (job for job in snapshot.jobs if job.work == work), key=lambda job: job.created_at
    )
    good = [job for job in jobs if job.failure is None]
    if good:
        return good[-1]
    current = retry_of(snapshot.model)
    return next((job for job in reversed(jobs) if job.retry == current), None)


def next_try(snapshot: Snapshot, work: str) -> JobTry:
    """Return the name and marks of a job to start for the work."""
    retry = retry_of(snapshot.model)
    name = f"{snapshot.model.metadata.name}-{short_key(work, retry)}"
    return JobTry(name=name, work=work, retry=retry)
