"""What the registry holds of finished work: the names it lies under, and where its result is written.

The result is an annotation of the manifest, so that one small request finds it: jobs write it, the
operator reads it before it starts another (docs/adr/0030).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_DIGITS = 32
ANNOTATION_PART = "dev.skerry.part"
ANNOTATION_RESULT = "dev.skerry.result"
PART_EVIDENCE = "evidence"
PART_ASSESSMENT = "assessment"


def evidence_tag(evidence_key: str) -> str:
    """Tag of what was measured for an evidence key, with the certified model where one passed."""
    return f"evidence-{evidence_key[:KEY_DIGITS]}"


def assessment_tag(assessment_key: str) -> str:
    """Tag of what was read of a source."""
    return f"assessment-{assessment_key[:KEY_DIGITS]}"


def part_of(manifest: Mapping[str, Any], part: str) -> Mapping[str, Any] | None:
    """The descriptor of the layer that a manifest marks as this part; None where there is none."""
    for layer in manifest.get("layers", ()):
        if layer.get("annotations", {}).get(ANNOTATION_PART) == part:
            found: Mapping[str, Any] = layer
            return found
    return None


def result_of(manifest: Mapping[str, Any]) -> str | None:
    """The result as its job wrote it beside one of the layers; None where there is none."""
    annotations = (layer.get("annotations", {}) for layer in manifest.get("layers", ()))
    return next((a[ANNOTATION_RESULT] for a in annotations if ANNOTATION_RESULT in a), None)
