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
from skerry.controllers import metrics
from skerry.controllers.cache import key_of, version_of
from skerry.controllers.default_classes import make_default_classes
from skerry.controllers.fleet_writes import bind_agents, bound_namespaces, write_fleet
from skerry.controllers.partly import edge_model_of, edge_node_of, hardware_class_of
from skerry.controllers.reach import list_leases, node_facts, remove_stray_leases
from skerry.controllers.refusals import FLEET
from skerry.controllers.unreadable import Reading, report
from skerry.controllers.views import fleet_node, job_finished, serving_pod
from skerry.decide.nodes.fleet import decide_fleet
from skerry.errors import SkerryError
from skerry.render import parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.cluster.client import Object
    from skerry.cluster.kinds import Kind
    from skerry.controllers.cache import Store
    from skerry.controllers.operator import Operator
    from skerry.controllers.reading import Partly
    from skerry.decide.nodes.fleet import NodeFacts

STIR_SECONDS = 0.2
"""Between two reconciles that events set off: nodes come in crowds."""
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
            metrics.FLEET_RECONCILES.labels("done").inc()
        except SkerryError as error:
            failures += 1
            metrics.FLEET_RECONCILES.labels("failed").inc()
            logger.warning("reconciling the fleet failed, retrying soon: %s", error)
        except Exception:
            failures += 1
            metrics.FLEET_RECONCILES.labels("failed").inc()
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
            logger.warning("the first lists failed, retrying soon: %s", error)
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
    operator.bound = bound_namespaces(operator, bindings)
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
        ring_keys=_ring_keys(operator),
        refused=operator.refusals.of(FLEET),
    )
    await bind_agents(operator)
    await write_fleet(operator, decision)
    await remove_stray_leases(operator)


def _ring_keys(operator: Operator) -> set[str]:
    """Return the keys of the labels by which rings of EdgeModels select."""
    waves = (wave for m in operator.fleet.models.values() for wave in m.spec.rollout.waves)
    return {key for wave in waves for key in wave.node_selector or {}}


async def _named_classes(operator: Operator) -> set[str]:
    """Return the classes that EdgeModels name, or their routes; these are read only where it matters."""
    fleet = operator.fleet
    named = {t.hardware_class_name for model in fleet.models.values() for t in model.spec.targets}
    carried = {node.hardware_class for node in fleet.nodes.values() if node.hardware_class}
    if carried <= named | {c.metadata.name for c in fleet.classes.values()}:
        return named
    routes = await operator.cluster.list(kinds.MODEL_ROUTE)
    return named | set(filter(None, map(class_of_route, routes)))


def class_of_route(route: Object) -> str | None:
    """Return the class that a ModelRoute names, also of one whose roles can't be read; None for no name."""
    spec = route.get("spec")
    name = spec.get("hardwareClassName") if isinstance(spec, dict) else None
    return name if isinstance(name, str) else None


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
    """Return the nodes to decide about; nodes of a HardwareClass that can't be parsed stay as they are.

    The class is there, only its selector is not known: a node that lost its label would lose its models.
    """
    held = {one.key[1] for one in operator.unreadable.left_out(kinds.HARDWARE_CLASS.name)}
    return [node for node in facts if node.hardware_class not in held]


async def _pause(operator: Operator, failures: int) -> None:
    """Wait for the next look: until stirred, a minute at most, longer than a moment after a failure."""
    await asyncio.sleep(backoff_seconds(failures) if failures else STIR_SECONDS)
    next_try = operator.refusals.next_fleet_try()
    patience = LIST_SECONDS if next_try is None else min(LIST_SECONDS, next_try)
    try:
        async with asyncio.timeout(0.0 if failures else patience):
            await operator.fleet_stirred.wait()
    except TimeoutError:
        return
