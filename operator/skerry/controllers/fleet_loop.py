"""The loop over all nodes: labels, EdgeNodes, what classes say; each minute, and when stirred.

Each minute it also sets the caches right by lists and looks at every EdgeModel again: whatever a
watch has missed is noticed by then.
"""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from skerry.api.common import LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY
from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError
from skerry.cluster.heartbeats import LIST_SECONDS, Moment
from skerry.cluster.pace import backoff_seconds
from skerry.controllers import events, metrics
from skerry.controllers.cache import key_of, version_of
from skerry.controllers.default_classes import make_default_classes
from skerry.controllers.partly import edge_model_of, edge_node_of, hardware_class_of
from skerry.controllers.reach import list_leases, node_facts, remove_stray_leases
from skerry.controllers.unreadable import Reading, report
from skerry.controllers.views import fleet_node, job_finished, serving_pod
from skerry.decide.fleet import decide_fleet
from skerry.errors import SkerryError
from skerry.render import nodes as render_nodes
from skerry.render import parts, rolebindings

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.cluster.client import Object
    from skerry.cluster.kinds import Kind
    from skerry.controllers.cache import Store
    from skerry.controllers.operator import Operator
    from skerry.controllers.reading import Partly
    from skerry.decide.fleet import FleetDecision, NodeFacts

STIR_SECONDS = 0.2
"""Between two passes that events set off: nodes come in crowds."""
OURS = f"{LABEL_MANAGED_BY}={MANAGED_BY}"

T = TypeVar("T")

logger = logging.getLogger(__name__)


async def run_fleet_loop(operator: Operator, fresh: asyncio.Event) -> None:
    """Look at the fleet as long as the process leads.

    The first look sets the caches right and only then `fresh`: what a standby has seen may be old.
    """
    loop = asyncio.get_running_loop()
    failures, listed_at, defaults_made = 0, -math.inf, False
    while True:
        operator.fleet_stirred.clear()
        try:
            if loop.time() - listed_at >= LIST_SECONDS:
                await refresh(operator)
                operator.enqueue_all()
                listed_at = loop.time()
                fresh.set()
            defaults_made = defaults_made or await make_default_classes(operator)
            await fleet_pass(operator)
            failures = 0
            metrics.FLEET_PASSES.labels("done").inc()
        except SkerryError as error:
            failures += 1
            metrics.FLEET_PASSES.labels("failed").inc()
            logger.warning("the fleet could not be looked at, again soon: %s", error)
        except Exception:
            failures += 1
            metrics.FLEET_PASSES.labels("failed").inc()
            logger.exception("a defect of the operator; report it with this trace")
        await _pause(operator, failures)


async def fill(operator: Operator) -> None:
    """Fill the caches for the first time, however long the API server is away."""
    failures = 0
    while not operator.filled.is_set():
        try:
            await refresh(operator)
            await list_leases(operator)
            operator.filled.set()
        except SkerryError as error:
            failures += 1
            logger.warning("the first lists failed, again soon: %s", error)
            await asyncio.sleep(backoff_seconds(failures))


async def refresh(operator: Operator) -> None:
    """Set all caches right by lists."""
    fleet = operator.fleet
    await asyncio.gather(
        _relist(operator, kinds.EDGE_MODEL, fleet.models, edge_model_of),
        _relist(operator, kinds.HARDWARE_CLASS, fleet.classes, hardware_class_of),
        _relist(operator, kinds.EDGE_NODE, fleet.edge_nodes, edge_node_of),
        _relist(operator, kinds.NODE, fleet.nodes, fleet_node),
        _relist(operator, kinds.POD, fleet.pods, serving_pod, parts.COMPONENT_RUNTIME),
        _relist(operator, kinds.JOB, fleet.jobs, job_finished, parts.COMPONENT_OPTIMIZER),
        _relist(operator, kinds.JOB, fleet.fetches, job_finished, parts.COMPONENT_FETCHER),
    )
    operator.forget_others()
    bindings = await operator.cluster.list(kinds.ROLE_BINDING, selector=OURS)
    operator.bound = {key_of(item)[0] for item in bindings if key_of(item)[1] == rolebindings.NAME}
    metrics.BUILDS.set(fleet.jobs_running())
    metrics.FETCHES.set(fleet.fetches_running())


async def fleet_pass(operator: Operator) -> None:
    """Write what the nodes and classes as they are now call for."""
    await _report_classes(operator)
    fleet = operator.fleet
    facts = _left_alone(operator, node_facts(fleet, Moment.now()))
    operator.shards |= {node.uid: node.shard for node in facts if node.shard is not None}
    decision = decide_fleet(
        facts,
        fleet.classes.values(),
        fleet.edge_nodes.values(),
        operator.shards,
        datetime.now(UTC),
        named=await _named_classes(operator),
    )
    await _write(operator, decision)
    await _bind_agents(operator)
    await remove_stray_leases(operator)


