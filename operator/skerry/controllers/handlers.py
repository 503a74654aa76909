"""kopf's watches: each event updates a cache and names the EdgeModels to look at. Nothing is decided here.

`on.event` alone: it leaves no annotation and no finalizer, and a missed event is made good by the
fleet loop. An error in such a handler is never retried, so they only note and enqueue.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import kopf

from skerry.api.attempt import Attempt
from skerry.api.common import (
    API_VERSION,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_MODEL,
    MANAGED_BY,
)
from skerry.api.edgenode import CandidateState
from skerry.cluster.pace import Priority, backoff_seconds
from skerry.controllers import metrics
from skerry.controllers.cache import key_of, version_of
from skerry.controllers.partly import edge_model_of, edge_node_of, hardware_class_of
from skerry.controllers.views import fleet_node, job_finished, serving_pod
from skerry.render.parts import COMPONENT_FETCHER, COMPONENT_OPTIMIZER

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.api import EdgeNode
    from skerry.api.edgenode import NodeModel
    from skerry.cluster.client import Object
    from skerry.controllers.cache import Store
    from skerry.controllers.operator import Operator
    from skerry.controllers.reading import Partly

T = TypeVar("T")

GROUP, VERSION = API_VERSION.split("/")
SERVER_TIMEOUT_SECONDS = 300
PAGE_SIZE = 500
REQUEST_TIMEOUT_SECONDS = 30


class Endless(Iterable[float]):
    """kopf's pauses between tries: it never gives up, however long the API server is away."""

    def __iter__(self) -> Iterator[float]:
        """Yield pauses in seconds."""
        return map(backoff_seconds, itertools.count(1))


