"""All reads of one pass over an EdgeModel, into one frozen snapshot.

What the operator itself writes (routes, DaemonSets, variants, jobs, the EdgeModel) is read from the
API server each time; nodes, classes and what agents report come from the fleet's caches, which a
verdict has reached before it set off this pass.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skerry.api import EdgeModel, ModelRoute, ModelVariant
from skerry.api.common import LABEL_CLASS, LABEL_COMPONENT, LABEL_MODEL, LABEL_REVISION
from skerry.cluster import kinds
from skerry.cluster.views import job_view
from skerry.controllers.reach import node_views
from skerry.decide.builds import QUEUED
from skerry.decide.snapshot import BuildSlots, GatewayAddress, RouteView, Snapshot
from skerry.render.daemonsets import placement_of
from skerry.render.parts import JOB_COMPONENTS

if TYPE_CHECKING:
    from skerry.cluster.client import Object
    from skerry.cluster.fleet import Key
    from skerry.controllers.operator import Operator
    from skerry.decide.rollout.model import Placement

CHILDREN = (kinds.MODEL_ROUTE, kinds.MODEL_VARIANT, kinds.DAEMON_SET, kinds.JOB, kinds.SERVICE)


@dataclass(frozen=True)
class Gathered:
    """The snapshot, and the objects as they are, for `apply` to compare with.

    Attributes:
        present: children of the EdgeModel, by kind and name.
    """

    snapshot: Snapshot
    present: dict[tuple[str, str], Object] = field(default_factory=dict)


async def gather(operator: Operator, key: Key) -> Gathered | None:
    """The state of one EdgeModel; None when it is gone or going."""
    namespace, name = key
    raw, present = await asyncio.gather(
        operator.cluster.get(kinds.EDGE_MODEL, namespace, name), _children(operator, key)
    )
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        return None
    model = EdgeModel.model_validate(raw)
    own = {found: item for found, item in present.items() if _is_owned(item, model.metadata.uid)}
    pods = await _job_pods(operator, key) if _of(own, "Job") else []
    snapshot = Snapshot(
        model=model,
        config=operator.config,
        classes={c.metadata.name: c for c in operator.fleet.classes.values()},
        nodes=node_views(operator, key),
        routes=_routes(own),
        daemonsets=_daemonsets(own),
        variants={
            item["metadata"]["name"]: ModelVariant.model_validate(item)
            for item in _of(own, "ModelVariant")
        },
        jobs=tuple(job_view(job, pods) for job in _of(own, "Job")),
        pins=await operator.pinner.pins(key, model),
        finished=operator.lookups.answers(key, model),
        slots=_slots(operator, model),
        gateway=await _gateway(operator),
        conflicts=operator.conflicts.get(key, ()),
        refused=operator.refused(key),
    )
    return Gathered(snapshot, own)


async def _children(operator: Operator, key: Key) -> dict[tuple[str, str], Object]:
    """Everything labelled with the model's name, by kind and name."""
    namespace, name = key
    selector = f"{LABEL_MODEL}={name}"
    lists = await asyncio.gather(
        *(operator.cluster.list(kind, namespace, selector) for kind in CHILDREN)
    )
    return {
        (kind.name, item["metadata"]["name"]): item
        for kind, items in zip(CHILDREN, lists, strict=True)
        for item in items
    }


async def _job_pods(operator: Operator, key: Key) -> list[Object]:
    namespace, name = key
    components = ",".join(JOB_COMPONENTS)
    selector = f"{LABEL_MODEL}={name},{LABEL_COMPONENT} in ({components})"
    return await operator.cluster.list(kinds.POD, namespace, selector)


async def _gateway(operator: Operator) -> GatewayAddress:
    """Addresses of the gateway's Service; none while it is not there."""
    settings = operator.config.gateway
    service = await operator.cluster.get(kinds.SERVICE, settings.namespace, settings.service)
    if service is None:
        return GatewayAddress()
    ip = service["spec"].get("clusterIP")
    ports = [port["nodePort"] for port in service["spec"].get("ports", ()) if "nodePort" in port]
    return GatewayAddress(ip if ip != "None" else None, next(iter(ports), None))


def _is_owned(item: Object, uid: str | None) -> bool:
    owners = item["metadata"].get("ownerReferences", ())
    return any(owner["uid"] == uid for owner in owners)


def _of(own: dict[tuple[str, str], Object], kind: str) -> list[Object]:
    return [item for (name, _), item in own.items() if name == kind]


def _routes(own: dict[tuple[str, str], Object]) -> dict[str, RouteView]:
    routes = [ModelRoute.model_validate(item) for item in _of(own, "ModelRoute")]
    return {
        route.spec.hardware_class: RouteView(route.spec, route.metadata.generation or 0)
        for route in routes
    }


def _daemonsets(own: dict[tuple[str, str], Object]) -> dict[str, dict[str, Placement]]:
    found: dict[str, dict[str, Placement]] = defaultdict(dict)
    for item in _of(own, "DaemonSet"):
        labels = item["metadata"]["labels"]
        if not item["metadata"].get("deletionTimestamp"):
            found[labels[LABEL_CLASS]][labels[LABEL_REVISION]] = placement_of(item)
    return dict(found)


def _slots(operator: Operator, model: EdgeModel) -> BuildSlots:
    """Optimisation jobs that run, and older EdgeModels that wait for one."""
    created = model.metadata.creation_timestamp
    waiting = [
        other
        for other in operator.fleet.models.values()
        if any(target.reason == QUEUED for target in other.status.targets)
        and other.metadata.uid != model.metadata.uid
        and other.metadata.deletion_timestamp is None
        and created is not None
        and other.metadata.creation_timestamp is not None
        and other.metadata.creation_timestamp < created
    ]
    fleet = operator.fleet
    return BuildSlots(fleet.jobs_running(), len(waiting), fleet.fetches_running())
