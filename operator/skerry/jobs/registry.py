"""What jobs leave in the registry: the tags that it lies under, and the annotations that say what it is.

The result of finished work is an annotation of the manifest, so that one small request finds it: jobs
write it, the operator reads it before it starts another (docs/adr/0030).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    found = (
        layer
        for layer, annotations in _layers(manifest)
        if annotations.get(ANNOTATION_PART) == part
    )
    return next(found, None)


def result_of(manifest: Mapping[str, Any]) -> str | None:
    """Return the result as its job wrote it next to one of the layers; None where there is none."""
    results = (annotations.get(ANNOTATION_RESULT) for _, annotations in _layers(manifest))
    return next((result for result in results if isinstance(result, str)), None)


def _layers(manifest: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each layer that has annotations, with them; anybody may have pushed the manifest."""
    layers = manifest.get("layers")
    for layer in layers if isinstance(layers, list) else ():
        annotations = layer.get("annotations") if isinstance(layer, dict) else None
        if isinstance(annotations, dict):
            yield layer, annotations
