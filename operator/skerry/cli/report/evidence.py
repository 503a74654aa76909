"""Raw figures out of the registry: report.json of the layer that lies with the certified artifact."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from skerry.api.modelvariant import RecipeResult
from skerry.artifacts.registry import RegistryError
from skerry.jobs.names import REPORT_FILE
from skerry.jobs.registry import PART_EVIDENCE, part_of

if TYPE_CHECKING:
    from skerry.artifacts.registry import Registry

MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Evidence:
    """What the report of a build says beyond the status: raw latencies and memory of each recipe result."""

    recipe_results: tuple[RecipeResult, ...]
    node: str
    measured_at: str


async def fetch(registry: Registry, image: str) -> Evidence:
    """Return the evidence of a certified artifact.

    Args:
        registry: to ask.
        image: HOST/REPOSITORY@sha256:...

    Raises:
        RegistryError: it can't be had, or is not of this version.
    """
    manifest = await registry.manifest(image)
    layer = part_of(manifest, PART_EVIDENCE)
    if layer is None:
        raise RegistryError("it has no evidence layer", image, "check that Skerry made it")
    blob = await registry.blob(image, layer["digest"], MOST_BYTES)
    return _parsed(blob, image)


def _parsed(blob: bytes, image: str) -> Evidence:
    try:
        with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
            member = next(m for m in archive.getmembers() if m.name.endswith(REPORT_FILE))
            extracted = archive.extractfile(member)
            report: dict[str, Any] = json.load(extracted) if extracted else {}
        recipe_results = tuple(
            RecipeResult.model_validate(result) for result in report["recipeResults"]
        )
    except (tarfile.TarError, StopIteration, ValueError, KeyError, ValidationError) as error:
        raise RegistryError(
            f"its evidence can't be read: {error or type(error).__name__}", image,
            "it may be of another version of Skerry",
        ) from error  # fmt: skip
    return Evidence(recipe_results, str(report.get("node", "")), str(report.get("measuredAt", "")))
