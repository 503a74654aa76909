"""Which pods are not there, since when, and the Events that say why: the part of `gather` that remembers.

Events are not watched and are read as rarely as the question allows: of what has been missing for
longer than `GRACE`, a few objects at once, and again only after `GRACE`. No pass waits for them, since a
verdict may have set it off: they are read concurrently, and the next reconcile reports what they say.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from skerry.cluster import kinds
from skerry.controllers.partly import daemonset_of
from skerry.controllers.reading import read
from skerry.controllers.views import event_views, tolerated_by
from skerry.decide.nodes.taints import untolerated
from skerry.decide.pods.absent import GRACE, lacking, waits_for_pods
from skerry.decide.snapshot import Absence
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from skerry.cluster.client import Object
    from skerry.controllers.cache import Key, ServingPod
    from skerry.controllers.operator import Operator
    from skerry.decide.pods.absent import Lacking
    from skerry.decide.snapshot import EventView, JobView, PodView, Snapshot

MOST_READ = 6
"""Objects whose Events one reconcile reads: one device too many looks like the others."""
OLD = timedelta(minutes=20)
"""A DaemonSet's controller tries again within 17 minutes; what an older Event says may be long over."""

logger = logging.getLogger(__name__)


@dataclass
class Memory:
    """What is remembered of one EdgeModel between reconciles.

    Attributes:
        since: when a node was first seen without a Ready pod of a revision.
        events: as last read, by the uid of what they are about.
        asked_at: when they were last asked for.
        reading: the request that is under way, or was the last.
    """

    since: dict[tuple[str, str], datetime] = field(default_factory=dict)
    events: dict[str, tuple[EventView, ...]] = field(default_factory=dict)
    asked_at: datetime | None = None
    reading: asyncio.Task[None] | None = None


def with_absences(
    operator: Operator, key: Key, snapshot: Snapshot, daemonsets: Iterable[Object], now: datetime
) -> Snapshot:
    """Return the snapshot with the pods that are not there, and what Events say of them."""
    memory = operator.absences.setdefault(key, Memory())
    by_revision = by_revisions(daemonsets)
    pods = _pods(operator, key)
    found = list(lacking(snapshot.routes, snapshot.nodes))
    memory.since = {_of(one): memory.since.get(_of(one), now) for one in found}
    absences = [
        (one.hardware_class, _absence(operator, one, by_revision[one.revision], pods, memory))
        for one in found
        if one.revision in by_revision
    ]
    asked = list(dict.fromkeys(_silent(absences, by_revision, snapshot.jobs, now)))
    _ask(operator, key, memory, asked[:MOST_READ], now)
    by_class: dict[str, list[Absence]] = {}
    for name, absence in absences:
        uid = by_revision[absence.revision]["metadata"]["uid"]
        by_class.setdefault(name, []).append(_with_events(absence, uid, memory))
    return replace(
        snapshot,
        absences={name: tuple(those) for name, those in by_class.items()},
        jobs=tuple(_job_with_events(job, memory) for job in snapshot.jobs),
    )


def by_revisions(daemonsets: Iterable[Object]) -> dict[str, Object]:
    """Return DaemonSets by what they run, whatever labels they have left; without those that can't be read."""
    placed = ((item, read(kinds.DAEMON_SET.name, item, daemonset_of)[0]) for item in daemonsets)
    return {one.revision: item for item, one in placed if one is not None}


def _pods(operator: Operator, key: Key) -> dict[tuple[str, str], ServingPod]:
    """Return the model's newest pod that is not Ready, by node and revision."""
    found: dict[tuple[str, str], ServingPod] = {}
    for (namespace, _), pod in operator.fleet.pods.items():
        if (namespace, pod.model) != key or pod.state is None:
            continue
        known = found.get((pod.node, pod.revision))
        if known is None or known.state is None or known.state.created_at < pod.state.created_at:
            found[pod.node, pod.revision] = pod
    return found


def _of(one: Lacking) -> tuple[str, str]:
    return one.node.name, one.revision


def _absence(
    operator: Operator, one: Lacking, daemonset: Object, pods: dict[tuple[str, str], ServingPod],
    memory: Memory,
) -> Absence:  # fmt: skip
    pod, node = pods.get(_of(one)), operator.fleet.nodes.get("", one.node.name)
    taint = untolerated(node.taints if node else (), tolerated_by(daemonset))
    return Absence(
        node=one.node.name,
        revision=one.revision,
        daemonset=daemonset["metadata"]["name"],
        since=memory.since[_of(one)],
        pod=pod.state if pod else None,
        taint=str(taint or ""),
    )


def _silent(
    absences: list[tuple[str, Absence]],
    daemonsets: dict[str, Object],
    jobs: tuple[JobView, ...],
    now: datetime,
) -> Iterable[str]:
    """Yield the uids of what can only be explained by Events, missing for longer than the grace."""
    for job in jobs:
        if waits_for_pods(job) and now - job.created_at >= GRACE:
            yield job.pods[-1].uid if job.pods else job.uid
    for _, absence in absences:
        if now - absence.since < GRACE or absence.taint:
            continue
        if absence.pod is None:
            yield daemonsets[absence.revision]["metadata"]["uid"]
        elif not absence.pod.begun:
            yield absence.pod.uid


def _ask(operator: Operator, key: Key, memory: Memory, asked: list[str], now: datetime) -> None:
    """Have the Events of all that is asked for read, unless that was done a moment ago or is under way."""
    memory.events = {uid: memory.events[uid] for uid in asked if uid in memory.events}
    fresh = memory.asked_at is not None and now - memory.asked_at < GRACE
    under_way = memory.reading is not None and not memory.reading.done()
    if not asked or under_way or (fresh and len(memory.events) == len(asked)):
        return
    memory.asked_at = now
    memory.reading = asyncio.create_task(_read(operator, key, memory, asked, now))


async def _read(
    operator: Operator, key: Key, memory: Memory, asked: list[str], now: datetime
) -> None:
    """Read the Events, and have the EdgeModel looked at again when they say something new."""
    before = memory.events
    try:
        lists = await asyncio.gather(*(_events(operator, key[0], uid, now - OLD) for uid in asked))
    except SkerryError as error:
        logger.warning("%s/%s: its Events could not be read: %s", *key, error)
        lists = [before.get(uid, ()) for uid in asked]
    memory.events = dict(zip(asked, lists, strict=True))
    if memory.events != before:
        operator.queue.add(key)


async def _events(
    operator: Operator, namespace: str, uid: str, since: datetime
) -> tuple[EventView, ...]:
    about = f"involvedObject.uid={uid}"
    found = await operator.cluster.list(kinds.CORE_EVENT, namespace, fields=about)
    return tuple(event for event in event_views(found) if event.at >= since)


def _with_events(absence: Absence, daemonset: str, memory: Memory) -> Absence:
    if absence.pod is None:
        return replace(absence, events=memory.events.get(daemonset))
    return replace(absence, pod=_pod_with_events(absence.pod, memory))


def _job_with_events(job: JobView, memory: Memory) -> JobView:
    if not job.pods:
        return replace(job, events=memory.events.get(job.uid, ()))
    *others, last = job.pods
    return replace(job, pods=(*others, _pod_with_events(last, memory)))


def _pod_with_events(pod: PodView, memory: Memory) -> PodView:
    events = memory.events.get(pod.uid, ())
    return replace(pod, events=events) if events else pod
