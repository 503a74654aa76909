"""Model artifacts and KServe's images that are refused: hostile, too large, or without what is asked for."""

from __future__ import annotations

import gzip
import tarfile
from typing import TYPE_CHECKING

import pytest

from skerry.api.artifact import Role
from skerry.api.reasons import FetchRefusal
from tests.sources.artifacts import (
    FILE_PATH,
    IMAGE_CONFIG,
    KIT,
    PACK,
    Pusher,
    digest_of,
    link,
    packed,
)
from tests.sources.kits import NATIVE, SMALL, WEIGHTS, kit_layers, refused

if TYPE_CHECKING:
    from tests.sources.fetching import Job
    from tests.unit.optimizer.registries import Registry


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([link("model.onnx", "/etc/passwd")], "model.onnx is a link or a device; pack plain files"),
        ([link("model.onnx", "x", tarfile.LNKTYPE)], "is a link or a device"),
        ([link("model.onnx", "", tarfile.CHRTYPE)], "is a link or a device"),
        ([tarfile.TarInfo("../model.onnx")], "'../model.onnx' in a layer reaches outside"),
        ([tarfile.TarInfo("m/../../model.onnx")], "reaches outside of its folder"),
        ([tarfile.TarInfo("/model.onnx")], "reaches outside of its folder"),
    ],
)
def test_a_kit_of_anything_but_plain_files_inside_is_refused(
    job: Job, pusher: Pusher, entries: list[tarfile.TarInfo], words: str
) -> None:
    pusher.kit("1", pusher.blob(packed({}, entries), f"{KIT}.model.v1.tar"))
    assert words in refused(job, job.plan(pusher.uri("1")))


@pytest.mark.parametrize("path", ["../model.onnx", "/etc/cron.d/model.onnx", "a/../../model.onnx"])
def test_a_raw_layer_that_belongs_outside_is_refused(job: Job, pusher: Pusher, path: str) -> None:
    pusher.pack("1", pusher.blob(SMALL, f"{PACK}.weight.v1.raw", path))
    assert "reaches outside of its folder" in refused(job, job.plan(pusher.uri("1")))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            [link("models/model.onnx", "../etc/passwd")],
            "is a link to etc/passwd, which /models does not",
        ),
        ([link("models/model.onnx", "/../../etc/passwd")], "is a link to etc/passwd"),
        ([link("models/model.onnx", "gone.onnx")], "is a link to models/gone.onnx"),
        ([link("models/a", "b"), link("models/b", "a")], "is a link that leads in a circle"),
        ([link("models/v1/self", ".")], "models/v1/self is a link that leads in a circle"),
        ([link("models/model.onnx", "etc/passwd", tarfile.LNKTYPE)], "is a link to etc/passwd"),
        ([link("models/model.onnx", "", tarfile.CHRTYPE)], "is a link or a device"),
        ([tarfile.TarInfo("models/../../x")], "reaches outside of its folder"),
        ([link("models", "/srv")], "has no folder /models"),
        (
            [tarfile.TarInfo("model.onnx")],
            "has no folder /models, where KServe has the model; write oci://",
        ),
    ],
)
def test_an_image_with_links_out_or_without_models_is_refused(
    job: Job, pusher: Pusher, entries: list[tarfile.TarInfo], words: str
) -> None:
    pusher.image("1", packed({"etc/passwd": b"root"}, entries))
    assert words in refused(job, job.plan(pusher.uri("1", NATIVE)))


def test_a_link_and_what_lies_below_it_reach_nothing_outside(job: Job, pusher: Pusher) -> None:
    outside = job.folder / "outside"
    outside.mkdir()
    entries = [link("models/a", str(outside)), tarfile.TarInfo("models/a/written")]
    pusher.image("1", packed({"models/model.onnx": SMALL}, entries))
    plan = job.plan(pusher.uri("1", NATIVE))
    assert job.brought(plan, job.fetches(plan)) == {"model.onnx": SMALL, "a/written": b""}
    assert not list(outside.iterdir())


def test_a_small_layer_that_unpacks_to_a_large_one_is_refused(job: Job, pusher: Pusher) -> None:
    bomb = packed({"models/model.onnx": bytes(3_000_000)})
    pusher.image("1", packed({"models/model.onnx": SMALL}), bomb)
    plan = job.plan(pusher.uri("1", NATIVE), size_limit=1_000_000)
    message = refused(job, plan, FetchRefusal.TOO_LARGE)
    assert "unpacked, is larger than allowed: 1.0 MB may be fetched; raise sizeLimit" in message
    written = [file for file in job.workspace.scratch.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in written) < 2_000_000


