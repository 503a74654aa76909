"""The manifest and the configuration around layers, as OCI's image specification has them.

https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry_optimizer.registry.layers import Layer

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"

ARCHITECTURE = "amd64"
"""Required by the specification, and one for all: plain files fit any machine, and container
runtimes match the platform only where an index offers a choice. So digests don't depend on where
something was packed."""


@dataclass(frozen=True)
class Image:
    """An image to push: its layers, in order, and annotations of its manifest."""

    layers: tuple[Layer, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> bytes:
        """The image configuration, without which no container runtime unpacks an image."""
        return _encoded(
            {
                "architecture": ARCHITECTURE,
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]},
            }
        )

    @property
    def manifest(self) -> bytes:
        """The manifest; its digest is the image's."""
        described: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {
                "mediaType": CONFIG_TYPE,
                "digest": digest_of_bytes(self.config),
                "size": len(self.config),
            },
            "layers": [_described(layer) for layer in self.layers],
        }
        if self.annotations:
            described["annotations"] = dict(self.annotations)
        return _encoded(described)

    @property
    def digest(self) -> str:
        """sha256:... of the manifest."""
        return digest_of_bytes(self.manifest)


@dataclass(frozen=True)
class RemoteLayer:
    """A layer that lies in a registry."""

    digest: str
    size: int
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class RemoteImage:
    """An image that lies in a registry."""

    digest: str
    layers: tuple[RemoteLayer, ...]
    annotations: Mapping[str, str]

    @classmethod
    def parse(cls, manifest: bytes) -> RemoteImage:
        """Read a manifest.

        Raises:
            ValueError: It is none.
        """
        described = json.loads(manifest)
        try:
            layers = tuple(
                RemoteLayer(layer["digest"], layer["size"], layer.get("annotations") or {})
                for layer in described["layers"]
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an image manifest: {error!r} is missing") from error
        return cls(digest_of_bytes(manifest), layers, described.get("annotations") or {})

    def annotated(self, key: str) -> dict[str, RemoteLayer]:
        """Return the layers that carry the annotation `key`, by its value."""
        return {layer.annotations[key]: layer for layer in self.layers if key in layer.annotations}


def digest_of_bytes(content: bytes) -> str:
    """Return sha256:... of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _described(layer: Layer) -> dict[str, Any]:
    described: dict[str, Any] = {
        "mediaType": LAYER_TYPE,
        "digest": layer.digest,
        "size": layer.size,
    }
    if layer.annotations:
        described["annotations"] = dict(layer.annotations)
    return described


def _encoded(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
