"""What the registry holds of finished work: the names it lies under, and where its result is written.

The result is an annotation of the manifest, so that one small request finds it: jobs write it, the
operator reads it before it starts another (docs/adr/0030).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    found = (layer for layer, told in _layers(manifest) if told.get(ANNOTATION_PART) == part)
    return next(found, None)


def result_of(manifest: Mapping[str, Any]) -> str | None:
    """The result as its job wrote it beside one of the layers; None where there is none."""
    results = (told.get(ANNOTATION_RESULT) for _, told in _layers(manifest))
    return next((result for result in results if isinstance(result, str)), None)


def _layers(manifest: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each layer that has annotations, with them; anybody may have pushed the manifest."""
    layers = manifest.get("layers")
    for layer in layers if isinstance(layers, list) else ():
        told = layer.get("annotations") if isinstance(layer, dict) else None
        if isinstance(told, dict):
            yield layer, told
