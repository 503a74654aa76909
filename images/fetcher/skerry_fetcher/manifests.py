"""Which layers of an image or of a model artifact hold what is asked for, by its manifest.

An image's layers lie upon each other, and all are needed. A model artifact (ModelKit, ModelPack) says by
the type of each layer what is in it: `application/vnd.kitops.modelkit.PART.v1.FORM[+COMPRESSION]` or
`application/vnd.cncf.model.PART.v1.FORM[+COMPRESSION]`, where FORM is tar or raw: one file, whose path is an
annotation. Sources: https://github.com/modelpack/model-spec/blob/main/docs/spec.md, .../annotations.md,
https://github.com/kitops-ml/kitops/tree/main/pkg/lib/constants/mediatype and
https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from skerry.api.artifact import Role
from skerry.api.common import Model
from skerry.api.reasons import FetchRefusal
from skerry.artifacts.kits import KITS, MODEL_KIT
from skerry_fetcher.errors import RefusedError
from skerry_fetcher.listing import RemoteLayer

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = {
    Role.SOURCE: frozenset({"model", "modelpart", "weight", "weight.config"}),
    Role.DATASET: frozenset({"dataset"}),
}
"""KitOps' names and the CNCF's of the layers that each role takes."""
WORDS = {Role.SOURCE: "model", Role.DATASET: "data set"}
FILE_PATHS = ("org.cncf.model.filepath", "org.opencontainers.image.title")
"""Annotations that say where the file of a raw layer belongs."""
ZSTD = "zstd"
PREFERRED = ("linux", "amd64")

_LAYER = re.compile(
    f"({'|'.join(map(re.escape, KITS))})(?P<part>[a-z.]+)[.]v1[.](?P<form>tar|raw)([+](?P<packed>[a-z]+))?"
)
_DIGEST = re.compile("sha256:[0-9a-f]{64}")


class _Described(Model):
    """What a manifest says of a layer, or an index of a manifest."""

    digest: str
    size: int
    media_type: str = ""
    annotations: dict[str, str] | None = None
    platform: dict[str, Any] | None = None


_ALL = TypeAdapter(tuple[_Described, ...])


def parsed(content: bytes, where: str) -> dict[str, Any]:
    """Return a manifest or index.

    Raises:
        RefusedError: It is none.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not {"layers", "manifests"} & found.keys():
        raise _wrong(
            where, "its manifest is none of an image or artifact; see what was pushed there"
        )
    return found


def one_of(index: dict[str, Any], where: str) -> str | None:
    """Return the digest of the manifest to read of an index; None when it is no index.

    A model is the same for every platform. BuildKit's attestations are of the platform unknown.

    Raises:
        RefusedError: It lists nothing, or several artifacts and no platform to choose by.
    """
    if "manifests" not in index:
        return None
    listed = [
        one for one in _described(index["manifests"], where) if "unknown" not in _platform(one)
    ]
    preferred = [one for one in listed if _platform(one) == PREFERRED]
    if not listed:
        raise _wrong(where, "it is an index that lists no image; see what was pushed there")
    if len(listed) > 1 and not any(one.platform for one in listed):
        raise _wrong(
            where,
            f"it lists {len(listed)} artifacts; name one by a tag of its own, or pin its digest",
        )
    return (preferred or listed)[0].digest


def image_layers(manifest: dict[str, Any], where: str) -> tuple[RemoteLayer, ...]:
    """Return all layers of an image.

    Raises:
        RefusedError: One is compressed in a way that is not read.
    """
    layers = _described(manifest.get("layers"), where)
    return tuple(_layer(one, "", one.media_type.rpartition("+")[2], where) for one in layers)


def kit_layers(manifest: dict[str, Any], role: Role, where: str) -> tuple[RemoteLayer, ...]:
    """Return the layers of a model artifact that hold the model, or the data set.

    Raises:
        RefusedError: There are none, or one is compressed in a way that is not read, or has no path.
    """
    found, others = [], set()
    for one in _described(manifest.get("layers"), where):
        matched = _LAYER.fullmatch(one.media_type)
        if matched is None or matched["part"] not in PARTS[role]:
            others.add(matched["part"] if matched else one.media_type)
            continue
        path = _path(one, where) if matched["form"] == "raw" else ""
        found.append(_layer(one, path, matched["packed"] or "", where))
    if not found:
        words = WORDS[role]
        holds = ", ".join(sorted(others)[:4]) or "nothing"
        kind = "ModelKit" if MODEL_KIT in str(manifest.get("config")) else "ModelPack artifact"
        raise _wrong(
            where,
            f"the {kind} has no layer with a {words} (it has: {holds}); pack the {words} into it, or name another",
        )
    return tuple(found)


def _layer(one: _Described, path: str, packed: str, where: str) -> RemoteLayer:
    if packed == ZSTD:
        raise _wrong(
            where,
            "a layer is compressed with zstd, which is not read; pack it with gzip, or without",
        )
    hexadecimal = one.digest.partition(":")[2]
    return RemoteLayer(
        name=hexadecimal, size=one.size, validator=one.digest, sha256=hexadecimal, path=path
    )


def _path(one: _Described, where: str) -> str:
    annotations = one.annotations or {}
    path = next((annotations[key] for key in FILE_PATHS if annotations.get(key)), None)
    if path is None:
        raise _wrong(
            where, f"a layer of one file does not say its path ({FILE_PATHS[0]}); pack it again"
        )
    return path


def _described(listed: object, where: str) -> Sequence[_Described]:
    try:
        found = _ALL.validate_python(listed)
    except ValidationError as error:
        raise _wrong(where, "its manifest is damaged; push it again") from error
    if not all(_DIGEST.fullmatch(one.digest) for one in found):
        raise _wrong(where, "its manifest has digests other than sha256; push it again")
    return found


def _platform(one: _Described) -> tuple[Any, Any]:
    platform = one.platform or {}
    return platform.get("os"), platform.get("architecture")


def _wrong(where: str, what: str) -> RefusedError:
    return RefusedError(FetchRefusal.WRONG_FORMAT, f"{where}: {what}")
