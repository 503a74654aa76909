"""How the operator finds its API server: KUBECONFIG when set, else the pod's service account."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kubernetes.aio import client, config

from skerry.cluster.client import Cluster
from skerry.cluster.errors import SkerryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PARALLEL_REQUESTS = 16


async def load_configuration() -> client.Configuration:
    """The client's configuration.

    Raises:
        SkerryError: when there is neither a usable kubeconfig nor a service account.
    """
    settings = client.Configuration()
    try:
        if os.environ.get("KUBECONFIG"):
            await config.load_kube_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise SkerryError(
            f"no way to the API server: {error}",
            "KUBECONFIG",
            "run inside a cluster with a service account, or set KUBECONFIG to a kubeconfig file",
        ) from error
    settings.connection_pool_maxsize = PARALLEL_REQUESTS
    return settings


@asynccontextmanager
async def connected() -> AsyncIterator[Cluster]:
    """A connection that is closed at the end of the block."""
    async with client.ApiClient(await load_configuration()) as api:
        yield Cluster(api)