def test_links_that_unpack_to_many_copies_are_refused(job: Job, pusher: Pusher) -> None:
    links = [link(f"models/{number}", "model.onnx") for number in range(1000)]
    pusher.image("1", packed({"models/model.onnx": SMALL}, links))
    plan = job.plan(pusher.uri("1", NATIVE), size_limit=1_000_000)
    message = refused(job, plan, FetchRefusal.TOO_LARGE)
    assert "URI, with a copy for each link, has 5.0 MB, and 1.0 MB may be fetched" in message


def test_too_large_is_reported_before_anything_is_fetched(job: Job, pusher: Pusher) -> None:
    pusher.kit("1", *kit_layers(pusher, "tar"))
    plan = job.plan(pusher.uri("1"), size_limit=500_000)
    assert "has 9" in refused(job, plan, FetchRefusal.TOO_LARGE)
    assert not (job.workspace.scratch / "layers").exists()


def test_what_is_in_there_and_what_cures_it(job: Job, pusher: Pusher) -> None:
    def says(tag: str, scheme: str = "oci", **more: object) -> str:
        return refused(job, job.plan(pusher.uri(tag, scheme), **more))

    layers = kit_layers(pusher, "tar")
    pusher.kit("code", layers[0], layers[3])
    assert "ModelKit has no layer with a model (it has: code, dataset)" in says("code")
    pusher.pack("doc", pusher.blob(b"", f"{PACK}.doc.v1.raw"))
    words = (
        "ModelPack artifact has no layer with a data set (it has: doc); pack the data set into it"
    )
    assert words in says("doc", role=Role.DATASET)
    two = packed({"a/a.onnx": SMALL, "b/b.onnx": SMALL})
    pusher.kit("two", pusher.blob(two, f"{KIT}.model.v1.tar"))
    assert "holds a/a.onnx and b/b.onnx: move the one that is meant up, as model.onnx" in says(
        "two"
    )
    other = packed({"m/model.safetensors": SMALL, "m/config.json": b"{}"})
    pusher.kit("other", pusher.blob(other, f"{KIT}.model.v1.tar"))
    assert "(found: m/config.json, m/model.safetensors)" in says("other")
    pusher.kit("zstd", pusher.blob(SMALL, f"{KIT}.model.v1.tar+zstd"))
    assert "compressed with zstd, which is not read; pack it with gzip" in says("zstd")
    pusher.kit("hidden", pusher.blob(b"\x28\xb5\x2f\xfd" + SMALL, f"{KIT}.model.v1.tar"))
    assert "compressed with zstd" in says("hidden")
    pusher.pack("where", pusher.blob(SMALL, f"{PACK}.weight.v1.raw"))
    assert f"does not say its path ({FILE_PATH})" in says("where")
    pusher.kit("noise", pusher.blob(WEIGHTS, f"{KIT}.model.v1.tar"))
    assert "is no archive" in says("noise")
    pusher.kit(
        "torn",
        pusher.blob(
            gzip.compress(packed({"model.onnx": SMALL}))[:-900], f"{KIT}.model.v1.tar+gzip"
        ),
    )
    assert "is no archive" in says("torn")
    assert "is a model artifact, and no image with /models; write oci://" in says("code", NATIVE)


def test_one_of_several_artifacts_is_to_be_named(job: Job, pusher: Pusher) -> None:
    kits = [
        pusher.kit(f"k{n}", pusher.blob(packed({"model.onnx": SMALL[n:]}), f"{KIT}.model.v1.tar"))
        for n in (0, 1)
    ]
    kind = f"{KIT}.manifest.v1+json"
    listed = [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": one,
            "size": 1,
            "artifactType": kind,
        }
        for one in kits
    ]
    pusher.index("two", *listed)
    assert "it lists 2 artifacts; name one by a tag of its own" in refused(
        job, job.plan(pusher.uri("two"))
    )
    pusher.index("one", listed[0])
    plan = job.plan(pusher.uri("one"))
    assert job.brought(plan, job.fetches(plan)) == {"model.onnx": SMALL}


def test_a_layer_that_is_gone_and_one_that_is_damaged(
    job: Job, pusher: Pusher, registry: Registry
) -> None:
    digest = digest_of(gzip.compress(packed({"models/model.onnx": SMALL}), mtime=0))
    layer = pusher.blob(
        gzip.compress(packed({"models/model.onnx": SMALL}), mtime=0),
        "application/vnd.oci.image.layer.v1.tar+gzip",
    )
    pusher.manifest("1", [layer], IMAGE_CONFIG)
    plan = job.plan(pusher.uri("1", NATIVE))
    job.looks(plan)
    (stored,) = registry.storage.rglob(f"blobs/sha256/*/{digest[7:]}/data")
    content = stored.read_bytes()
    stored.write_bytes(content[:-1] + b"!")
    assert "came damaged" in refused(job, plan, FetchRefusal.CHANGED)
