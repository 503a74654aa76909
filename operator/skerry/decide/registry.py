"""Where the jobs of an EdgeModel leave what they did, and where it is looked for before another is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.jobs.names import DOCKER_CONFIG_FILE
from skerry.jobs.plans import RegistryAccess

if TYPE_CHECKING:
    from skerry.decide.snapshot import Snapshot

LOOKING_UP = "LookingUp"


def registry_access(snapshot: Snapshot) -> RegistryAccess:
    """Where the jobs of the EdgeModel push."""
    settings, metadata = snapshot.config.registry, snapshot.model.metadata
    return RegistryAccess(
        address=settings.address,
        repository=f"{settings.prefix}/{metadata.namespace}/{metadata.name}",
        insecure=settings.insecure,
        docker_config=DOCKER_CONFIG_FILE if settings.push_secret else None,
    )
