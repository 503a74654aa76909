"""All writes of one pass, in the order that a killed operator can stand at any point of.

1. ModelVariant status; 2. ModelRoutes; 3. EdgeModel status; 4. variants, jobs, the Service and
DaemonSets; 5. deletions; 6. events. A write that would change nothing is left out.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from skerry.api import EdgeModelStatus, ModelVariantStatus
from skerry.api.common import LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY
from skerry.cluster import kinds
from skerry.cluster.compare import is_applied
from skerry.cluster.errors import NameConflictError
from skerry.controllers import events, metrics
from skerry.controllers.cache import key_of, version_of
from skerry.controllers.fence import fence_of
from skerry.controllers.reading import read
from skerry.controllers.unlabelled import is_owned
from skerry.controllers.views import job_finished
from skerry.decide.decision import AssessJob, FetchJob
from skerry.render import (
    daemonsets,
    fetch_jobs,
    image_volumes,
    jobs,
    parts,
    routes,
    services,
    variants,
)
from skerry.render.installed import installed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.cluster.client import Object
    from skerry.cluster.kinds import Kind
    from skerry.controllers.cache import Store
    from skerry.controllers.gather import Gathered
    from skerry.controllers.operator import Operator
    from skerry.decide.decision import BuildJob, DaemonSetPlan, Decision, Deletions

logger = logging.getLogger(__name__)


class Applier:
    """The writes of one pass over one EdgeModel."""

    def __init__(self, operator: Operator, gathered: Gathered) -> None:
        metadata = gathered.snapshot.model.metadata
        self._operator = operator
        self._gathered = gathered
        self._owner = parts.Owner(metadata.name, metadata.namespace or "", metadata.uid or "")
        self.conflicts: list[str] = []

    async def apply(self, decision: Decision) -> None:
        """Write what differs; names that are taken by others are collected in `conflicts`."""
        for name, status in decision.variant_statuses.items():
            await self._variant_status(name, status)
        for spec in decision.routes.values():
            await self._child(kinds.MODEL_ROUTE, routes.route(self._owner, spec), "route")
        await self._model_status(decision.status)
        for name, variant in decision.variants.items():
            rendered = variants.variant(self._owner, name, variant)
            await self._child(kinds.MODEL_VARIANT, rendered, "variant")
        for job in decision.jobs:
            await self._job(job)
        service = services.service(self._owner, self._operator.config.gateway)
        await self._child(kinds.SERVICE, service, "service")
        for plan in decision.daemonsets:
            await self._daemonset(plan)
        await self._delete(decision.deletions)
        self._count(decision)
        await events.publish(self._operator.cluster, self._gathered.snapshot.model, decision.events)

    async def _variant_status(self, name: str, status: ModelVariantStatus) -> None:
        present = self._gathered.present.get(("ModelVariant", name))
        if present is None or _variant_status_of(present) == status:
            return
        metadata = {k: v for k, v in present["metadata"].items() if k != "resourceVersion"}
        await self._status(kinds.MODEL_VARIANT, metadata, status.to_wire(), "variant-status")

    async def _model_status(self, status: EdgeModelStatus) -> None:
        model = self._gathered.snapshot.model
        if model.status == status:
            return
        metadata = {
            "namespace": self._owner.namespace,
            "name": self._owner.name,
            "uid": self._owner.uid,
            "resourceVersion": model.metadata.resource_version,
        }
        await self._status(kinds.EDGE_MODEL, metadata, status.to_wire(), "status")

    async def _status(self, kind: Kind, metadata: Object, status: Any, write: str) -> None:
        kept = ("name", "namespace", "uid", "resourceVersion")
        identity = {name: metadata[name] for name in kept if metadata.get(name)}
        body = {"metadata": identity, "status": status}
        await self._operator.cluster.apply(kind, body, subresource="status")
        self._written(write)

    async def _child(self, kind: Kind, rendered: Object, write: str) -> Object | None:
        """Apply a child; None when it is there already or the name is somebody else's."""
        name = rendered["metadata"]["name"]
        present = self._gathered.present.get((kind.name, name))
        if is_applied(rendered, present):
            return None
        try:
            written = (
                await self._create(kind, rendered)
                if present is None
                else await self._update(kind, rendered, present)
            )
        except NameConflictError as error:
            self.conflicts.append(f"{kind.name} {name}")
            logger.warning("%s", error)
            return None
        self._written(write)
        return written

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
        fence = await fence_of(self._operator.cluster, kind, present)
        metadata = {**rendered["metadata"], "uid": present["metadata"]["uid"], **fence}
        return await self._operator.cluster.apply(kind, {**rendered, "metadata": metadata})

    async def _job(self, job: FetchJob | AssessJob | BuildJob) -> None:
        config, fleet = self._operator.config, self._operator.fleet
        if isinstance(job, AssessJob):
            assess = self._delivered(jobs.assess_job(self._owner, job, config))
            await self._child(kinds.JOB, assess, "job")
        elif isinstance(job, FetchJob):
            rendered = installed(fetch_jobs.fetch_job(self._owner, job, config), config)
            await self._job_in_slot(rendered, config.sources.max_concurrent, fleet.fetches)
        else:
            rendered = self._delivered(jobs.optimisation_job(self._owner, job, config))
            await self._job_in_slot(rendered, config.builds.max_concurrent, fleet.jobs)

    def _delivered(self, rendered: Object) -> Object:
        config = self._operator.config
        return installed(image_volumes.delivered(rendered, config), config)

    async def _job_in_slot(self, rendered: Object, most: int, store: Store[bool]) -> None:
        """Start a job of which only so many may run in the whole cluster."""
        metadata = rendered["metadata"]
        component = metadata["labels"][LABEL_COMPONENT]
        async with self._operator.build_gate:
            running = await self._running_jobs(component)
            if running >= most:
                logger.info("job %s waits: %d of %s run", metadata["name"], running, component)
                return
            written = await self._child(kinds.JOB, rendered, "job")
            if written is not None:
                store.put(key_of(written), version_of(written), value=False)

    async def _running_jobs(self, component: str) -> int:
        """Jobs of a component in the whole cluster that are not finished, counted afresh."""
        selector = f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_COMPONENT}={component}"
        found = await self._operator.cluster.list(kinds.JOB, selector=selector)
        return sum(not job_finished(job) for job in found)

    async def _daemonset(self, plan: DaemonSetPlan) -> None:
        name = daemonsets.daemonset_name(self._owner.name, plan.revision)
        present = self._gathered.present.get(("DaemonSet", name))
        if present is not None:
            moved = daemonsets.with_placement(self._owner, present, plan.placement)
            rendered = installed(moved, self._operator.config)
        elif plan.served is not None:
            rendered = self._delivered(
                daemonsets.daemonset(self._owner, plan.served, plan.placement)
            )
        else:
            logger.error(
                "DaemonSet %s/%s is gone and revision %s can no longer be made: its variant or its"
                " runtime image is not known any more; change the spec to roll out another",
                self._owner.namespace, name, plan.revision,
            )  # fmt: skip
            return
        await self._child(kinds.DAEMON_SET, rendered, "daemonset")

    async def _delete(self, deletions: Deletions) -> None:
        own = self._owner.name
        await self._delete_all(
            kinds.MODEL_ROUTE, (routes.route_name(own, c) for c in deletions.routes)
        )
        names = (daemonsets.daemonset_name(own, revision) for revision in deletions.daemonsets)
        await self._delete_all(kinds.DAEMON_SET, names)
        await self._delete_all(kinds.MODEL_VARIANT, deletions.variants)
        await self._delete_all(kinds.JOB, deletions.jobs)

    async def _delete_all(self, kind: Kind, names: Iterable[str]) -> None:
        for name in names:
            present = self._gathered.present.get((kind.name, name))
            if present is None or present["metadata"].get("deletionTimestamp"):
                continue
            metadata, cluster = present["metadata"], self._operator.cluster
            version = (await fence_of(cluster, kind, present)).get("resourceVersion")
            await cluster.delete(kind, metadata["namespace"], name, metadata["uid"], version)
            self._written("delete")

    def _written(self, write: str) -> None:
        metrics.WRITES.labels(write).inc()
        self._operator.crash.written(write)

    def _count(self, decision: Decision) -> None:
        """Count what this pass put into the status for the first time."""
        before = self._gathered.snapshot.model.status
        for entry in decision.status.history:
            if entry not in before.history:
                metrics.ENDED.labels(entry.outcome.value).inc()
        for rejection in decision.status.rejected:
            if rejection not in before.rejected:
                metrics.REJECTED.labels(rejection.rule).inc()


def _variant_status_of(present: Object) -> ModelVariantStatus | None:
    """None for one that can't be read: it is written over."""
    read_status = ModelVariantStatus.model_validate
    found, _ = read("ModelVariant", present, lambda item: read_status(item.get("status", {})))
    return found
