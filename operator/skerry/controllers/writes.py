"""A decision as an ordered list of writes: pure, so that order and dependencies can be tested as data.

The operator may be killed after any write, and the API server may refuse any of them, so that the
order says what must not be lost:

Before the status:
1. ModelRoutes that take something from nodes (a rollback, an abort): they need nothing else.
2. ModelVariant statuses: what a job reported outlives the job. 3. The other ModelRoutes: a revision
   becomes candidate only once its variant's status is stored. 4. Routes of classes that left the spec.
5. Variants, and jobs, each after its variant. 6. The Service.

The status: it is decided again when one of these was refused, and so describes the routes that are.

After the status:
7. DaemonSets: each follows a placement of its class's route, which is stored by then; that of a route that was
   stored before waits for none. One that lags behind is written by the next reconcile; nothing else is put in its
   place before (`decide.rollout.retire`).
8. Deletions: what is deleted has no placement in a stored route, and its end is in the stored status.

A write that would change nothing is left out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from skerry.cluster import kinds
from skerry.cluster.compare import is_applied
from skerry.decide.decision import AssessJob, FetchJob
from skerry.decide.refused import Concern
from skerry.render import (
    daemonsets,
    fetch_jobs,
    image_volumes,
    jobs,
    routes,
    services,
    variants,
)
from skerry.render.installed import installed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from skerry.api import ModelRouteSpec
    from skerry.api.config import OperatorConfig
    from skerry.cluster.client import Object
    from skerry.cluster.kinds import Kind
    from skerry.controllers.gather import Gathered
    from skerry.decide.decision import BuildJob, DaemonSetPlan, Decision
    from skerry.render.parts import Owner

WriteId = tuple[str, str, str]
"""What is done (a verb), to which kind, of which name."""

logger = logging.getLogger(__name__)


class Verb(Enum):
    """What a write does."""

    APPLY = "write"
    STATUS = "write the status of"
    DELETE = "delete"


@dataclass(frozen=True)
class Write:
    """One request that changes something.

    Attributes:
        label: kind of write, for metrics and crash points.
        body: the object to apply, or for a deletion its metadata alone.
        present: the object as it was gathered; None when there is none.
        needs: writes that must not have failed before in the same pass.
        concern: what waits while it is refused.
        hardware_class: the class that it belongs to; empty for all of them.
        urgent: goes before everything else that waits for the API server.
        slots: how many jobs like it may run in the whole cluster; None for any number.
    """

    label: str
    verb: Verb
    kind: Kind
    body: Object
    present: Object | None = None
    needs: frozenset[WriteId] = frozenset()
    concern: Concern = Concern.NOTHING
    hardware_class: str = ""
    urgent: bool = False
    slots: int | None = None

    @property
    def name(self) -> str:
        """Name of the object."""
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str | None:
        """Namespace of the object; None for a cluster-wide kind."""
        namespace = self.body["metadata"].get("namespace")
        return None if namespace is None else str(namespace)

    @property
    def id(self) -> WriteId:
        """What identifies a write of a reconcile."""
        return self.verb.value, self.kind.name, self.name


@dataclass(frozen=True)
class Plan:
    """What the writes of one reconcile are made from."""

    decision: Decision
    gathered: Gathered
    owner: Owner
    config: OperatorConfig

    def present(self, kind: Kind, name: str) -> Object | None:
        """Return a child as it was gathered."""
        return self.gathered.present.get((kind.name, name))


def before_status(plan: Plan) -> tuple[Write, ...]:
    """Return all writes that the status reports, in order."""
    found = list(_routes(plan))
    urgent = [write for write in found if write.urgent]
    others = [write for write in found if not write.urgent]
    made = (
        *urgent,
        *_variant_statuses(plan),
        *others,
        *_withdrawn_routes(plan),
        *_variants(plan),
        *_jobs(plan),
        _service(plan),
    )
    return tuple(write for write in made if _changes_something(write))


def status(plan: Plan) -> Write | None:
    """Return the write of the EdgeModel's status; None when it is up to date."""
    model, owner = plan.gathered.snapshot.model, plan.owner
    if model.status == plan.decision.status:
        return None
    metadata = {"name": owner.name, "namespace": owner.namespace, "uid": owner.uid}
    body = {"metadata": metadata, "status": plan.decision.status.to_wire()}
    present = {"metadata": model.metadata.to_wire()}
    return Write("status", Verb.STATUS, kinds.EDGE_MODEL, body, present)


