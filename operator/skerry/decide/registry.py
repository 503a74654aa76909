"""Where the jobs of an EdgeModel leave what they did, and where it is looked for before another is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.job import RegistryAccess
from skerry.decide.stages import DOCKER_CONFIG_FILE, Trouble

if TYPE_CHECKING:
    from skerry.decide.snapshot import Snapshot

LOOKING_UP = "LookingUp"
WAITING = "WaitingForRegistry"


def looking_up(snapshot: Snapshot, what: str) -> Trouble:
    """What is said while the registry is asked whether something is so."""
    asked = f"the registry is asked whether {what}"
    if snapshot.registry_says:
        return Trouble(WAITING, f"{asked}: {snapshot.registry_says}")
    return Trouble(LOOKING_UP, asked)


def registry_access(snapshot: Snapshot) -> RegistryAccess:
    """Where the jobs of the EdgeModel push."""
    settings, metadata = snapshot.config.registry, snapshot.model.metadata
    return RegistryAccess(
        address=settings.address,
        repository=f"{settings.prefix}/{metadata.namespace}/{metadata.name}",
        insecure=settings.insecure,
        docker_config=DOCKER_CONFIG_FILE if settings.push_secret else None,
    )
