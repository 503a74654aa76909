"""Which cluster and namespace: kubeconfig and context as kubectl takes them, else the pod's own account."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from kubernetes.aio import client

from skerry.cluster.client import Cluster
from skerry.cluster.connect import kubeconfig_configuration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

DEFAULT_NAMESPACE = "default"
FIELD_MANAGER = "kubectl-skerry"

T = TypeVar("T")


@dataclass(frozen=True)
class Where:
    """What the options say about the cluster; None is kubectl's own choice."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True)
class Connection:
    """A cluster, and the namespace that is meant."""

    cluster: Cluster
    namespace: str


@asynccontextmanager
async def connected(where: Where) -> AsyncIterator[Connection]:
    """Yield a connection that is closed at the end of the block.

    Raises:
        SkerryError: there is no usable kubeconfig, or no such context in it.
    """
    settings, namespace = await kubeconfig_configuration(where.kubeconfig, where.context)
    async with client.ApiClient(settings) as api:
        yield Connection(
            Cluster(api, FIELD_MANAGER), where.namespace or namespace or DEFAULT_NAMESPACE
        )


def run(where: Where, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Connect, do the work, and return what it returns."""

    async def connect_and_work() -> T:
        async with connected(where) as connection:
            return await work(connection)

    return asyncio.run(connect_and_work())
