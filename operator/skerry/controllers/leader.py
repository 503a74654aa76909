"""Of two operators one acts: a Lease, held for 15 s, renewed every 2 s, given up after 10 s without.

The holder is named by its pod: a container that restarts in the same pod leads again at once. Both
watch all the time, so that the second is warm. A process that stood still (SIGSTOP, a paused machine,
a blocked loop) must not write what it decided before: each write asks `may_write`, which looks at the
monotonic clock, and what acts is ended before the process leads again (docs/adr/0037).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

from skerry.api.common import SYSTEM_NAMESPACE
from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError
from skerry.controllers import metrics
from skerry.controllers.tasks import end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from skerry.cluster.client import Cluster, Object

LEASE_NAME = "skerry-operator"
LEASE_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10
RETRY_SECONDS = 2
REQUEST_SECONDS = 4.0

logger = logging.getLogger(__name__)


class Turn(Enum):
    """What one try to take or renew the Lease came to."""

    HELD = "it is ours"
    OTHER = "another holds it"
    UNKNOWN = "the API server did not answer, or somebody wrote at the same time"


@dataclass
class Election:
    """This process's part in the election.

    Attributes:
        cluster: a connection of its own: renewals must not wait in the line of the other requests.
        leading: set while this process leads.
        identity: the name under which it holds the Lease.
        turned: when it last tried, in seconds of the monotonic clock.
    """

    cluster: Cluster
    leading: asyncio.Event
    identity: str = field(
        default_factory=lambda: os.environ.get("POD_NAME") or socket.gethostname()
    )
    turned: float = field(default_factory=time.monotonic)
    _renewed: float = -RENEW_DEADLINE_SECONDS
    _seen: tuple[object, ...] = ()
    _seen_at: float = 0.0

    def may_write(self) -> bool:
        """Return whether this process leads and renewed its Lease so recently that no other can lead."""
        return self.leading.is_set() and self._is_renewed()

    async def run(self, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `act` whenever this process leads; ends when `act` does by itself."""
        while True:
            await self._acquire()
            acting = self._start(act)
            try:
                await self._hold(acting)
            finally:
                self.leading.clear()
                metrics.LEADING.set(0)
                by_itself = acting.done()
                await end([acting])
            if by_itself:
                return

    async def release(self) -> None:
        """Let the next one lead at once."""
        try:
            held = await self._get()
            if held is None or held["spec"].get("holderIdentity") != self.identity:
                return
            await self._replace(held, {"holderIdentity": ""})
        except (ClusterError, TimeoutError) as error:
            logger.info("the lease was not released and expires by itself: %s", _words(error))

    async def _acquire(self) -> None:
        while True:
            if await self._turn() is Turn.HELD:
                return
            await asyncio.sleep(RETRY_SECONDS)

    def _start(self, act: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        logger.info("%s leads", self.identity)
        metrics.LEADING.set(1)
        self.leading.set()
        return asyncio.create_task(act(), name="acting")

    async def _hold(self, acting: asyncio.Task[None]) -> None:
        """Renew the Lease until `acting` ends, another holds it, or it could not be renewed in time."""
        while True:
            await asyncio.wait([acting], timeout=RETRY_SECONDS)
            if acting.done():
                return
            if not self._is_renewed():
                logger.error("%s no longer leads: its lease was not renewed in time", self.identity)
                return
            if await self._turn() is Turn.OTHER:
                logger.error("%s no longer leads: another holds the lease", self.identity)
                return

    async def _turn(self) -> Turn:
        """Take or renew the Lease, if it is free or ours."""
        self.turned = time.monotonic()
        try:
            return await self._try()
        except (ClusterError, TimeoutError) as error:
            if not isinstance(error, ClusterError) or error.status != HTTPStatus.CONFLICT:
                logger.warning("the lease could not be read or written: %s", _words(error))
            return Turn.UNKNOWN

    async def _try(self) -> Turn:
        held = await self._get()
        begun = time.monotonic()
        if held is None:
            spec = self._spec({})
            body = {"metadata": {"name": LEASE_NAME, "namespace": SYSTEM_NAMESPACE}, "spec": spec}
            async with asyncio.timeout(REQUEST_SECONDS):
                await self.cluster.create(kinds.LEASE, body)
        elif self._is_free(held["spec"]):
            await self._replace(held, self._spec(held["spec"]))
        else:
            return Turn.OTHER
        self._renewed = begun
        return Turn.HELD

    def _is_free(self, spec: Object) -> bool:
        """Return whether the Lease is ours, nobody's, or expired by this process's own clock."""
        seen = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if seen != self._seen:
            self._seen, self._seen_at = seen, time.monotonic()
        if spec.get("holderIdentity") in (None, "", self.identity):
            return True
        holds = spec.get("leaseDurationSeconds") or LEASE_SECONDS
        return time.monotonic() - self._seen_at > holds

    def _spec(self, before: Object) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = before.get("holderIdentity") == self.identity
        transitions = before.get("leaseTransitions") or 0
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": now,
            "acquireTime": before.get("acquireTime", now) if ours else now,
            "leaseTransitions": transitions if ours else transitions + 1,
        }

    def _is_renewed(self) -> bool:
        return time.monotonic() - self._renewed < RENEW_DEADLINE_SECONDS

    async def _get(self) -> Object | None:
        async with asyncio.timeout(REQUEST_SECONDS):
            return await self.cluster.get(kinds.LEASE, SYSTEM_NAMESPACE, LEASE_NAME)

    async def _replace(self, held: Object, spec: Object) -> None:
        """Write it as it was read: who wrote meanwhile wins (409)."""
        async with asyncio.timeout(REQUEST_SECONDS):
            await self.cluster.replace(kinds.LEASE, held | {"spec": held["spec"] | spec})


def _words(error: Exception) -> str:
    return str(error) or f"no answer within {REQUEST_SECONDS:.0f} s"
