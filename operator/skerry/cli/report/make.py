"""From the cluster and, where it is reached, the registry to the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from skerry.artifacts.registry import Registry, RegistryError
from skerry.cli.plan.cluster import installed
from skerry.cli.reading import picture, read_model, variants_of
from skerry.cli.report.evidence import fetch
from skerry.cli.report.page import render

if TYPE_CHECKING:
    from skerry.cli.connection import Connection
    from skerry.cli.reading import Picture
    from skerry.cli.report.evidence import Evidence


async def make(connection: Connection, name: str, *, evidence: bool) -> tuple[str, list[str]]:
    """Return the page, and what could not be read for it.

    Raises:
        SkerryError: the model can't be read.
    """
    seen = await picture(connection, await read_model(connection, name))
    notes: list[str] = []
    found = await _evidence(connection, seen, notes) if evidence else {}
    return render(seen, found, datetime.now(UTC)), notes


async def _evidence(connection: Connection, seen: Picture, notes: list[str]) -> dict[str, Evidence]:
    """Return the evidence of the builds of all engines of each class; an unreachable registry costs a note."""
    config = await installed(connection, [])
    insecure = config.registry.address if config and config.registry.insecure else None
    wanted = {name for target in seen.model.status.targets for name in variants_of(target)}
    found: dict[str, Evidence] = {}
    async with httpx.AsyncClient() as http:
        registry = Registry(http, insecure)
        for variant in seen.variants:
            artifact = variant.status.artifact
            if variant.metadata.name not in wanted or artifact is None:
                continue
            try:
                found[variant.metadata.name] = await fetch(registry, artifact.image)
            except RegistryError as error:
                notes.append(f"without raw latencies of {variant.metadata.name}: {error}")
    return found
