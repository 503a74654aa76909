"""The ModelVariant that holds what a build's jobs report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.common import API_VERSION
from skerry.render import parts

if TYPE_CHECKING:
    from skerry.api.modelvariant import ModelVariantSpec
    from skerry.render.parts import Object, Owner


def variant(owner: Owner, name: str, spec: ModelVariantSpec) -> Object:
    """Return the ModelVariant; it is immutable, so it is written once."""
    labeled = parts.labels(owner, hardware_class=spec.hardware_class_name)
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelVariant",
        "metadata": parts.metadata(owner, name, labeled),
        "spec": spec.to_wire(),
    }
