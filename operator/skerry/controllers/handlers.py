"""kopf's watches: each event updates a cache and names the EdgeModels to look at. Nothing is decided here.

`on.event` alone: it leaves no annotation and no finalizer, and a missed event is made good by the
fleet loop. An error in such a handler is never retried, so they only note and enqueue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kopf

from skerry.api import EdgeModel, EdgeNode, HardwareClass
from skerry.api.common import (
    API_VERSION,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_MODEL,
    MANAGED_BY,
)
from skerry.api.edgenode import CandidateState
from skerry.cluster.fleet import key_of, version_of
from skerry.cluster.pace import Priority
from skerry.cluster.views import fleet_node, job_finished, serving_pod
from skerry.controllers import metrics
from skerry.decide import builds, fetches
from skerry.render.parts import COMPONENT_FETCHER, COMPONENT_OPTIMIZER

if TYPE_CHECKING:
    from skerry.api.edgenode import NodeModel
    from skerry.cluster.client import Object
    from skerry.controllers.operator import Operator

GROUP, VERSION = API_VERSION.split("/")
SERVER_TIMEOUT_SECONDS = 300
PAGE_SIZE = 500
REQUEST_TIMEOUT_SECONDS = 30
_WAITING = {builds.QUEUED, fetches.QUEUED}


def settings() -> kopf.OperatorSettings:
    """kopf, told to watch and nothing else."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    chosen.watching.chunk_size = PAGE_SIZE
    chosen.networking.request_timeout = REQUEST_TIMEOUT_SECONDS
    chosen.networking.enforce_retry_after = True
    chosen.persistence.finalizer = f"{GROUP}/unused"
    chosen.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    chosen.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    for plural in ("pods", "jobs", "daemonsets"):
        chosen.watching.label_selectors[plural] = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
    return chosen


def register(registry: kopf.OperatorRegistry, operator: Operator) -> None:
    """Wire every watched kind to its handler."""
    watched = {
        (GROUP, VERSION, "edgemodels"): on_model,
        (GROUP, VERSION, "hardwareclasses"): on_class,
        (GROUP, VERSION, "edgenodes"): on_edge_node,
        (GROUP, VERSION, "modelroutes"): on_child,
        (GROUP, VERSION, "modelvariants"): on_child,
        ("", "v1", "nodes"): on_node,
        ("", "v1", "pods"): on_pod,
        ("batch", "v1", "jobs"): on_job,
        ("apps", "v1", "daemonsets"): on_daemonset,
    }
    for (group, version, plural), handle in watched.items():
        # Not a plain function: kopf would run that in a thread, beside the loop.
        async def noted(event: Any, _handle: Any = handle, **_: Any) -> None:
            _handle(operator, event["type"] == "DELETED", dict(event["object"]))

        kopf.on.event(group, version, plural, registry=registry, id=f"{plural}-event")(noted)


def on_model(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """An EdgeModel: look at it; the first and the last of a namespace stir the fleet loop."""
    key = key_of(item)
    if gone:
        operator.fleet.models.drop(key)
        operator.forget(key)
        operator.fleet_stirred.set()
        return
    known = operator.fleet.models.put(key, version_of(item), EdgeModel.model_validate(item))
    if known is None:
        operator.fleet_stirred.set()
    operator.queue.add(key)


def on_class(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """A HardwareClass: its nodes may be others now."""
    key = key_of(item)
    if gone:
        operator.fleet.classes.drop(key)
    else:
        operator.fleet.classes.put(key, version_of(item), HardwareClass.model_validate(item))
    operator.fleet_stirred.set()
    operator.enqueue_class(key[1])


def on_edge_node(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """What an agent reports: look at the EdgeModels of which it says something new."""
    key, edge_node = key_of(item), EdgeNode.model_validate(item)
    store = operator.fleet.edge_nodes
    known = store.drop(key) if gone else store.put(key, version_of(item), edge_node)
    if known is None or gone or known.spec != edge_node.spec or _first_facts(known, edge_node):
        operator.fleet_stirred.set()
    before = set(known.status.models) if known else set()
    after = set() if gone else set(edge_node.status.models)
    failed = {pair for model in before for pair in _failed(model)}
    for model in before ^ after:
        is_verdict = model in after and not _failed(model) <= failed
        level = Priority.URGENT if is_verdict else Priority.NEWS
        operator.queue.add((model.namespace, model.name), level=level)


def _failed(model: NodeModel) -> set[tuple[str, str, str, int]]:
    """What the device has failed of a model: its class may have to be rolled back."""
    pairs = {(veto.revision, veto.attempt) for veto in model.vetoes}
    tried = model.candidate
    if tried is not None and tried.state is CandidateState.FAILED:
        pairs.add((tried.revision, tried.attempt))
    return {(model.namespace, model.name, *pair) for pair in pairs}


def _first_facts(known: EdgeNode, edge_node: EdgeNode) -> bool:
    """Later ones (a plug is pulled) are taken in within the minute: a fleet on the move has many."""
    return known.status.facts is None and edge_node.status.facts is not None


def on_node(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """A Node: most events are heartbeats and change nothing here."""
    key, node = key_of(item), fleet_node(item)
    store = operator.fleet.nodes
    known = store.drop(key) if gone else store.put(key, version_of(item), node)
    if known == node and not gone:
        return
    operator.fleet_stirred.set()
    for hardware_class in {node.hardware_class, known.hardware_class if known else None} - {None}:
        operator.enqueue_class(hardware_class)


def on_pod(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """A pod of a revision or of a job."""
    key, pod = key_of(item), serving_pod(item)
    if pod is None:
        on_child(operator, gone, item)
        return
    store = operator.fleet.pods
    known = store.drop(key) if gone else store.put(key, version_of(item), pod)
    if gone or known != pod:
        operator.queue.add((key[0], pod.model))


def on_job(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """A job: when one that held a slot ends, those that wait for it are looked at too."""
    key, fleet = key_of(item), operator.fleet
    on_child(operator, gone, item)
    slots = {COMPONENT_OPTIMIZER: fleet.jobs, COMPONENT_FETCHER: fleet.fetches}
    store = slots.get(item["metadata"].get("labels", {}).get(LABEL_COMPONENT, ""))
    if store is None:
        return
    finished = job_finished(item)
    if gone:
        store.drop(key)
    else:
        store.put(key, version_of(item), finished)
    metrics.BUILDS.set(fleet.jobs_running())
    metrics.FETCHES.set(fleet.fetches_running())
    if gone or finished:
        _enqueue_waiting(operator)


def on_daemonset(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """A DaemonSet: its status changes with every pod and is no concern here; that it is gone, is."""
    if gone or item["metadata"].get("generation") != item.get("status", {}).get(
        "observedGeneration"
    ):
        on_child(operator, gone, item)


def on_child(operator: Operator, gone: bool, item: Object) -> None:  # noqa: ARG001, FBT001
    """Any child: look at the EdgeModel that its label names."""
    name = item["metadata"].get("labels", {}).get(LABEL_MODEL)
    if name:
        operator.queue.add((key_of(item)[0], name))


def _enqueue_waiting(operator: Operator) -> None:
    for key, model in operator.fleet.models.items():
        if any(target.reason in _WAITING for target in model.status.targets):
            operator.queue.add(key)
