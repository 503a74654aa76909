"""All reads of one reconcile of an EdgeModel, into one frozen snapshot.

What the operator itself writes (routes, DaemonSets, variants, jobs, the EdgeModel) is read from the
API server each time; nodes, classes and what agents report come from the fleet's caches, which a
verdict has reached before it set off this reconcile.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from skerry.api.common import LABEL_COMPONENT, LABEL_MODEL
from skerry.api.edgemodel import JobSlot
from skerry.cluster import kinds
from skerry.cluster.heartbeats import Moment
from skerry.controllers.absence import with_absences
from skerry.controllers.children import daemonsets_of, jobs_of, of_kind, routes_of, variants_of
from skerry.controllers.partly import edge_model_of
from skerry.controllers.reach import node_views
from skerry.controllers.unlabeled import Children, is_owned, unlabeled
from skerry.controllers.unreadable import Reading
from skerry.decide.snapshot import BuildSlots, GatewayAddress, Snapshot
from skerry.render.parts import JOB_COMPONENTS

if TYPE_CHECKING:
    from skerry.api import EdgeModel
    from skerry.cluster.client import Object
    from skerry.controllers.cache import Fleet, Key
    from skerry.controllers.operator import Operator

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
    return await _gathered(operator, key, raw, own)


async def _gathered(operator: Operator, key: Key, raw: Object, own: Children) -> Gathered | Held:
    """Read the state of an EdgeModel, from itself and its own children."""
    pods = await _job_pods(operator, key) if of_kind(own, "Job") else []
    reading = Reading()
    model = reading.read(kinds.EDGE_MODEL.name, raw, edge_model_of)
    routes = routes_of(own, reading)
    # Without its route it is not known what the nodes of a class serve and try.
    holding = reading.left_out
    daemonsets, variants = daemonsets_of(own, reading), variants_of(own, reading)
    jobs, gateway = jobs_of(own, pods, reading), await _gateway(operator, reading)
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
    snapshot = with_absences(operator, key, snapshot, of_kind(own, "DaemonSet"), now)
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
