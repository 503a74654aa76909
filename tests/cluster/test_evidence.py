"""Raw figures come out of a real registry, and errors in them are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from skerry.artifacts.registry import Registry, RegistryError
from skerry.cli.report.evidence import fetch
from skerry.jobs.registry import ANNOTATION_PART, PART_EVIDENCE
from tests.cluster.world import push_image
from tests.unit.cli.measured import EVIDENCE, evidence_layer

if TYPE_CHECKING:
    from tests.lab import Lab

pytestmark = pytest.mark.cluster
REPOSITORY = "skerry/cli/evidence"
MARKED = {ANNOTATION_PART: PART_EVIDENCE}


async def fetched(registry: str, image: str) -> object:
    """Return the evidence that a report would get."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return await fetch(Registry(http, registry), image)


async def test_the_report_of_a_build_is_read(control_plane: Lab) -> None:
    registry = control_plane.registry
    layers = [(b"weights", {ANNOTATION_PART: "model"}), (evidence_layer(), MARKED)]
    digest = push_image(registry, REPOSITORY, "good", layers)
    assert await fetched(registry, f"{registry}/{REPOSITORY}@{digest}") == EVIDENCE


async def test_what_is_no_evidence_is_reported(control_plane: Lab) -> None:
    registry = control_plane.registry
    bare = push_image(registry, REPOSITORY, "bare", [(b"weights", {})])
    broken = push_image(registry, REPOSITORY, "broken", [(b"no tar", MARKED)])
    for digest, says in (
        (bare, "no evidence layer"),
        (broken, "evidence can't be read"),
        (f"sha256:{'0' * 64}", "no such image or tag"),
    ):
        with pytest.raises(RegistryError, match=says):
            await fetched(registry, f"{registry}/{REPOSITORY}@{digest}")
    with pytest.raises(RegistryError, match="cannot reach the registry"):
        await fetched("127.0.0.1:9", f"127.0.0.1:9/{REPOSITORY}@{bare}")
