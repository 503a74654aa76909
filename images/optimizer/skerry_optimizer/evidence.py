"""Finished work in the registry, under its evidence key: what was measured, and the certified image.

The image `evidence-KEY` is, where a candidate passed the gates, the certified artifact itself: one
layer with the model and one with the evidence. Where none passed it has the evidence only, so
nothing that failed can be mounted. The summary is an annotation of the evidence (docs/adr/0030).
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from skerry.artifacts.images import Image, Layer, pack_files
from skerry.jobs import names
from skerry.jobs.registry import (
    ANNOTATION_PART,
    ANNOTATION_RESULT,
    PART_EVIDENCE,
    evidence_tag,
)
from skerry.jobs.results import JobSummary
from skerry.tasks import TENSOR_INFERENCE
from skerry_optimizer.builds import model_layer

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.artifacts.images import RegistryClient
    from skerry.jobs.files import Validation
    from skerry.jobs.plans import JobPlan
    from skerry.jobs.scratch import Workspace


def push_evidence(
    client: RegistryClient, workspace: Workspace, plan: JobPlan, summary: JobSummary
) -> JobSummary:
    """Push the evidence, with the chosen model if one passed; return the summary with its artifact.

    Raises:
        RegistryError: The registry was not reached, or refused.
    """
    layers = [_evidence_layer(workspace, plan, summary)]
    if summary.chosen is not None:
        layers.insert(0, model_layer(workspace, summary.chosen))
    digest = client.push(Image(tuple(layers)), evidence_tag(plan.evidence_key))
    return summary.in_image(plan.registry, digest)


def find_evidence(client: RegistryClient, plan: JobPlan) -> JobSummary | None:
    """Return the summary of a plan's finished work, or nothing when there is none that can be read.

    Raises:
        RegistryError: The registry was not reached, or refused.
    """
    image = client.find(evidence_tag(plan.evidence_key))
    layer = image.annotated(ANNOTATION_PART).get(PART_EVIDENCE) if image else None
    if image is None or layer is None:
        return None
    try:
        summary = JobSummary.model_validate_json(layer.annotations.get(ANNOTATION_RESULT, ""))
    except ValidationError:
        return None  # of another release: measured again, and overwritten
    return summary.in_image(plan.registry, image.digest)


def _evidence_layer(workspace: Workspace, plan: JobPlan, summary: JobSummary) -> Layer:
    validation = workspace.read_validation()
    folder = workspace.work / "evidence"
    folder.mkdir(exist_ok=True)
    files = {
        names.REPORT_FILE: _written(folder / names.REPORT_FILE, _report(plan, validation)),
        names.BLOCKS_FILE: _written(folder / names.BLOCKS_FILE, _blocks(validation)),
    }
    if summary.chosen is not None and validation.served is not None:
        served = _written(folder / names.SERVED_FILE, validation.served.to_wire())
        files |= {names.SERVED_FILE: served, TENSOR_INFERENCE.golden_file: workspace.golden}
    annotations = {ANNOTATION_PART: PART_EVIDENCE, ANNOTATION_RESULT: json.dumps(summary.to_wire())}
    return pack_files(files, workspace.work / "evidence.tar", annotations)


def _report(plan: JobPlan, validation: Validation) -> dict[str, Any]:
    found = validation.model_copy(update={"recipe_results": (), "certified": None}).to_wire()
    certified = validation.certified
    return {
        **found,
        "node": os.environ.get(names.NODE_VARIABLE, ""),
        "measuredAt": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "plan": plan.model_copy(update={"registry": None}).to_wire(),
        "recipeResults": [measured.result.to_wire() for measured in validation.recipe_results],
        "certified": certified.result.to_wire() if certified else None,
    }


def _blocks(validation: Validation) -> dict[str, Any]:
    blocks = {one.result.recipe: one.blocks.to_wire() for one in validation.recipe_results}
    certified = validation.certified
    return {"choice": blocks, "certification": certified.blocks.to_wire() if certified else None}


def _written(file: Path, content: Any) -> Path:
    file.write_text(json.dumps(content, indent=1, sort_keys=True))
    return file
