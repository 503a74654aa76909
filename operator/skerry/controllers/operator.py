"""What lives as long as the process: the connection, the caches, the queue, and what was learnt on the way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skerry.cluster import kinds
from skerry.cluster.pace import Priority
from skerry.controllers.cache import Fleet, Key
from skerry.controllers.queue import WorkQueue
from skerry.controllers.refusals import Refusals, namespace_owner
from skerry.controllers.unreadable import Unreadables
from skerry.decide.nodes.taints import tolerated
from skerry.engines import installed_engines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api.config import OperatorConfig
    from skerry.cluster.client import Cluster, Object
    from skerry.controllers.absence import Memory
    from skerry.controllers.crash import CrashPoint
    from skerry.controllers.lookups import Lookups
    from skerry.controllers.pins import Pinner
    from skerry.decide.refused import Refused
    from skerry.engines import EnginePlugin

RESYNC_PER_SECOND = 4.0
"""EdgeModels that are looked at although nothing has happened: each costs some eight requests."""


@dataclass
class Operator:
    """The parts that handlers, workers and the fleet loop share.

    Attributes:
        plugins: the descriptions of engines in this image, by name.
        leading: set while this process is the one that acts.
        filled: set once the caches were filled by lists.
        fleet_stirred: set when nodes or classes changed, so that the fleet loop looks at once.
        build_gate: held while a job that needs a slot is counted in and started.
        refusals: writes that the API server refused at the last try.
        conflicts: names in the way of each EdgeModel, found at the last reconcile's writes.
        uids: of the EdgeModels that anything is remembered of.
        shards: the last known shard of each node by its uid, for one whose label somebody takes away.
        bound: namespaces in which agents may see pods.
        absences: pods that are not there, and since when, of each EdgeModel.
        unreadable: objects that can't be read.
        stray_leases: Leases of agents whose Node is gone, as last listed.
    """

    config: OperatorConfig
    cluster: Cluster
    pinner: Pinner
    lookups: Lookups
    crash: CrashPoint
    plugins: Mapping[str, EnginePlugin] = field(default_factory=installed_engines)
    fleet: Fleet = field(default_factory=Fleet)
    queue: WorkQueue = field(default_factory=WorkQueue)
    leading: asyncio.Event = field(default_factory=asyncio.Event)
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    fleet_stirred: asyncio.Event = field(default_factory=asyncio.Event)
    build_gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    refusals: Refusals = field(default_factory=Refusals)
    conflicts: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    absences: dict[Key, Memory] = field(default_factory=dict)
    unreadable: Unreadables = field(default_factory=Unreadables)
    uids: dict[Key, str] = field(default_factory=dict)
    stray_leases: tuple[Object, ...] = ()

    def __post_init__(self) -> None:
        """Take from the configuration how often agents beat, and the taints that they tolerate."""
        self.fleet.heartbeats.period = self.config.agent.heartbeat_seconds
        self.fleet.tolerated = tolerated(self.config.device.tolerations)

    def enqueue_class(self, hardware_class: str | None) -> None:
        """Look at every EdgeModel that targets the class."""
        for key in self.fleet.targeting(hardware_class):
            self.queue.add(key)

    def enqueue_namespace(self, namespace: str) -> None:
        """Look at every EdgeModel of the namespace."""
        for key in self.fleet.models:
            if key[0] == namespace:
                self.queue.add(key)

    def enqueue_all(self) -> None:
        """Look at every EdgeModel, some each second: what has news goes before them all the same."""
        unreadable = (one.key for one in self.unreadable.left_out(kinds.EDGE_MODEL.name))
        for number, key in enumerate((*self.fleet.models, *unreadable)):
            self.queue.add(key, number / RESYNC_PER_SECOND, Priority.ROUTINE)

    def refused(self, key: Key) -> tuple[Refused, ...]:
        """Return the refused writes of an EdgeModel and of its namespace, for its status.

        Of the status itself nothing: one that can be read was not refused.
        """
        own = self.refusals.of(key)
        binding = self.refusals.of(namespace_owner(key[0]))
        return (*(r for r in own if r.kind != kinds.EDGE_MODEL.name), *binding)

    def recognize(self, key: Key, uid: str) -> None:
        """Forget what is remembered of an earlier EdgeModel of this name: it has no past."""
        if self.uids.get(key, uid) != uid:
            self.forget(key)
        self.uids[key] = uid

    def forget(self, key: Key) -> None:
        """Forget an EdgeModel that is gone."""
        self.unreadable.note(key, ())
        self.pinner.forget(key)
        self.lookups.forget(key)
        self.refusals.forget(key)
        self.conflicts.pop(key, None)
        self.absences.pop(key, None)
        self.uids.pop(key, None)

    def forget_others(self) -> None:
        """Forget what is remembered of EdgeModels and nodes that are gone, also where no watch said so.

        An EdgeModel that can't be read is there.
        """
        unreadable = {one.key for one in self.unreadable.left_out(kinds.EDGE_MODEL.name)}
        for key in self.uids.keys() - set(self.fleet.models) - unreadable:
            self.forget(key)
        nodes = {node.uid for node in self.fleet.nodes.values()}
        self.shards = {uid: shard for uid, shard in self.shards.items() if uid in nodes}
