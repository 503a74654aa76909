"""The fleet loop's writes, each on its own: one node or namespace that is refused stops no other.

What is refused is tried again later and later, counted and logged. A node's refusal is reported by its
HardwareClass, a namespace's by the EdgeModels in it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from skerry.api.common import LABEL_MANAGED_BY, MANAGED_BY
from skerry.api.reasons import Cause, GeneralReason
from skerry.cluster import kinds
from skerry.cluster.compare import is_applied
from skerry.cluster.errors import ClusterError, NameConflictError
from skerry.cluster.pace import Priority, priority
from skerry.controllers import events, metrics
from skerry.controllers.refusals import FLEET, WriteId, concerning, namespace_owner, refused_by
from skerry.decide.refused import Concern, Refused
from skerry.render import nodes as render_nodes
from skerry.render import rolebindings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from skerry.cluster.client import Object
    from skerry.cluster.kinds import Kind
    from skerry.controllers.cache import Key
    from skerry.controllers.operator import Operator
    from skerry.decide.nodes.fleet import FleetDecision, NodeAssignment

NO_CONNECTION = 0
AT_ONCE = 8
"""Nodes written side by side: one that a slow webhook holds up does not hold up all others."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FleetWrite:
    """One write of the fleet loop.

    Attributes:
        owner: whose refusals it belongs to.
        doing: in words; with kind and name it identifies a write of the owner.
        body: what is to be written, to be compared with what was refused.
        send: makes it.
        hardware_class: of the node; empty for what is no node's.
    """

    owner: Key
    doing: str
    kind: Kind
    name: str
    body: object
    send: Callable[[], Awaitable[object]]
    hardware_class: str = ""

    @property
    def id(self) -> WriteId:
        """What identifies a write of the owner."""
        return self.doing, self.kind.name, self.name


async def write_fleet(operator: Operator, decision: FleetDecision) -> None:
    """Write what nodes and classes call for; what was refused is reported by the next reconcile."""
    known = _identities(operator.refusals.of(FLEET))
    statuses = list(_class_statuses(operator, decision))
    by_node = [*_labels(operator, decision), *_edge_nodes(operator, decision)]
    for write in statuses:
        await attempt(operator, write)
    with priority(Priority.ROUTINE):
        await _side_by_side(operator, by_node)
    operator.refusals.keep(FLEET, (write.id for write in (*statuses, *by_node)))
    if _identities(operator.refusals.of(FLEET)) != known:
        operator.fleet_stirred.set()


async def bind_agents(operator: Operator) -> None:
    """Let agents see pods in the namespaces that hold an EdgeModel, and in no other.

    An EdgeModel that is being deleted asks for no new binding, and keeps the one that there is.
    """
    models = operator.fleet.models.items()
    held = _namespaces(operator)
    going = {namespace for (namespace, _), m in models if m.metadata.deletion_timestamp}
    staying = {namespace for (namespace, _), m in models if not m.metadata.deletion_timestamp}
    staying |= _unreadable_namespaces(operator)
    wanted = held - (going - staying)
    writes = {
        **{namespace: _binding(operator, namespace) for namespace in wanted - operator.bound},
        **{namespace: _unbinding(operator, namespace) for namespace in operator.bound - held},
    }
    for namespace in operator.refusals.namespaces() - writes.keys():
        operator.refusals.forget(namespace_owner(namespace))
        operator.enqueue_namespace(namespace)
    for namespace, write in sorted(writes.items()):
        await _of_namespace(operator, namespace, write)


def _namespaces(operator: Operator) -> set[str]:
    """Return the namespaces with an EdgeModel; an unreadable one keeps serving, so agents must see its pods."""
    return _unreadable_namespaces(operator) | {namespace for namespace, _ in operator.fleet.models}


def _unreadable_namespaces(operator: Operator) -> set[str]:
    return {one.key[0] for one in operator.unreadable.left_out(kinds.EDGE_MODEL.name)}


def bound_namespaces(operator: Operator, bindings: Iterable[Object]) -> set[str]:
    """Return the namespaces of Skerry's own RoleBindings.

    One that somebody changed is not counted where it is needed, so that it is written again.
    """
    held = _namespaces(operator)
    found = set()
    for item in bindings:
        namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
        sound = is_applied(rolebindings.agent_role_binding(namespace), item)
        if name == rolebindings.NAME and (sound or namespace not in held):
            found.add(namespace)
    return found


async def attempt(operator: Operator, write: FleetWrite) -> bool:
    """Make one write, unless the same was refused shortly before; whether it is made.

    Raises:
        ClusterError: the API server cannot be reached.
    """
    if operator.refusals.waiting(write.owner, write.id, write.body) is not None:
        return False
    try:
        await _send(write)
    except NameConflictError as error:
        message = f"{error.where}: {error.what}; {error.todo}"
        cause = Cause(GeneralReason.NAME_CONFLICT, message, stalls=True)
        refused = Refused(write.kind.name, write.name, Concern.ROLLOUT, cause=cause)
    except ClusterError as error:
        if error.status == NO_CONNECTION:
            raise
        refused = refused_by(error, write.kind.name, write.name, write.doing)
    else:
        operator.refusals.clear(write.owner, write.id)
        return True
    if refused.cause:
        metrics.REFUSED.labels(write.kind.name).inc()
    refused = concerning(refused, Concern.ROLLOUT, write.hardware_class)
    operator.refusals.note(write.owner, write.id, write.body, refused)
    changed = f"{write.kind.name} {write.name} changed meanwhile"
    logger.warning("%s", refused.cause.message if refused.cause else changed)
    return False