def settings() -> kopf.OperatorSettings:
    """Configure kopf to watch and nothing else."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    chosen.watching.chunk_size = PAGE_SIZE
    chosen.networking.request_timeout = REQUEST_TIMEOUT_SECONDS
    chosen.networking.enforce_retry_after = True
    chosen.networking.error_backoffs = Endless()
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
        (GROUP, VERSION, "modelroutes"): on_route,
        (GROUP, VERSION, "modelvariants"): on_child,
        ("", "v1", "nodes"): on_node,
        ("", "v1", "pods"): on_pod,
        ("batch", "v1", "jobs"): on_job,
        ("apps", "v1", "daemonsets"): on_daemonset,
    }
    for (group, version, plural), handle in watched.items():
        # Not a plain function: kopf would run that in a thread of its own.
        async def noted(event: Any, _handle: Any = handle, **_: Any) -> None:
            _handle(operator, event["type"] == "DELETED", dict(event["object"]))

        kopf.on.event(group, version, plural, registry=registry, id=f"{plural}-event")(noted)


def on_model(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """Enqueue an EdgeModel; one that is created, deleted or names other classes also starts the fleet loop."""
    key = key_of(item)
    cache = _Cache("EdgeModel", operator.fleet.models, edge_model_of)
    known, model = cache.note(operator, item, gone=gone)
    if gone:
        operator.queue.forget(key)
        operator.forget(key)
        operator.fleet_stirred.set()
        return
    if known is None or model is None or known.metadata.uid != model.metadata.uid:
        # The namespace may have been deleted and created again, and its RoleBinding with it.
        operator.bound.discard(key[0])
    if known is None or model is None or known.spec.targets != model.spec.targets:
        operator.fleet_stirred.set()
    operator.queue.add(key)


def on_class(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """Start the fleet loop: a HardwareClass may have other nodes now."""
    cache = _Cache("HardwareClass", operator.fleet.classes, hardware_class_of)
    cache.note(operator, item, gone=gone)
    operator.fleet_stirred.set()
    operator.enqueue_class(key_of(item)[1])


def on_edge_node(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """Enqueue the EdgeModels about which an agent reports something new."""
    cache = _Cache("EdgeNode", operator.fleet.edge_nodes, edge_node_of)
    known, edge_node = cache.note(operator, item, gone=gone)
    if known is None or edge_node is None or _is_news(known, edge_node):
        operator.fleet_stirred.set()
    before = set(known.status.models) if known else set()
    after = set(edge_node.status.models) if edge_node else set()
    failed = {attempt for model in before for attempt in _failed(model)}
    for model in before ^ after:
        is_verdict = model in after and not _failed(model) <= failed
        level = Priority.URGENT if is_verdict else Priority.NEWS
        operator.queue.add((model.namespace, model.name), level=level)


def _failed(model: NodeModel) -> set[tuple[str, str, Attempt]]:
    """Return what the device reports as failed for a model: its class may have to be rolled back."""
    attempts = {Attempt.of(veto) for veto in model.vetoes}
    tried = model.candidate
    if tried is not None and tried.state is CandidateState.FAILED:
        attempts.add(Attempt.of(tried))
    return {(model.namespace, model.name, attempt) for attempt in attempts}


def _is_news(known: EdgeNode, edge_node: EdgeNode) -> bool:
    """Return whether the device has another class, or its first facts.

    Later ones (a plug is pulled) are taken in within the minute: a fleet on the move has many.
    """
    first_facts = known.status.facts is None and edge_node.status.facts is not None
    return known.spec != edge_node.spec or first_facts


def on_node(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """Handle a Node; most events are heartbeats and change nothing here."""
    known, node = _Cache("Node", operator.fleet.nodes, fleet_node).note(operator, item, gone=gone)
    if known == node and not gone:
        return
    operator.fleet_stirred.set()
    for hardware_class in {one.hardware_class for one in (known, node) if one} - {None}:
        operator.enqueue_class(hardware_class)


def on_pod(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """Handle a pod of a revision or of a job."""
    known, pod = _Cache("Pod", operator.fleet.pods, serving_pod).note(operator, item, gone=gone)
    if pod is None or known != pod:
        on_child(operator, gone, item)


def on_job(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """Handle a job; when one that held a slot ends, also enqueue the EdgeModels that wait for the slot."""
    fleet = operator.fleet
    on_child(operator, gone, item)
    slots = {COMPONENT_OPTIMIZER: fleet.jobs, COMPONENT_FETCHER: fleet.fetches}
    component = item["metadata"].get("labels", {}).get(LABEL_COMPONENT, "")
    if component not in slots:
        return
    _, finished = _Cache("Job", slots[component], job_finished, component).note(
        operator, item, gone=gone
    )
    metrics.BUILDS.set(fleet.jobs_running())
    metrics.FETCHES.set(fleet.fetches_running())
    if gone or finished:
        operator.lookups.forget_absent()
        _enqueue_waiting(operator)


def on_daemonset(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """Handle a DaemonSet's deletion; its status changes with every pod and does not matter here."""
    if gone or item["metadata"].get("generation") != item.get("status", {}).get(
        "observedGeneration"
    ):
        on_child(operator, gone, item)


def on_route(operator: Operator, gone: bool, item: Object) -> None:  # noqa: FBT001
    """Handle a ModelRoute: the last one of a deleted class releases its nodes."""
    on_child(operator, gone, item)
    if gone:
        operator.fleet_stirred.set()


def on_child(operator: Operator, gone: bool, item: Object) -> None:  # noqa: ARG001, FBT001
    """Enqueue the EdgeModel that a child's label names."""
    name = item["metadata"].get("labels", {}).get(LABEL_MODEL)
    if name:
        operator.queue.add((key_of(item)[0], name))


@dataclass(frozen=True)
class _Cache(Generic[T]):
    """Where objects of a kind are kept, and how they are read.

    Attributes:
        scope: of what can't be read; empty for the kind.
    """

    kind: str
    store: Store[T]
    parse: Callable[[Object], T | Partly[T] | None]
    scope: str = ""

    def note(self, operator: Operator, item: Object, *, gone: bool) -> tuple[T | None, T | None]:
        """Take an object in or out; what was known before, and what is now."""
        scope = self.scope or self.kind
        if not gone:
            return operator.unreadable.keep(scope, self.kind, item, self.parse, self.store)
        operator.unreadable.forget(scope, self.kind, key_of(item))
        return self.store.drop(key_of(item), version_of(item)), None


def _enqueue_waiting(operator: Operator) -> None:
    for key, model in operator.fleet.models.items():
        if model.status.awaited_slot is not None:
            operator.queue.add(key)
