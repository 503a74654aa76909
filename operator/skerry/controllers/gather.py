"""All reads of one pass over an EdgeModel, into one frozen snapshot.

What the operator itself writes (routes, DaemonSets, variants, jobs, the EdgeModel) is read from the
API server each time; nodes, classes and what agents report come from the fleet's caches, which a
verdict has reached before it set off this pass.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from skerry.api.common import LABEL_COMPONENT, LABEL_MODEL
from skerry.api.edgemodel import JobSlot
from skerry.cluster import kinds
from skerry.cluster.heartbeats import Moment
from skerry.controllers.absence import with_absences
from skerry.controllers.partly import daemonset_of, edge_model_of, model_route_of, model_variant_of
from skerry.controllers.reach import node_views
from skerry.controllers.unlabeled import Children, is_owned, unlabeled
from skerry.controllers.unreadable import Reading
from skerry.controllers.views import is_pod_of, job_view, pod_view
from skerry.decide.snapshot import BuildSlots, GatewayAddress, Snapshot
from skerry.render.parts import JOB_COMPONENTS

if TYPE_CHECKING:
    from skerry.api import EdgeModel, ModelRouteSpec, ModelVariant
    from skerry.api.placement import Placement
    from skerry.cluster.client import Object
    from skerry.controllers.cache import Fleet, Key
    from skerry.controllers.operator import Operator
    from skerry.decide.snapshot import JobView

MADE = {"ModelVariant", "DaemonSet", "Job"}
CHILDREN = (kinds.MODEL_ROUTE, kinds.MODEL_VARIANT, kinds.DAEMON_SET, kinds.JOB, kinds.SERVICE)


@dataclass(frozen=True)
class Gathered:
    """The snapshot, and the objects as they are, for `apply` to compare with.

    Attributes:
        present: children of the EdgeModel, by kind and name.
    """

    snapshot: Snapshot
    present: Children = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """An EdgeModel that can't be acted on: what serves stays as it is.

    Attributes:
        raw: the EdgeModel, as the API server holds it.
        why: which object can't be read, and what to do about it.
    """

    raw: Object
    why: str


async def gather(operator: Operator, key: Key) -> Gathered | Held | None:
    """Return the state of one EdgeModel; None when it is deleted or being deleted."""
    namespace, name = key
    raw, present = await asyncio.gather(
        operator.cluster.get(kinds.EDGE_MODEL, namespace, name), _children(operator, key)
    )
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        operator.unreadable.note(key, ())
        return None
    operator.recognize(key, raw["metadata"]["uid"])
    present |= await unlabeled(operator.cluster, raw, present)
    uid = raw["metadata"]["uid"]
    own = {found: item for found, item in present.items() if is_owned(item["metadata"], uid)}
    pods = await _job_pods(operator, key) if _of(own, "Job") else []
    reading = Reading()
    model = reading.read(kinds.EDGE_MODEL.name, raw, edge_model_of)
    routes = _routes(own, reading)
    # Without its route it is not known what the nodes of a class serve and try.
    holding = reading.left_out
    daemonsets, variants = _daemonsets(own, reading), _variants(own, reading)
    jobs, gateway = _jobs(own, pods, reading), await _gateway(operator, reading)
    operator.unreadable.note(key, reading.found)
    if model is None or holding:
        return Held(raw, "; ".join(map(str, holding)))
    snapshot = Snapshot(
        model=model,
        config=operator.config,
        plugins=operator.plugins,
        classes={c.metadata.name: c for c in operator.fleet.classes.values()},
        nodes=node_views(operator.fleet, key, model.metadata.uid, Moment.now()),
        routes=routes,
        daemonsets=daemonsets,
        variants=variants,
        jobs=jobs,
        pins=await operator.pinner.pins(key, model),
        finished=operator.lookups.answers(key, model),
        registry_says=operator.lookups.says(key, model),
        slots=build_slots(operator.fleet, model),
        gateway=gateway,
        conflicts=operator.conflicts.get(key, ()),
        unreadable=tuple(str(one) for one in reading.left_out if one.kind in MADE),
        unreadable_classes={
            one.key[1]: str(one) for one in operator.unreadable.left_out("HardwareClass")
        },
        refused=operator.refused(key),
    )
    now = datetime.now(UTC)
    snapshot = with_absences(operator, key, snapshot, _of(own, "DaemonSet"), now)
    return Gathered(snapshot, own)


async def _children(operator: Operator, key: Key) -> Children:
    """Return everything labeled with the model's name, by kind and name."""
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


async def _gateway(operator: Operator, reading: Reading) -> GatewayAddress:
    """Return the addresses of the gateway's Service; none while there is no Service."""
    settings = operator.config.gateway
    service = await operator.cluster.get(kinds.SERVICE, settings.namespace, settings.service)
    found = reading.read(kinds.SERVICE.name, service, _address) if service else None
    return found or GatewayAddress()


def _address(service: Object) -> GatewayAddress:
    ip = service["spec"].get("clusterIP")
    ports = [port["nodePort"] for port in service["spec"].get("ports", ()) if "nodePort" in port]
    return GatewayAddress(ip if ip != "None" else None, next(iter(ports), None))


def _of(own: Children, kind: str) -> list[Object]:
    return [item for (name, _), item in own.items() if name == kind]


def _routes(own: Children, reading: Reading) -> dict[str, ModelRouteSpec]:
    routes = [reading.read("ModelRoute", item, model_route_of) for item in _of(own, "ModelRoute")]
    return {route.spec.hardware_class_name: route.spec for route in routes if route is not None}


def _daemonsets(own: Children, reading: Reading) -> dict[str, dict[str, Placement]]:
    found: dict[str, dict[str, Placement]] = defaultdict(dict)
    for item in _of(own, "DaemonSet"):
        if item["metadata"].get("deletionTimestamp"):
            continue
        placed = reading.read("DaemonSet", item, daemonset_of)
        if placed is not None:
            found[placed.hardware_class][placed.revision] = placed.placement
    return dict(found)


def _variants(own: Children, reading: Reading) -> dict[str, ModelVariant]:
    items = _of(own, "ModelVariant")
    variants = (reading.read("ModelVariant", item, model_variant_of) for item in items)
    return {variant.metadata.name: variant for variant in variants if variant is not None}


def _jobs(own: Children, pods: list[Object], reading: Reading) -> tuple[JobView, ...]:
    jobs = (_job(job, pods, reading) for job in _of(own, "Job"))
    return tuple(job for job in jobs if job is not None)


def _job(job: Object, pods: list[Object], reading: Reading) -> JobView | None:
    views = (reading.read("Pod", pod, pod_view) for pod in pods if is_pod_of(pod, job))
    own = [view for view in views if view is not None]
    return reading.read("Job", job, lambda item: job_view(item, own))


def build_slots(fleet: Fleet, model: EdgeModel) -> BuildSlots:
    """Return the running optimization jobs, and the older EdgeModels that wait for a slot and come first."""
    created = model.metadata.creation_timestamp
    waiting = [
        other
        for other in fleet.models.values()
        if other.status.awaited_slot is JobSlot.BUILD
        and other.metadata.uid != model.metadata.uid
        and other.metadata.deletion_timestamp is None
        and created is not None
        and other.metadata.creation_timestamp is not None
        and other.metadata.creation_timestamp < created
    ]
    return BuildSlots(fleet.jobs_running(), len(waiting), fleet.fetches_running())
