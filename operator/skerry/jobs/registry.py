"""What jobs leave in the registry: the tags that it lies under, and the annotations that say what it is.

The result of finished work is an annotation of the manifest, so that one small request finds it: jobs
write it, the operator reads it before it starts another (docs/adr/0030).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_DIGITS = 32
ANNOTATION_PART = "dev.skerry.part"
ANNOTATION_RESULT = "dev.skerry.result"
ANNOTATION_RECIPE = "dev.skerry.recipe"
ANNOTATION_CONTENT = "dev.skerry.content"
ANNOTATION_BYTES = "dev.skerry.bytes"
PART_EVIDENCE = "evidence"
PART_ASSESSMENT = "assessment"
PART_CANDIDATES = "candidates"


def build_tag(build_key: str) -> str:
    """Return the tag of the candidates that were built for a build key."""
    return f"build-{build_key[:KEY_DIGITS]}"


def evidence_tag(evidence_key: str) -> str:
    """Return the tag of what was measured for an evidence key, with the certified model where one passed."""
    return f"evidence-{evidence_key[:KEY_DIGITS]}"


def assessment_tag(assessment_key: str) -> str:
    """Return the tag of what was read of a source."""
    return f"assessment-{assessment_key[:KEY_DIGITS]}"


def content_tag(role: str, content: str) -> str:
    """Return the tag of fetched files by the digest of their content, sha256:..."""
    return f"{role}-content-{content.removeprefix('sha256:')[:KEY_DIGITS]}"


def version_tag(role: str, version: str) -> str:
    """Return the tag of fetched files by the key of the version that their origin named."""
    return f"{role}-version-{version[:KEY_DIGITS]}"


def part_of(manifest: Mapping[str, Any], part: str) -> Mapping[str, Any] | None:
    """Return the descriptor of the layer that a manifest marks as this part; None where there is none."""
    for layer in manifest.get("layers", ()):
        if layer.get("annotations", {}).get(ANNOTATION_PART) == part:
            found: Mapping[str, Any] = layer
            return found
    return None


def result_of(manifest: Mapping[str, Any]) -> str | None:
    """Return the result as its job wrote it next to one of the layers; None where there is none."""
    annotations = (layer.get("annotations", {}) for layer in manifest.get("layers", ()))
    return next((a[ANNOTATION_RESULT] for a in annotations if ANNOTATION_RESULT in a), None)