async def _send(write: FleetWrite) -> None:
    """Make a write, and once more where another writer came first: a reconcile of the fleet costs far more."""
    try:
        await write.send()
    except ClusterError as error:
        if isinstance(error, NameConflictError) or error.status != HTTPStatus.CONFLICT:
            raise
        await write.send()


async def _side_by_side(operator: Operator, writes: Iterable[FleetWrite]) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(write: FleetWrite) -> None:
        async with room:
            await attempt(operator, write)

    await asyncio.gather(*(one(write) for write in writes))


def _labels(operator: Operator, decision: FleetDecision) -> Iterator[FleetWrite]:
    for node in decision.labels:
        labels = render_nodes.node_labels(node.name, node.hardware_class, node.shard)
        # With the uid: a Node that is gone, or another of its name, is neither made nor labeled.
        body = {**labels, "metadata": {**labels["metadata"], "uid": node.uid}}

        async def send(node: NodeAssignment = node, body: Object = body) -> None:
            await operator.cluster.apply(kinds.NODE, body)
            logger.info("node %s: class %s, shard %s", node.name, node.hardware_class, node.shard)

        yield FleetWrite(
            FLEET, "label", kinds.NODE, node.name, body, send, node.hardware_class or ""
        )


def _edge_nodes(operator: Operator, decision: FleetDecision) -> Iterator[FleetWrite]:
    for node in decision.edge_nodes:
        if node.spec is None:
            continue
        body = render_nodes.edge_node(node.name, node.uid, node.spec)

        async def send(body: Object = body) -> None:
            await operator.cluster.apply(kinds.EDGE_NODE, body)

        yield FleetWrite(
            FLEET, "write", kinds.EDGE_NODE, node.name, body, send, node.spec.hardware_class_name
        )
    for name in decision.gone:

        async def drop(name: str = name) -> None:
            found = await operator.cluster.get(kinds.EDGE_NODE, None, name)
            if found is not None:
                uid = found["metadata"]["uid"]
                await operator.cluster.delete(kinds.EDGE_NODE, None, name, uid)

        yield FleetWrite(FLEET, "delete", kinds.EDGE_NODE, name, name, drop)


def _class_statuses(operator: Operator, decision: FleetDecision) -> Iterator[FleetWrite]:
    for name, status in decision.statuses.items():
        known = operator.fleet.classes.get("", name)
        if known is None or known.status == status:
            continue
        metadata = {"name": name, "uid": known.metadata.uid}
        body = {"metadata": metadata, "status": status.to_wire()}
        send = _class_status(operator, decision, name, body)
        yield FleetWrite(FLEET, "write the status of", kinds.HARDWARE_CLASS, name, body, send)


def _class_status(
    operator: Operator, decision: FleetDecision, name: str, body: Object
) -> Callable[[], Awaitable[None]]:
    async def send() -> None:
        await operator.cluster.apply(kinds.HARDWARE_CLASS, body, subresource="status")
        known, begun = operator.fleet.classes.get("", name), decision.events.get(name)
        if known is not None and begun is not None:
            await events.publish(operator.cluster, known, (begun,))

    return send


async def _of_namespace(operator: Operator, namespace: str, write: FleetWrite) -> None:
    """Make a namespace's write; its EdgeModels are looked at when they have something to report."""
    owner = namespace_owner(namespace)
    known = _identities(operator.refusals.of(owner))
    operator.refusals.keep(owner, (write.id,))
    await attempt(operator, write)
    if _identities(operator.refusals.of(owner)) != known:
        operator.enqueue_namespace(namespace)


def _binding(operator: Operator, namespace: str) -> FleetWrite:
    body = rolebindings.agent_role_binding(namespace)

    async def send() -> None:
        found = await operator.cluster.get(kinds.ROLE_BINDING, namespace, rolebindings.NAME)
        if found is not None and not _is_ours(found):
            raise SquattedBindingError(namespace)
        await operator.cluster.apply(kinds.ROLE_BINDING, body)
        operator.bound.add(namespace)

    owner = namespace_owner(namespace)
    return FleetWrite(owner, "write", kinds.ROLE_BINDING, rolebindings.NAME, body, send)


def _unbinding(operator: Operator, namespace: str) -> FleetWrite:
    async def send() -> None:
        found = await operator.cluster.get(kinds.ROLE_BINDING, namespace, rolebindings.NAME)
        if found is not None and _is_ours(found):
            uid = found["metadata"]["uid"]
            await operator.cluster.delete(kinds.ROLE_BINDING, namespace, rolebindings.NAME, uid)
        operator.bound.discard(namespace)

    owner = namespace_owner(namespace)
    return FleetWrite(owner, "delete", kinds.ROLE_BINDING, rolebindings.NAME, namespace, send)


def _is_ours(binding: Object) -> bool:
    return bool(binding["metadata"].get("labels", {}).get(LABEL_MANAGED_BY) == MANAGED_BY)


class SquattedBindingError(NameConflictError):
    """The name of the agents' RoleBinding is taken in a namespace."""

    def __init__(self, namespace: str) -> None:
        super().__init__(f"RoleBinding {namespace}/{rolebindings.NAME}")
        self.what = (
            "a RoleBinding of this name exists and was not made by Skerry, so agents can't see the pods"
            " of this namespace"
        )
        self.todo = "delete it, or create it again under another name"


def _identities(refused: Iterable[Refused]) -> set[tuple[str, str, str]]:
    return {one.identity for one in refused if one.cause}
