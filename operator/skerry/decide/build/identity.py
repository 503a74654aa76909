"""What makes a build, its evidence and a revision: keys that are the same wherever they are computed.

A *build key* names what the engine makes of a source for a class. An *evidence key* adds what the
measuring and choosing depended on. A *revision* is a chosen artifact as it is served. The version of
the operator is part of none of them: an upgrade of Skerry alone rolls nothing out.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from skerry.api.units import parse_bytes, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skerry.api.common import ResourceLimits
    from skerry.api.edgemodel import Gates, Serving, Weights
    from skerry.api.facts import ClassFacts
    from skerry.api.hardwareclass import ServingRuntime
    from skerry.api.modelvariant import EvaluationPlan

REVISION_DIGITS = 10
MEASURING = 3
"""Raised when earlier evidence no longer counts: how things are measured or judged
has changed. It is part of no name, so finished variants stay as they are."""
ASSESSING = 2
"""The same for what is read of a source and its data set."""
NAME_KEY_DIGITS = 12
"""12 hex digits: two of a million variants of one model and class share them once in 500 times."""


def build_key(
    source_digest: str,
    evaluation: EvaluationPlan,
    *,
    architecture: str,
    features: Sequence[str],
    engine: str,
    engine_version: str,
    recipe_set: str,
    max_recipes: int,
) -> str:
    """Return the SHA-256, as 64 hex digits, of everything that decides what an engine builds for a class.

    The uris are left out: the same digests from another registry are the same build. The order of
    `features` does not matter.
    """
    return _sha256(
        {
            "source": source_digest,
            **_evaluation(evaluation),
            "architecture": architecture,
            "features": sorted(set(features)),
            "engine": str(engine),
            "engineVersion": engine_version,
            "recipeSet": recipe_set,
            "maxRecipes": max_recipes,
        }
    )


def assessment_key(
    source_digest: str, evaluation: EvaluationPlan, *, engine: str, engine_version: str
) -> str:
    """Return the SHA-256, as 64 hex digits, of everything that decides what an assessment says."""
    return _sha256(
        {
            "assessing": ASSESSING,
            "source": source_digest,
            **_evaluation(evaluation),
            "engine": engine,
            "engineVersion": engine_version,
        }
    )


def evidence_key(
    build: str,
    hardware: Mapping[str, Any],
    limits: ResourceLimits,
    gates: Gates,
    weights: Weights,
) -> str:
    """Return the SHA-256, as 64 hex digits, of a build and of all that its evidence depends on.

    Args:
        build: the build key.
        hardware: where it is measured, see `hardware_of`. Classes of equal hardware share evidence.
        limits: that the build is measured under.
        gates: that the choice has to pass.
        weights: that the choice is made by.
    """
    return _sha256(
        {
            "build": build,
            "measuring": MEASURING,
            "hardware": dict(hardware),
            "limits": _limits(limits),
            "gates": gates.to_wire(),
            "weights": weights.to_wire(),
        }
    )


def hardware_of(hardware_class: str, facts: ClassFacts | None) -> dict[str, Any]:
    """Return what stands for the hardware of a class in an evidence key.

    The facts that decide how fast a build runs under its limits, where all reported nodes have the same:
    classes of such nodes share evidence, in any namespace and cluster. Memory and the number of cores are
    left out, since the limits bound them. A class of mixed or unknown nodes stands for itself by its name.
    """
    if facts is None or not _uniform(facts):
        return {"class": hardware_class}
    spans = {"l1": facts.l1_data, "l2": facts.l2, "l3": facts.l3}
    return {
        "architecture": facts.architectures[0].value,
        "cpu": facts.cpus[0].value,
        "features": list(facts.features),
        "accelerators": [share.value for share in facts.accelerators],
        **{name: span.least for name, span in spans.items() if span},
    }


def _uniform(facts: ClassFacts) -> bool:
    """Return whether all reported nodes have the same processor, instructions, caches and accelerators."""
    spans = (facts.l1_data, facts.l2, facts.l3)
    return (
        len(facts.architectures) == len(facts.cpus) == 1
        and not facts.partial_features
        and all(span is None or span.least == span.most for span in spans)
        and all(share.nodes == facts.reported for share in (*facts.cpus, *facts.accelerators))
    )


def variant_name(edge_model: str, hardware_class: str, build: str, limits: ResourceLimits) -> str:
    """Name of the ModelVariant: readable, deterministic, at most 117 characters.

    `intent-x86-vnni-3f9c0a1b2d4e`: model, class, and a digest of build key and limits, since a
    measurement says nothing about other limits.
    """
    key = _sha256({"build": build, "limits": _limits(limits), "of": [edge_model, hardware_class]})
    return f"{edge_model}-{hardware_class}-{key[:NAME_KEY_DIGITS]}"


def revision(
    artifact_digest: str,
    serving: Serving,
    runtime_image: str,
    hardware_class: str,
    runtime: ServingRuntime | None = None,
) -> str:
    """Name of a revision: 10 hex digits.

    Args:
        artifact_digest: of the chosen artifact image, `sha256:...`.
        serving: `spec.serving`; `1` and `1000m` are the same.
        runtime_image: with its digest, `HOST/REPOSITORY@sha256:...`; only the digest counts.
        hardware_class: of the target.
        runtime: the class's server in place of the engine's, whose image then counts for nothing. The
            engine's own `Server` is of the release of its image, and is not counted in addition.
    """
    parts: dict[str, Any] = {
        "artifact": artifact_digest,
        "serving": serving.to_wire() | {"resources": {"limits": _limits(serving.resources.limits)}},
        "runtime": runtime_image.rpartition("@")[2],
        "hardwareClass": hardware_class,
    }
    if runtime is not None:
        digest = runtime.image.rpartition("@")[2]
        parts["runtime"] = {
            "image": digest, "args": list(runtime.args), "flavor": str(runtime.flavor)
        }  # fmt: skip
    return _sha256(parts)[:REVISION_DIGITS]


def _evaluation(evaluation: EvaluationPlan) -> dict[str, Any]:
    return {
        "dataset": evaluation.dataset.digest,
        "metric": str(evaluation.metric),
        "calibrationSamples": evaluation.calibration_samples,
        "goldenSamples": evaluation.golden_samples,
    }


def _limits(limits: ResourceLimits) -> dict[str, Any]:
    return {"cpu": parse_quantity(limits.cpu), "memory": parse_bytes(limits.memory)}


def _sha256(value: dict[str, Any]) -> str:
    """Return the digest of canonical JSON: sorted keys, no spaces, ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
