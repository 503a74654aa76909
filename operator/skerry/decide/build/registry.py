"""Where the jobs of an EdgeModel leave what they did, and where it is looked for before another is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.reasons import Cause, RegistryReason
from skerry.jobs.names import DOCKER_CONFIG_FILE
from skerry.jobs.plans import RegistryAccess

if TYPE_CHECKING:
    from skerry.decide.snapshot import Snapshot

SHARED = "builds"
"""Repository below the prefix that all EdgeModels share."""


def looking_up(snapshot: Snapshot, what: str) -> Cause:
    """Return what to report while the operator asks the registry whether something is so."""
    asked = f"checking in the registry whether {what}"
    if snapshot.registry_says:
        return Cause(RegistryReason.WAITING, f"{asked}: {snapshot.registry_says}")
    return Cause(RegistryReason.LOOKING_UP_RESULTS, asked)


def own_access(snapshot: Snapshot) -> RegistryAccess:
    """Return where jobs push what they fetched with the EdgeModel's own credentials."""
    metadata = snapshot.model.metadata
    return _access(snapshot, f"{metadata.namespace}/{metadata.name}")


def shared_access(snapshot: Snapshot) -> RegistryAccess:
    """Return where jobs push what belongs to content: assessments, builds and evidence.

    Its tags are digests of all that a result depends on, so every EdgeModel, class and cluster that uses
    this registry and prefix finds the same result (docs/adr/0033).
    """
    return _access(snapshot, SHARED)


def _access(snapshot: Snapshot, repository: str) -> RegistryAccess:
    settings = snapshot.config.registry
    return RegistryAccess(
        address=settings.address,
        repository=f"{settings.prefix}/{repository}",
        insecure=settings.insecure,
        docker_config=DOCKER_CONFIG_FILE if settings.push_secret else None,
    )
