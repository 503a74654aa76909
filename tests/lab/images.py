"""Makes images of one static program each, and pushes them to the lab's registry.

Nodes need two before any other pod can run (pause and CoreDNS); an image of a single file needs no
build tool: a layer, a configuration and a manifest, uncompressed as they stay on this machine.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import httpx

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"

USER = "65532:65532"
"""Containers of these images run without privileges."""


def push_program(registry: str, image: str, program: Path) -> None:
    """Push an image whose only file, and entry point, is a static program.

    Args:
        registry: HOST:PORT, by plain HTTP.
        image: REPOSITORY:TAG.
        program: The file; its name is its path in the image.

    Raises:
        httpx.HTTPError: The registry refused, or could not be reached.
    """
    repository, _, tag = image.rpartition(":")
    layer = _layer(program)
    config = json.dumps(_config(program.name, _digest(layer))).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(CONFIG_TYPE, config),
            "layers": [_descriptor(LAYER_TYPE, layer)],
        }
    ).encode()
    url = f"http://{registry}/v2/{repository}"
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for blob in (layer, config):
            _push_blob(client, blob)
        headers = {"Content-Type": MANIFEST_TYPE}
        client.put(f"/manifests/{tag}", content=manifest, headers=headers).raise_for_status()


def _layer(program: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        entry = tarfile.TarInfo(program.name)
        entry.size = program.stat().st_size
        entry.mode = 0o755
        with program.open("rb") as file:
            archive.addfile(entry, file)
    return content.getvalue()


def _config(name: str, layer: str) -> dict[str, Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [f"/{name}"], "User": USER},
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    }


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _push_blob(client: httpx.Client, content: bytes) -> None:
    upload = client.post("/blobs/uploads/").raise_for_status().headers["Location"]
    digest = {"digest": _digest(content)}
    client.put(httpx.URL(upload).copy_merge_params(digest), content=content).raise_for_status()
