"""Pushes images and model artifacts as other tools make them, byte by byte as their specifications say."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
IMAGE_LAYER = "application/vnd.oci.image.layer.v1.tar"
KIT = "application/vnd.kitops.modelkit"
PACK = "application/vnd.cncf.model"
FILE_PATH = "org.cncf.model.filepath"

Described = dict[str, Any]


class Pusher:
    """One repository of a registry."""

    def __init__(self, address: str, repository: str, auth: tuple[str, str] | None = None) -> None:
        self.address, self.repository = address, repository
        self._auth = auth

    def uri(self, tag: str, scheme: str = "oci") -> str:
        """Return what a spec says."""
        return f"{scheme}://{self.address}/{self.repository}:{tag}"

    def blob(self, content: bytes, media_type: str, path: str | None = None) -> Described:
        """Push a blob; return its descriptor, with the path of its file as an annotation."""
        digest = digest_of(content)
        place = httpx.URL(self._ask("POST", "blobs/uploads/").headers["Location"])
        self._ask("PUT", str(place.copy_merge_params({"digest": digest})), content)
        described: Described = {"mediaType": media_type, "digest": digest, "size": len(content)}
        return {**described, "annotations": {FILE_PATH: path}} if path is not None else described

    def manifest(self, tag: str, layers: Sequence[Described], config: str, **more: Any) -> str:
        """Push a manifest of layers; return its digest."""
        described = self.blob(b"{}", config)
        return self.put(tag, MANIFEST, config=described, layers=list(layers), **more)

    def index(self, tag: str, *manifests: Described, **more: Any) -> str:
        """Push an index; return its digest."""
        return self.put(tag, INDEX, manifests=list(manifests), **more)

    def put(self, tag: str, media_type: str, **content: Any) -> str:
        """Push a manifest or index; return its digest."""
        body = json.dumps({"schemaVersion": 2, "mediaType": media_type, **content}).encode()
        self._ask("PUT", f"manifests/{tag}", body, {"Content-Type": media_type})
        return digest_of(body)

    def _ask(
        self, method: str, path: str, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        base = httpx.URL(f"http://{self.address}/v2/{self.repository}/")
        return httpx.request(
            method,
            base.join(path),
            content=content,
            headers=headers,
            auth=self._auth,
            trust_env=False,
        ).raise_for_status()

    def image(self, tag: str, *layers: bytes) -> str:
        """Push an image of these tar files, packed as buildah packs them; return its digest."""
        found = [self.blob(gzip.compress(layer), f"{IMAGE_LAYER}+gzip") for layer in layers]
        return self.manifest(tag, found, IMAGE_CONFIG)

    def kit(self, tag: str, *layers: Described) -> str:
        """Push a ModelKit, as `kit pack` makes it."""
        kind = f"{KIT}.manifest.v1+json"
        return self.manifest(tag, layers, f"{KIT}.config.v1+json", artifactType=kind)

    def pack(self, tag: str, *layers: Described) -> str:
        """Push a ModelPack artifact, as `modctl build` or `kit pack --use-model-pack` makes it."""
        kind = f"{PACK}.manifest.v1+json"
        return self.manifest(tag, layers, f"{PACK}.config.v1+json", artifactType=kind)


def digest_of(content: bytes) -> str:
    """Return sha256:..."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def packed(files: Mapping[str, bytes], others: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """Return a tar file with these files in this order, and then other entries."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            if name.endswith("/"):
                entry.type = tarfile.DIRTYPE
            archive.addfile(entry, io.BytesIO(content))
        for entry in others:
            archive.addfile(entry)
    return target.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return the entry of a link."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry
