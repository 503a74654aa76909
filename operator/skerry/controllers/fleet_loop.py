"""The loop over all nodes: labels, EdgeNodes, what classes say, who beats; each minute, and when stirred.

Each minute it also sets the caches right by lists and looks at every EdgeModel again: whatever a
watch has missed is noticed by then.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from skerry.api import EdgeModel, EdgeNode, HardwareClass
from skerry.api.common import LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY, SYSTEM_NAMESPACE
from skerry.cluster import kinds
from skerry.cluster.errors import SkerryError
from skerry.cluster.fleet import key_of, version_of
from skerry.cluster.pace import backoff_seconds
from skerry.cluster.views import fleet_node, job_finished, serving_pod
from skerry.controllers import metrics
from skerry.controllers.default_classes import make_default_classes
from skerry.controllers.fleet_writes import bind_agents, bound_namespaces, write_fleet
from skerry.controllers.reach import LIST_SECONDS, node_facts, note_leases
from skerry.controllers.refusals import FLEET
from skerry.decide.fleet import decide_fleet
from skerry.render import parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.cluster.client import Object
    from skerry.cluster.fleet import Store
    from skerry.cluster.kinds import Kind
    from skerry.controllers.operator import Operator

STIR_SECONDS = 0.2
"""Between two passes that events set off: nodes come in crowds."""
OURS = f"{LABEL_MANAGED_BY}={MANAGED_BY}"

T = TypeVar("T")

logger = logging.getLogger(__name__)


async def run_fleet_loop(operator: Operator) -> None:
    """Look at the fleet as long as the process leads."""
    loop = asyncio.get_running_loop()
    failures, listed_at, defaults_made = 0, loop.time(), False
    while True:
        await operator.leading.wait()
        operator.fleet_stirred.clear()
        try:
            if loop.time() - listed_at >= LIST_SECONDS:
                await refresh(operator)
                operator.enqueue_all()
                listed_at = loop.time()
            defaults_made = defaults_made or await make_default_classes(operator)
            await fleet_pass(operator)
            failures = 0
            metrics.FLEET_PASSES.labels("done").inc()
        except SkerryError as error:
            failures += 1
            metrics.FLEET_PASSES.labels("failed").inc()
            logger.warning("the fleet could not be looked at, again soon: %s", error)
        await _pause(operator, failures)


async def refresh(operator: Operator) -> None:
    """Set all caches right by lists."""
    fleet = operator.fleet
    await asyncio.gather(
        _relist(operator, kinds.EDGE_MODEL, fleet.models, EdgeModel.model_validate),
        _relist(operator, kinds.HARDWARE_CLASS, fleet.classes, HardwareClass.model_validate),
        _relist(operator, kinds.EDGE_NODE, fleet.edge_nodes, EdgeNode.model_validate),
        _relist(operator, kinds.NODE, fleet.nodes, fleet_node),
        _relist(operator, kinds.POD, fleet.pods, serving_pod, _component(parts.COMPONENT_RUNTIME)),
        _relist(
            operator, kinds.JOB, fleet.jobs, job_finished, _component(parts.COMPONENT_OPTIMIZER)
        ),
        _relist(
            operator, kinds.JOB, fleet.fetches, job_finished, _component(parts.COMPONENT_FETCHER)
        ),
    )
    leases = await operator.cluster.list(kinds.LEASE, SYSTEM_NAMESPACE)
    note_leases(fleet, leases, datetime.now(UTC))
    bindings = await operator.cluster.list(kinds.ROLE_BINDING, selector=OURS)
    operator.bound = bound_namespaces(operator, bindings)
    metrics.BUILDS.set(fleet.jobs_running())
    metrics.FETCHES.set(fleet.fetches_running())


async def fleet_pass(operator: Operator) -> None:
    """Write what the nodes and classes as they are now call for."""
    facts = node_facts(operator)
    operator.shards |= {node.name: node.shard for node in facts if node.shard is not None}
    fleet = operator.fleet
    decision = decide_fleet(
        facts, fleet.classes.values(), fleet.edge_nodes.values(), operator.shards, datetime.now(UTC),
        refused=operator.refusals.of(FLEET),
    )  # fmt: skip
    await bind_agents(operator)
    await write_fleet(operator, decision)


async def _relist(
    operator: Operator,
    kind: Kind,
    store: Store[T],
    parse: Callable[[Object], T | None],
    selector: str = "",
) -> None:
    items = await operator.cluster.list(kind, selector=selector)
    parsed = ((key_of(item), version_of(item), parse(item)) for item in items)
    store.replace((key, version, value) for key, version, value in parsed if value is not None)


def _component(component: str) -> str:
    return f"{OURS},{LABEL_COMPONENT}={component}"


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
