"""Make the writes of one reconcile, each on its own: one that is refused does not stop the others.

`controllers.writes` says which there are and in which order. A write is left out when one that it
needs has failed in this reconcile, or when the same body was refused so shortly before that another try
would be in vain. What was refused is reported by the status of the same pass, where it came before.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from skerry.api.common import LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY
from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError, NameConflictError
from skerry.cluster.pace import Priority, priority
from skerry.controllers import events, metrics, writes
from skerry.controllers.cache import key_of, version_of
from skerry.controllers.fence import fenced
from skerry.controllers.refusals import concerning, refused_by
from skerry.controllers.unlabeled import is_owned
from skerry.controllers.views import job_finished
from skerry.controllers.writes import Plan, Verb, Write, WriteId
from skerry.decide.decision import Event
from skerry.decide.edgemodel import decide
from skerry.render import parts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from skerry.cluster.client import Object
    from skerry.cluster.kinds import Kind
    from skerry.controllers.cache import Store
    from skerry.controllers.gather import Gathered
    from skerry.controllers.operator import Operator
    from skerry.decide.decision import Decision
    from skerry.decide.refused import Refused

NO_CONNECTION = 0

logger = logging.getLogger(__name__)


class Applier:
    """The writes of one reconcile of one EdgeModel.

    Attributes:
        conflicts: objects in the way that are somebody else's.
        refused: what the API server refused, now or so shortly before that it was not asked again.
    """

    def __init__(self, operator: Operator, gathered: Gathered, now: datetime) -> None:
        metadata = gathered.snapshot.model.metadata
        self._operator = operator
        self._gathered = gathered
        self._now = now
        self._owner = parts.Owner(metadata.name, metadata.namespace or "", metadata.uid or "")
        self._key = (self._owner.namespace, self._owner.name)
        self._failed: set[WriteId] = set()
        self._known = {refused.identity for refused in operator.refusals.of(self._key)}
        self.conflicts: list[str] = []
        self.refused: dict[WriteId, Refused] = {}
        self._reported: tuple[Refused, ...] = ()

    async def apply(self, decision: Decision) -> None:
        """Write what differs.

        Raises:
            ClusterError: the API server cannot be reached; what was not tried yet is left out.
        """
        plan = self._plan(decision)
        await self._write_all(writes.before_status(plan))
        plan = self._plan(self._decided_again(decision))
        status = writes.status(plan)
        await self._write_all((status,) if status else ())
        if status is None or status.id not in self._failed:
            self._count(plan.decision)
            await self._publish(plan.decision.events)
        await self._write_all(writes.after_status(plan))
        self._operator.refusals.keep(self._key, self.refused)
        await self._publish(self._refusals_begun())

    @property
    def is_reported(self) -> bool:
        """Whether the status of this reconcile reports all that is refused, and nothing else."""
        now = self._operator.refused(self._key)
        return _identities(now) == _identities(self._reported)

    def _plan(self, decision: Decision) -> Plan:
        return Plan(decision, self._gathered, self._owner, self._operator.config)

    def _decided_again(self, decision: Decision) -> Decision:
        """Decide again with the writes refused so far, so that none of them is reported as done.

        It decides at the time of the first decision, so that it asks for the routes that were written.
        """
        snapshot, refused = self._gathered.snapshot, self._operator.refused(self._key)
        self._reported = refused
        if refused == snapshot.refused:
            return decision
        return decide(replace(snapshot, refused=refused), self._now)

    async def _write_all(self, found: Iterable[Write]) -> None:
        for write in found:
            if not write.needs.isdisjoint(self._failed):
                self._failed.add(write.id)
                continue
            early = self._operator.refusals.waiting(self._key, write.id, write.body)
            if early is None:
                await self._try(write)
            else:
                self._failed.add(write.id)
                self.refused[write.id] = early

    async def _try(self, write: Write) -> None:
        """Make one write; a refusal is kept, and reported by others."""
        try:
            with priority(Priority.URGENT) if write.urgent else nullcontext():
                await self._write(write)
        except NameConflictError as error:
            self._failed.add(write.id)
            self.conflicts.append(f"{write.kind.name} {write.name}")
            logger.warning("%s", error)
        except ClusterError as error:
            if error.status == NO_CONNECTION:
                raise
            self._refused(write, error)
        else:
            self._operator.refusals.clear(self._key, write.id)

    def _refused(self, write: Write, error: ClusterError) -> None:
        refused = refused_by(error, write.kind.name, write.name, write.verb.value)
        refused = concerning(refused, write.concern, write.hardware_class)
        self._failed.add(write.id)
        self.refused[write.id] = refused
        self._operator.refusals.note(self._key, write.id, write.body, refused)
        logger.warning("%s/%s: %s", *self._key, refused.cause.message if refused.cause else error)
        if refused.cause:
            metrics.REFUSED.labels(write.kind.name).inc()

    async def _write(self, write: Write) -> None:
        if write.slots is not None:
            await self._job_in_slot(write, write.slots)
            return
        if write.verb is Verb.DELETE:
            await self._delete(write)
        elif write.verb is Verb.STATUS:
            await self._status(write)
        else:
            await self._apply(write)
        self._written(write.label)

    async def _delete(self, write: Write) -> None:
        """Delete this very object, as it was when that was decided."""
        cluster, uid = self._operator.cluster, write.body["metadata"]["uid"]

        async def send(fence: dict[str, str]) -> None:
            version = fence.get("resourceVersion")
            await cluster.delete(write.kind, write.namespace, write.name, uid, version)

        await fenced(cluster, write.kind, write.present or write.body, send)

    async def _status(self, write: Write) -> None:
        """Apply a status to this very object; `write.present` is what it was decided from.

        That of an EdgeModel is decided from the whole object. A variant's is decided from its job.
        """
        metadata, present = dict(write.body["metadata"]), write.present
        if write.kind == kinds.EDGE_MODEL and present is not None:
            metadata["resourceVersion"] = present["metadata"]["resourceVersion"]
        body = {**write.body, "metadata": metadata}
        await self._operator.cluster.apply(write.kind, body, subresource="status")

    async def _apply(self, write: Write) -> Object:
        if write.present is None:
            return await self._create(write.kind, write.body)
        return await self._update(write.kind, write.body, write.present)

    async def _create(self, kind: Kind, rendered: Object) -> Object:
        """Apply an object that is not there, having looked: another's is never adopted."""
        metadata = rendered["metadata"]
        found = await self._operator.cluster.get(kind, metadata["namespace"], metadata["name"])
        if found is not None and is_owned(found["metadata"], self._owner.uid):
            return await self._update(kind, rendered, found)  # it has lost its labels
        if found is not None:
            raise NameConflictError(f"{kind.name} {metadata['namespace']}/{metadata['name']}")
        return await self._operator.cluster.apply(kind, rendered, force=False)

    async def _update(self, kind: Kind, rendered: Object, present: Object) -> Object:
        """Apply over this very object: with its uid, a new one of that name is refused."""
        cluster, uid = self._operator.cluster, present["metadata"]["uid"]

        async def send(fence: dict[str, str]) -> Object:
            metadata = {**rendered["metadata"], "uid": uid, **fence}
            return await cluster.apply(kind, {**rendered, "metadata": metadata})

        return await fenced(cluster, kind, present, send)

    async def _job_in_slot(self, write: Write, most: int) -> None:
        """Start a job of which only so many may run in the whole cluster."""
        component = write.body["metadata"]["labels"][LABEL_COMPONENT]
        async with self._operator.build_gate:
            running = await self._running_jobs(component)
            if running >= most:
                logger.info("job %s waits: %d of %s run", write.name, running, component)
                return
            written = await self._apply(write)
            store = self._slots_of(component)
            store.put(key_of(written), version_of(written), value=False)
        self._written(write.label)

    def _slots_of(self, component: str) -> Store[bool]:
        fleet = self._operator.fleet
        return fleet.fetches if component == parts.COMPONENT_FETCHER else fleet.jobs

    async def _running_jobs(self, component: str) -> int:
        """Count the unfinished jobs of a component in the whole cluster."""
        selector = f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_COMPONENT}={component}"
        found = await self._operator.cluster.list(kinds.JOB, selector=selector)
        return sum(not job_finished(job) for job in found)

    def _written(self, write: str) -> None:
        metrics.WRITES.labels(write).inc()
        self._operator.crash.written(write)

    def _refusals_begun(self) -> Iterable[Event]:
        """Yield an event for each new refusal."""
        for refused in self.refused.values():
            if refused.cause and refused.identity not in self._known:
                yield Event(refused.cause.reason, refused.cause.message, warning=True)

    async def _publish(self, found: Iterable[Event]) -> None:
        await events.publish(self._operator.cluster, self._gathered.snapshot.model, found)

    def _count(self, decision: Decision) -> None:
        """Count what this reconcile put into the status for the first time."""
        before = self._gathered.snapshot.model.status
        for entry in decision.status.history:
            if entry not in before.history:
                metrics.ENDED.labels(entry.outcome.value).inc()
        for rejection in decision.status.rejected:
            if rejection not in before.rejected:
                metrics.REJECTED.labels(rejection.rule).inc()


def _identities(refused: Iterable[Refused]) -> set[tuple[str, str, str]]:
    return {one.identity for one in refused if one.cause}
