"""What is known of the whole fleet between reconciles: fed by watches, set right by lists.

A watch can lose a DELETED event (API server restarted, history compacted), so the fleet loop replaces
each kind from a LIST now and then: what is not newer than the list and not in it, is gone. What a reconcile
must know for sure, it reads itself. Nodes and pods are kept as the few facts that matter: a fleet has
ten thousand of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from skerry.cluster.heartbeats import Heartbeats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from skerry.api import EdgeModel, EdgeNode, HardwareClass
    from skerry.decide.nodes.taints import Taint, Tolerated
    from skerry.decide.snapshot import PodView

T = TypeVar("T")
Key = tuple[str, str]
"""Namespace and name of an EdgeModel."""


@dataclass(frozen=True)
class FleetNode:
    """A Node: identity, labels, Skerry's two labels parsed, taints, and whether it is Ready (and since when)."""

    name: str
    uid: str
    labels: Mapping[str, str]
    hardware_class: str | None = None
    shard: int | None = None
    ready: bool = False
    ready_since: datetime | None = None
    taints: tuple[Taint, ...] = ()


@dataclass(frozen=True)
class ServingPod:
    """A pod of a revision on a node, or one that waits for its place there.

    `state` says how far it is while it is neither Ready nor leaving.
    """

    model: str
    node: str
    revision: str
    ready: bool
    state: PodView | None = None


@dataclass
class Store(Generic[T]):
    """Objects of one kind by (namespace, name), with the resourceVersion that they were seen at.

    `_dropped` keeps the versions of deletions that are newer than the last list: an older list that
    comes in later must not bring these objects back.
    """

    _entries: dict[Key, tuple[int, T]] = field(default_factory=dict)
    _dropped: dict[Key, int] = field(default_factory=dict)
    _listed: int = 0

    def put(self, key: Key, version: int, value: T) -> T | None:
        """Keep the object unless a newer one is known; what was known before is returned."""
        before = self._entries.get(key)
        if before is None or before[0] <= version:
            self._entries[key] = (version, value)
        return before[1] if before else None

    def leave_out(self, key: Key, version: int) -> T | None:
        """Forget an object that can't be read, unless a newer one is known; what was known is returned."""
        before = self._entries.get(key)
        if before is not None and before[0] <= version:
            del self._entries[key]
        return before[1] if before else None

    def drop(self, key: Key, version: int) -> T | None:
        """Forget an object that was deleted at `version`, unless a newer one is known.

        What was known is returned.
        """
        self._dropped[key] = max(version, self._dropped.get(key, 0))
        before = self._entries.get(key)
        if before is not None and before[0] <= version:
            del self._entries[key]
        return before[1] if before else None

    def replace(self, listed: Iterable[tuple[Key, int, T]], version: int) -> None:
        """Make the listed objects all there is, but for what a watch brought after the list.

        Args:
            listed: key, resourceVersion and value of each object.
            version: the list's own resourceVersion. One below that of the last list means that the
                API server's data was restored from a backup: then nothing that is known is newer.
        """
        restored = version < self._listed
        fresh = {
            key: (seen, value)
            for key, seen, value in listed
            if restored or self._dropped.get(key, 0) <= version
        }
        newer = {} if restored else self._newer_than(version)
        self._entries = fresh | newer
        self._dropped = {k: at for k, at in self._dropped.items() if at > version and not restored}
        self._listed = version

    def _newer_than(self, version: int) -> dict[Key, tuple[int, T]]:
        return {key: entry for key, entry in self._entries.items() if entry[0] > version}

    def get(self, namespace: str, name: str) -> T | None:
        """Return the object, if known."""
        entry = self._entries.get((namespace, name))
        return entry[1] if entry else None

    def __iter__(self) -> Iterator[Key]:
        """Return the keys of all objects."""
        return iter(list(self._entries))

    def values(self) -> list[T]:
        """Return all objects."""
        return [value for _, value in self._entries.values()]

    def items(self) -> list[tuple[Key, T]]:
        """Return all objects with their keys."""
        return [(key, value) for key, (_, value) in self._entries.items()]


@dataclass
class Fleet:
    """The caches. Cluster-wide kinds have an empty namespace in their keys."""

    models: Store[EdgeModel] = field(default_factory=Store)
    classes: Store[HardwareClass] = field(default_factory=Store)
    edge_nodes: Store[EdgeNode] = field(default_factory=Store)
    nodes: Store[FleetNode] = field(default_factory=Store)
    pods: Store[ServingPod] = field(default_factory=Store)
    jobs: Store[bool] = field(default_factory=Store)
    fetches: Store[bool] = field(default_factory=Store)
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    tolerated: tuple[Tolerated, ...] = ()

    def targeting(self, hardware_class: str | None) -> list[Key]:
        """Return the EdgeModels with a target of this class."""
        return [
            key
            for key, model in self.models.items()
            if any(target.hardware_class_name == hardware_class for target in model.spec.targets)
        ]

    def jobs_running(self) -> int:
        """Return how many optimization jobs are not finished."""
        return sum(not finished for finished in self.jobs.values())

    def fetches_running(self) -> int:
        """Fetch jobs that are not finished."""
        return sum(not finished for finished in self.fetches.values())


def key_of(item: Mapping[str, Any]) -> Key:
    """Return the namespace (empty for cluster-wide kinds) and name of an object."""
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def version_of(item: Mapping[str, Any]) -> int:
    """Return the resourceVersion, which compares as a number within one kind (KEP-5504)."""
    return int(item["metadata"]["resourceVersion"])
