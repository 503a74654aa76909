"""What distinguishes a model artifact from an image: ModelKits of KitOps and ModelPacks of the CNCF are none.

No kubelet can mount them, so a fetch job makes an image of what they hold. Only their names are known
here: a registry's answer may be anything. Sources: https://github.com/modelpack/model-spec and
https://github.com/kitops-ml/kitops (pkg/lib/constants/mediatype).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL_KIT = "application/vnd.kitops.modelkit."
MODEL_PACK = "application/vnd.cncf.model."
KITS = (MODEL_KIT, MODEL_PACK)
"""What the media types of such artifacts begin with."""


def is_kit(manifest: Mapping[str, Any]) -> bool:
    """Return whether a manifest is that of a model artifact, or an index of such."""
    listed = manifest.get("manifests")
    described = [manifest, *(listed if isinstance(listed, list) else ())]
    return any(_names_kit(one) for one in described if isinstance(one, dict))


def _names_kit(described: Mapping[str, Any]) -> bool:
    config = described.get("config")
    kinds = (
        described.get("artifactType"),
        config.get("mediaType") if isinstance(config, dict) else None,
    )
    return any(isinstance(kind, str) and kind.startswith(KITS) for kind in kinds)