async def _named_classes(operator: Operator) -> set[str]:
    """Return the classes that EdgeModels name, or their routes; these are read only where it matters."""
    fleet = operator.fleet
    named = {t.hardware_class for model in fleet.models.values() for t in model.spec.targets}
    carried = {node.hardware_class for node in fleet.nodes.values() if node.hardware_class}
    if carried <= named | {c.metadata.name for c in fleet.classes.values()}:
        return named
    routes = await operator.cluster.list(kinds.MODEL_ROUTE)
    return named | {route["spec"]["hardwareClass"] for route in routes}


async def _write(operator: Operator, decision: FleetDecision) -> None:
    cluster = operator.cluster
    for node in decision.labels:
        labels = render_nodes.node_labels(node.name, node.hardware_class, node.shard)
        await cluster.apply(kinds.NODE, labels)
        logger.info("node %s: class %s, shard %s", node.name, node.hardware_class, node.shard)
    for node in decision.edge_nodes:
        if node.hardware_class is not None:
            rendered = render_nodes.edge_node(node.name, node.uid, node.hardware_class)
            await cluster.apply(kinds.EDGE_NODE, rendered)
    for name in decision.gone:
        found = await cluster.get(kinds.EDGE_NODE, None, name)
        if found is not None:
            await cluster.delete(kinds.EDGE_NODE, None, name, found["metadata"]["uid"])
    for name, status in decision.statuses.items():
        known = operator.fleet.classes.get("", name)
        if known is not None and known.status != status:
            body = {
                "metadata": {"name": name, "uid": known.metadata.uid},
                "status": status.to_wire(),
            }
            await cluster.apply(kinds.HARDWARE_CLASS, body, subresource="status")
            begun = decision.events.get(name)
            await events.publish(cluster, known, (begun,) if begun else ())


async def _bind_agents(operator: Operator) -> None:
    """Agents may see pods in the namespaces that hold an EdgeModel, and in no other."""
    # An EdgeModel that can't be read keeps serving, so agents still need to see its pods.
    unreadable = {one.key[0] for one in operator.unreadable.left_out("EdgeModel")}
    wanted = unreadable | {namespace for namespace, _ in operator.fleet.models}
    for namespace in sorted(wanted - operator.bound):
        await operator.cluster.apply(kinds.ROLE_BINDING, rolebindings.agent_role_binding(namespace))
        operator.bound.add(namespace)
    for namespace in sorted(operator.bound - wanted):
        found = await operator.cluster.get(kinds.ROLE_BINDING, namespace, rolebindings.NAME)
        if found is not None:
            uid = found["metadata"]["uid"]
            await operator.cluster.delete(kinds.ROLE_BINDING, namespace, rolebindings.NAME, uid)
        operator.bound.discard(namespace)


async def _relist(
    operator: Operator,
    kind: Kind,
    store: Store[T],
    parse: Callable[[Object], T | Partly[T] | None],
    component: str = "",
) -> None:
    selector = f"{OURS},{LABEL_COMPONENT}={component}" if component else ""
    items = await operator.cluster.list(kind, selector=selector)
    reading = Reading()
    parsed = [
        (key_of(item), version_of(item), reading.read(kind.name, item, parse)) for item in items
    ]
    found = ((key, version, value) for key, version, value in parsed if value is not None)
    store.replace(found, items.version)
    for one in reading.left_out:
        store.leave_out(one.key, version_of(one.item))
    operator.unreadable.note(component if kind is kinds.JOB else kind.name, reading.found)


async def _report_classes(operator: Operator) -> None:
    """Say of HardwareClasses that can't be read that they can't; a refusal is logged and costs nothing."""
    for one in operator.unreadable.left_out(kinds.HARDWARE_CLASS.name):
        try:
            await report(operator.cluster, kinds.HARDWARE_CLASS, one.item, str(one))
        except ClusterError as error:
            logger.warning("the status of %s can't be written: %s", one.title, error)


def _left_alone(operator: Operator, facts: list[NodeFacts]) -> list[NodeFacts]:
    """The nodes to decide about: those of a HardwareClass that can't be read stay as they are.

    The class is there, only its selector is not known: a node that lost its label would lose its models.
    """
    held = {one.key[1] for one in operator.unreadable.left_out(kinds.HARDWARE_CLASS.name)}
    return [node for node in facts if node.hardware_class not in held]


async def _pause(operator: Operator, failures: int) -> None:
    """Wait for the next look: until stirred, a minute at most, longer than a moment after a failure."""
    await asyncio.sleep(backoff_seconds(failures) if failures else STIR_SECONDS)
    try:
        async with asyncio.timeout(0.0 if failures else LIST_SECONDS):
            await operator.fleet_stirred.wait()
    except TimeoutError:
        return