def after_status(plan: Plan) -> tuple[Write, ...]:
    """Return the writes that may follow once the status is stored."""
    made = (*_daemonsets(plan), *_deletions(plan))
    return tuple(write for write in made if _changes_something(write))


def takes_away(before: ModelRouteSpec | None, after: ModelRouteSpec) -> bool:
    """Return whether a route only removes a revision's role, and gives none to a revision without one."""
    if before is None or before == after:
        return False
    had, has = _revisions(before), _revisions(after)
    lost_trial = before.candidate is not None and after.candidate is None
    returned = before.stable != after.stable and not _promotes(before, after)
    return has <= had and (returned or (lost_trial and not _promotes(before, after)))


def _promotes(before: ModelRouteSpec, after: ModelRouteSpec) -> bool:
    tried, stable = before.candidate, after.stable
    return tried is not None and stable is not None and stable.revision == tried.revision


def _revisions(route: ModelRouteSpec) -> set[str]:
    return {role.revision for role in (route.stable, route.candidate, route.previous) if role}


def _routes(plan: Plan) -> Iterator[Write]:
    snapshot = plan.gathered.snapshot
    for name, spec in plan.decision.routes.items():
        rendered = routes.route(plan.owner, spec)
        known = snapshot.routes.get(name)
        urgent = takes_away(known, spec)
        yield Write(
            "route", Verb.APPLY, kinds.MODEL_ROUTE, rendered,
            present=plan.present(kinds.MODEL_ROUTE, rendered["metadata"]["name"]),
            needs=frozenset() if urgent else frozenset(_statuses_of(plan, name)),
            concern=Concern.ROUTE, hardware_class=name, urgent=urgent,
        )  # fmt: skip


def _statuses_of(plan: Plan, hardware_class: str) -> Iterator[WriteId]:
    """Yield the variant statuses that a class's route is decided from."""
    for name in plan.decision.variant_statuses:
        variant = plan.gathered.snapshot.variants.get(name)
        if variant is not None and variant.spec.hardware_class_name == hardware_class:
            yield Verb.STATUS.value, kinds.MODEL_VARIANT.name, name


def _variant_statuses(plan: Plan) -> Iterator[Write]:
    for name, wanted in plan.decision.variant_statuses.items():
        present = plan.present(kinds.MODEL_VARIANT, name)
        variant = plan.gathered.snapshot.variants.get(name)
        if present is None or variant is None or variant.status == wanted:
            continue
        metadata = {key: present["metadata"][key] for key in ("name", "namespace", "uid")}
        yield Write(
            "variant-status", Verb.STATUS, kinds.MODEL_VARIANT,
            {"metadata": metadata, "status": wanted.to_wire()}, present,
            concern=Concern.ROUTE, hardware_class=variant.spec.hardware_class_name,
        )  # fmt: skip


def _withdrawn_routes(plan: Plan) -> Iterator[Write]:
    names = (routes.route_name(plan.owner.name, c) for c in plan.decision.deletions.routes)
    return _delete_all(plan, kinds.MODEL_ROUTE, names, needs=frozenset())


def _variants(plan: Plan) -> Iterator[Write]:
    for name, spec in plan.decision.variants.items():
        yield Write(
            "variant", Verb.APPLY, kinds.MODEL_VARIANT, variants.variant(plan.owner, name, spec),
            present=plan.present(kinds.MODEL_VARIANT, name),
            concern=Concern.BUILD, hardware_class=spec.hardware_class_name,
        )  # fmt: skip


def _jobs(plan: Plan) -> Iterator[Write]:
    for job in plan.decision.jobs:
        rendered = _job(plan, job)
        present = plan.present(kinds.JOB, rendered["metadata"]["name"])
        yield Write(
            "job", Verb.APPLY, kinds.JOB, rendered, present,
            needs=_variant_of(job), concern=Concern.BUILD,
            hardware_class="" if isinstance(job, AssessJob | FetchJob) else job.plan.hardware_class,
            slots=_slots(job, plan.config),
        )  # fmt: skip


def _job(plan: Plan, job: FetchJob | AssessJob | BuildJob) -> Object:
    if isinstance(job, FetchJob):
        return installed(fetch_jobs.fetch_job(plan.owner, job, plan.config), plan.config)
    if isinstance(job, AssessJob):
        rendered = jobs.assess_job(plan.owner, job, plan.config)
    else:
        rendered = jobs.optimization_job(plan.owner, job, plan.config)
    return _delivered(rendered, plan.config)


