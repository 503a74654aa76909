"""Of two operators one acts: a Lease, held for 15 s, renewed every 2 s, given up after 10 s without.

The holder is named by its pod: a container that restarts in the same pod leads again at once. Both
watch all the time, so that the second is warm.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
from kubernetes.aio.client import ApiException, V1Lease, V1ObjectMeta
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from skerry.api.common import SYSTEM_NAMESPACE
from skerry.controllers import metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from kubernetes.aio.client import ApiClient

LEASE_NAME = "skerry-operator"
LEASE_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10
RETRY_SECONDS = 2
REQUEST_SECONDS = 4.0
_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError)

logger = logging.getLogger(__name__)


class PatientLease(LeaseLock):
    """A Lease to which an API server that is away for a moment is one failed try, not the end."""

    async def get(self, name: str, namespace: str) -> Any:
        """The election record, or (False, error)."""
        try:
            return await _bounded(super().get(name, namespace))
        except _UNREACHABLE as error:
            return False, ApiException(
                status=0, reason=f"unreachable: {error or type(error).__name__}"
            )

    async def create(self, name: str, namespace: str, election_record: Any) -> bool:
        """Whether the Lease could be made (client 37.0's own refuses its `pretty=True`)."""
        body = V1Lease(metadata=V1ObjectMeta(name=name), spec=self.update_lease(election_record))
        return await _tried(self._create(namespace, body))

    async def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        """Whether the Lease could be renewed or taken."""
        return await _tried(super().update(name, namespace, updated_record))

    async def _create(self, namespace: str, body: V1Lease) -> bool:
        try:
            await self.api_instance.create_namespaced_lease(namespace, body)
        except ApiException as error:
            logger.warning("the lease could not be made: %s", error.reason)
            return False
        return True

    async def release(self) -> None:
        """Let the next one lead at once."""
        await self.get(self.name, self.namespace)
        held = self.lease_reference
        if held is None or held.spec is None or held.spec.holder_identity != self.identity:
            return
        held.spec.holder_identity = ""
        try:
            await _bounded(
                self.api_instance.replace_namespaced_lease(self.name, self.namespace, held)
            )
        except (*_UNREACHABLE, ApiException) as error:
            logger.info("the lease was not released and runs out by itself: %s", error)


def lease(api: ApiClient) -> PatientLease:
    """The operators' Lease, for this process."""
    identity = os.environ.get("POD_NAME") or socket.gethostname()
    return PatientLease(LEASE_NAME, SYSTEM_NAMESPACE, identity, api)


async def lead(lock: PatientLease, leading: asyncio.Event) -> None:
    """Set `leading` once this process leads; returns when it no longer does."""

    async def started() -> None:
        logger.info("%s leads", lock.identity)
        metrics.LEADING.set(1)
        leading.set()

    async def stopped() -> None:
        logger.error("%s could not renew its lease for %d s", lock.identity, RENEW_DEADLINE_SECONDS)
        metrics.LEADING.set(0)
        leading.clear()

    config = Config(lock, LEASE_SECONDS, RENEW_DEADLINE_SECONDS, RETRY_SECONDS, started, stopped)
    await LeaderElection(config).run()


async def _tried(request: Awaitable[bool]) -> bool:
    try:
        return bool(await _bounded(request))
    except _UNREACHABLE as error:
        logger.warning("the lease could not be written: %s", error or type(error).__name__)
        return False


async def _bounded(request: Awaitable[Any]) -> Any:
    """The answer, within less than the deadline for renewing."""
    async with asyncio.timeout(REQUEST_SECONDS):
        return await request
