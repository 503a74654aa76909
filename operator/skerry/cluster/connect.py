"""How the operator finds its API server: KUBECONFIG when set, else the pod's service account."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kubernetes.aio import client, config
from yaml import YAMLError

from skerry.cluster.client import Cluster
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PARALLEL_REQUESTS = 16
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


async def load_configuration() -> client.Configuration:
    """Return the client's configuration.

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


async def kubeconfig_configuration(
    path: Path | None, context: str | None
) -> tuple[client.Configuration, str | None]:
    """Return the client's configuration as kubectl would find it, and the context's namespace.

    Args:
        path: of a kubeconfig; None for KUBECONFIG, else ~/.kube/config, else the pod's own account.
        context: in it; None for its current one.

    Raises:
        SkerryError: there is no usable kubeconfig, or no such context in it.
    """
    place = str(path or os.environ.get("KUBECONFIG") or config.KUBE_CONFIG_DEFAULT_LOCATION)
    settings = client.Configuration()
    if not _is_there(place):
        if path is None and context is None and _own_namespace():
            return await load_configuration(), _own_namespace()
        raise SkerryError(
            "there is no such kubeconfig", place, "name one by --kubeconfig or KUBECONFIG"
        )
    try:
        found, active = config.list_kube_config_contexts(place)  # type: ignore[no-untyped-call]
        names = [entry["name"] for entry in found]
        if context is not None and context not in names:
            raise SkerryError(
                f"there is no context {context}",
                place,
                f"choose one of {', '.join(names) or 'none'}",
            )
        await config.load_kube_config(place, context, settings)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, ValueError, TypeError, YAMLError) as error:
        raise SkerryError(
            f"no way to a cluster: {error or type(error).__name__}",
            place,
            "name a kubeconfig by --kubeconfig or KUBECONFIG",
        ) from error
    settings.connection_pool_maxsize = PARALLEL_REQUESTS
    chosen = next((entry for entry in found if entry["name"] == context), active)
    return settings, chosen["context"].get("namespace")


def _is_there(place: str) -> bool:
    """Return whether one of the files in KUBECONFIG (separated by colons) exists."""
    return any(Path(part).expanduser().is_file() for part in place.split(os.pathsep))


def _own_namespace() -> str | None:
    """Return the namespace of the pod that this runs in; None outside of a pod."""
    return SERVICE_ACCOUNT.read_text(encoding="utf-8") if SERVICE_ACCOUNT.is_file() else None


@asynccontextmanager
async def connected() -> AsyncIterator[Cluster]:
    """Yield a connection that is closed at the end of the block."""
    async with client.ApiClient(await load_configuration()) as api:
        yield Cluster(api)
