"""What lives as long as the process: the connection, the caches, the queue, and what was learnt on the way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skerry.cluster import kinds
from skerry.cluster.fleet import Fleet, Key
from skerry.cluster.pace import Priority
from skerry.controllers.queue import WorkQueue
from skerry.controllers.refusals import Refusals, namespace_owner

if TYPE_CHECKING:
    from skerry.api.config import OperatorConfig
    from skerry.cluster.client import Cluster
    from skerry.controllers.crash import CrashPoint
    from skerry.controllers.lookups import Lookups
    from skerry.controllers.pins import Pinner
    from skerry.decide.refused import Refused

RESYNC_PER_SECOND = 4.0
"""EdgeModels that are looked at although nothing has happened: each costs some eight requests."""


@dataclass
class Operator:
    """The parts that handlers, workers and the fleet loop share.

    Attributes:
        leading: set while this process is the one that acts.
        fleet_stirred: set when nodes or classes changed, so that the fleet loop looks at once.
        build_gate: held while a job that needs a slot is counted in and started.
        refusals: writes that the API server refused at the last try.
        conflicts: names in the way of each EdgeModel, found at the last pass's writes.
        shards: the last known shard of each node, for one whose label somebody takes away.
        bound: namespaces in which agents may see pods.
    """

    config: OperatorConfig
    cluster: Cluster
    pinner: Pinner
    lookups: Lookups
    crash: CrashPoint
    fleet: Fleet = field(default_factory=Fleet)
    queue: WorkQueue = field(default_factory=WorkQueue)
    leading: asyncio.Event = field(default_factory=asyncio.Event)
    fleet_stirred: asyncio.Event = field(default_factory=asyncio.Event)
    build_gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    refusals: Refusals = field(default_factory=Refusals)
    conflicts: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)

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
        for number, key in enumerate(self.fleet.models):
            self.queue.add(key, number / RESYNC_PER_SECOND, Priority.ROUTINE)

    def refused(self, key: Key) -> tuple[Refused, ...]:
        """What is refused of an EdgeModel and of its namespace, to be reported in its status.

        Of the status itself nothing: one that can be read was not refused.
        """
        own = self.refusals.of(key)
        binding = self.refusals.of(namespace_owner(key[0]))
        return (*(r for r in own if r.kind != kinds.EDGE_MODEL.name), *binding)

    def forget(self, key: Key) -> None:
        """Forget an EdgeModel that is gone."""
        self.queue.forget(key)
        self.pinner.forget(key)
        self.lookups.forget(key)
        self.refusals.forget(key)
        self.conflicts.pop(key, None)