def _delivered(rendered: Object, config: OperatorConfig) -> Object:
    return installed(image_volumes.delivered(rendered, config), config)


def _variant_of(job: FetchJob | AssessJob | BuildJob) -> frozenset[WriteId]:
    if isinstance(job, AssessJob | FetchJob):
        return frozenset()
    return frozenset({(Verb.APPLY.value, kinds.MODEL_VARIANT.name, job.variant)})


def _slots(job: FetchJob | AssessJob | BuildJob, config: OperatorConfig) -> int | None:
    if isinstance(job, AssessJob):
        return None
    return (
        config.sources.max_concurrent if isinstance(job, FetchJob) else config.builds.max_concurrent
    )


def _service(plan: Plan) -> Write:
    rendered = services.service(plan.owner, plan.config.gateway)
    present = plan.present(kinds.SERVICE, plan.owner.name)
    return Write("service", Verb.APPLY, kinds.SERVICE, rendered, present)


def _daemonsets(plan: Plan) -> Iterator[Write]:
    for wanted in plan.decision.daemonsets:
        rendered = _daemonset(plan, wanted)
        if rendered is not None:
            present = plan.present(kinds.DAEMON_SET, rendered["metadata"]["name"])
            yield Write(
                "daemonset", Verb.APPLY, kinds.DAEMON_SET, rendered, present,
                needs=_stored_route(plan, wanted),
                concern=Concern.ROLLOUT, hardware_class=wanted.hardware_class,
            )  # fmt: skip


def _daemonset(plan: Plan, wanted: DaemonSetPlan) -> Object | None:
    name = daemonsets.daemonset_name(plan.owner.name, wanted.revision)
    present = plan.present(kinds.DAEMON_SET, name)
    if present is not None:
        moved = daemonsets.with_placement(plan.owner, present, wanted.placement)
        return installed(moved, plan.config)
    if wanted.served is not None:
        rendered = daemonsets.daemonset(plan.owner, wanted.served, wanted.placement)
        return _delivered(rendered, plan.config)
    logger.error(
        "DaemonSet %s/%s is gone and revision %s can't be created again, because its variant or"
        " runtime image is no longer known: change the spec to roll out another revision",
        plan.owner.namespace, name, wanted.revision,
    )  # fmt: skip
    return None


def _deletions(plan: Plan) -> Iterator[Write]:
    gone, stored = plan.decision.deletions, _stored_status(plan)
    names = (daemonsets.daemonset_name(plan.owner.name, r) for r in gone.daemonsets)
    yield from _delete_all(plan, kinds.DAEMON_SET, names, needs=stored)
    yield from _delete_all(plan, kinds.MODEL_VARIANT, gone.variants, needs=stored)
    yield from _delete_all(plan, kinds.JOB, gone.jobs, needs=stored)


def _stored_status(plan: Plan) -> frozenset[WriteId]:
    return frozenset({(Verb.STATUS.value, kinds.EDGE_MODEL.name, plan.owner.name)})


def _stored_route(plan: Plan, wanted: DaemonSetPlan) -> frozenset[WriteId]:
    """Return the write of the route that a DaemonSet follows; none where the stored one says the same."""
    known = plan.gathered.snapshot.routes.get(wanted.hardware_class)
    if known is not None and known.placement_of(wanted.revision) == wanted.placement:
        return frozenset()
    name = routes.route_name(plan.owner.name, wanted.hardware_class)
    return frozenset({(Verb.APPLY.value, kinds.MODEL_ROUTE.name, name)})


def _delete_all(
    plan: Plan, kind: Kind, names: Iterable[str], *, needs: frozenset[WriteId]
) -> Iterator[Write]:
    for name in names:
        present = plan.present(kind, name)
        if present is not None and not present["metadata"].get("deletionTimestamp"):
            metadata = {key: present["metadata"][key] for key in ("name", "namespace", "uid")}
            yield Write("delete", Verb.DELETE, kind, {"metadata": metadata}, present, needs)


def _changes_something(write: Write) -> bool:
    """Return whether the write changes anything; a status and a deletion are compared where they are made."""
    return write.verb is not Verb.APPLY or not is_applied(write.body, write.present)
