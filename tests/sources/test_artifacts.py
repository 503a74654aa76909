"""Model artifacts and KServe's images from a real registry: what jobs find mounted."""

from __future__ import annotations

import gzip
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from skerry.api.artifact import Role
from skerry.api.reasons import FetchRefusal
from tests.sources.artifacts import (
    IMAGE_CONFIG,
    KIT,
    PACK,
    Described,
    Pusher,
    link,
    packed,
)
from tests.sources.conftest import DATA, MODEL
from tests.sources.kits import MODEL_FILES, NATIVE, SMALL, WEIGHTS, kit_layers, refused
from tests.sources.line import breaking_line
from tests.unit.optimizer.registries import (
    PASSWORD,
    USER,
    Registry,
    docker_config,
    running_registry,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sources.fetching import Job


ALLOWANCE = 700_000


@pytest.mark.parametrize("form", ["tar", "tar+gzip"])
def test_a_model_kit_gives_its_model_and_its_data_set(job: Job, pusher: Pusher, form: str) -> None:
    digest = pusher.kit("1", *kit_layers(pusher, form))
    plan = job.plan(pusher.uri("1"))
    assert f"in 2 layers, version {digest}" in job.looks(plan)
    report = job.fetches(plan)
    assert job.brought(plan, report) == MODEL_FILES
    assert (report.resolved, report.files, report.reused) == (digest, 2, False)
    assert report.image == f"{plan.registry.address}/{plan.registry.repository}"


def test_its_data_set(job: Job, pusher: Pusher) -> None:
    pusher.kit("1", *kit_layers(pusher, "tar+gzip"))
    plan = job.plan(pusher.uri("1"), role=Role.DATASET)
    assert job.brought(plan, job.fetches(plan)) == {"dataset.npz": DATA}


def test_a_model_pack_of_raw_files(job: Job, pusher: Pusher) -> None:
    def raw(part: str, path: str, content: bytes) -> Described:
        return pusher.blob(content, f"{PACK}.{part}.v1.raw", path)

    pusher.pack(
        "1", raw("doc", "README.md", b"# Read"), raw("weight", "onnx/model.onnx", SMALL),
        raw("weight", "onnx/model.onnx.data", WEIGHTS), raw("weight.config", "config.json", b"{}"),
        raw("dataset", "eval.npz", DATA),
    )  # fmt: skip
    plan = job.plan(pusher.uri("1"))
    assert job.brought(plan, job.fetches(plan)) == MODEL_FILES


@pytest.mark.parametrize("form", ["tar", "tar+gzip"])
def test_a_model_pack_of_archives(job: Job, pusher: Pusher, form: str) -> None:
    content = packed({"intent.onnx": SMALL})
    content = gzip.compress(content) if form.endswith("gzip") else content
    weight = pusher.blob(content, f"{PACK}.weight.v1.{form}", "intent.onnx")
    pusher.pack("1", weight)
    plan = job.plan(pusher.uri("1"))
    assert job.brought(plan, job.fetches(plan)) == {"model.onnx": SMALL}


def test_a_raw_layer_that_kitops_compressed(job: Job, pusher: Pusher) -> None:
    layer = pusher.blob(gzip.compress(SMALL), f"{KIT}.model.v1.raw+gzip", "./deep/intent.onnx")
    pusher.kit("1", layer)
    plan = job.plan(pusher.uri("1"))
    assert job.brought(plan, job.fetches(plan)) == {"model.onnx": SMALL}


def test_a_kit_is_pinned_by_its_manifest_and_needs_no_registry_of_its_own_any_more(
    job: Job, pusher: Pusher
) -> None:
    digest = pusher.kit("1", *kit_layers(pusher, "tar"))
    pusher.kit("1", pusher.blob(packed({"model.onnx": b"other"}), f"{KIT}.model.v1.tar"))
    plan = job.plan(pusher.uri("1"), pin=digest)
    first = job.fetches(plan)
    assert job.brought(plan, first) == MODEL_FILES
    gone = plan.model_copy(update={"uri": "oci://127.0.0.1:1/gone/kit:1"})
    again = job.fetches(gone)
    assert (again.digest, again.reused) == (first.digest, True)


def test_the_same_kit_is_not_fetched_twice(job: Job, pusher: Pusher) -> None:
    layers = kit_layers(pusher, "tar")
    pusher.kit("1", *layers)
    pusher.kit("again", *layers)
    first = job.fetches(job.plan(pusher.uri("1")))
    again = job.fetches(job.plan(pusher.uri("again")))
    assert (again.digest, again.reused) == (first.digest, True)


def test_a_broken_line_costs_what_was_lost_and_no_more(
    job: Job, pusher: Pusher, registry: Registry
) -> None:
    pusher.image("1", packed({"models/model.onnx": MODEL}))
    port = int(registry.address.rpartition(":")[2])
    with breaking_line(port, ALLOWANCE) as line:
        away = Registry(f"127.0.0.1:{line.port}", registry.storage)
        job.registry = away
        plan = job.plan(pusher.uri("1", NATIVE).replace(registry.address, away.address))
        report = job.fetches(plan)
    assert report.bytes == len(MODEL)
    assert line.connections > len(MODEL) / ALLOWANCE
    assert line.carried < 1.3 * len(MODEL), "it began from scratch"


BASE = packed(
    {
        "etc/passwd": b"root",
        "models/": b"",
        "models/old.onnx": b"old",
        "models/v1/model.onnx": b"1",
    },
    [link("bin", "usr/bin"), link("etc/mtab", "/proc/mounts")],
)


def test_the_models_of_a_kserve_image_as_its_layers_lie_upon_each_other(
    job: Job, pusher: Pusher
) -> None:
    upper = packed({"models/.wh.old.onnx": b"", "models/.wh.v1": b"", "models/model.onnx": SMALL})
    more = packed(
        {"models/model.onnx": MODEL[:100], "models/model.onnx.data": WEIGHTS, "x.onnx": b""}
    )
    pusher.image("1", BASE, upper, more)
    plan = job.plan(pusher.uri("1", NATIVE))
    assert job.brought(plan, job.fetches(plan)) == {
        "model.onnx": MODEL[:100], "model.onnx.data": WEIGHTS,
    }  # fmt: skip


@pytest.mark.parametrize(
    "upper",
    [
        {"models/model.onnx": SMALL, "models/.wh..wh..opq": b""},
        {".wh.models": b"", "models/model.onnx": SMALL},
        {".wh..wh..opq": b"", "models/": b"", "models/model.onnx": SMALL},
    ],
)
def test_a_layer_that_takes_all_below_away_keeps_its_own(
    job: Job, pusher: Pusher, upper: dict[str, bytes]
) -> None:
    pusher.image("1", BASE, packed(upper))
    plan = job.plan(pusher.uri("1", NATIVE))
    assert job.brought(plan, job.fetches(plan)) == {"model.onnx": SMALL}


def test_a_file_becomes_a_folder_and_a_folder_a_file(job: Job, pusher: Pusher) -> None:
    lower = packed({"models/model.onnx": SMALL, "models/a": b"file", "models/b/c": b"in a folder"})
    pusher.image("1", lower, packed({"models/a/d": b"in a folder", "models/b": b"file"}))
    plan = job.plan(pusher.uri("1", NATIVE))
    assert job.brought(plan, job.fetches(plan)) == {
        "model.onnx": SMALL, "a/d": b"in a folder", "b": b"file",
    }  # fmt: skip


def test_links_inside_of_models_are_followed(job: Job, pusher: Pusher) -> None:
    files = {"models/blobs/w": SMALL, "models/blobs/d/more": b"more"}
    links = [
        link("models/model.onnx", "snapshots/model"), link("models/snapshots/model", "../blobs/w"),
        link("models/d", "/models/blobs/d"), link("models/same", "models/blobs/w", tarfile.LNKTYPE),
    ]  # fmt: skip
    pusher.image("1", packed(files, links))
    plan = job.plan(pusher.uri("1", NATIVE))
    assert job.brought(plan, job.fetches(plan)) == {
        "model.onnx": SMALL, "snapshots/model": SMALL, "blobs/w": SMALL, "same": SMALL,
        "d/more": b"more", "blobs/d/more": b"more",
    }  # fmt: skip


def test_a_version_of_a_model_and_a_link_to_it_are_one_model(job: Job, pusher: Pusher) -> None:
    files = {"models/v1/model.onnx": SMALL, "models/v1/model.onnx.data": WEIGHTS}
    pusher.image("1", packed(files, [link("models/latest", "v1")]))
    plan = job.plan(pusher.uri("1", NATIVE))
    assert job.brought(plan, job.fetches(plan)) == MODEL_FILES


def test_a_folder_of_links_is_a_model_as_hugging_faces_cache_has_it(
    job: Job, pusher: Pusher
) -> None:
    files = {"models/blobs/m": SMALL, "models/blobs/w": WEIGHTS, "models/refs/main": b"abc"}
    links = [
        link("models/current", "snapshots/abc"),
        link("models/snapshots/abc/model.onnx", "../../blobs/m"),
        link("models/snapshots/abc/model.onnx.data", "../../blobs/w"),
    ]
    pusher.image("1", packed(files, links))
    plan = job.plan(pusher.uri("1", NATIVE))
    assert job.brought(plan, job.fetches(plan)) == MODEL_FILES


def test_an_image_of_several_platforms_and_with_attestations(job: Job, pusher: Pusher) -> None:
    arm = pusher.image("arm", packed({"models/model.onnx": b"arm"}))
    amd = pusher.image("amd", packed({"models/model.onnx": SMALL}))
    about = pusher.image("about", packed({"attestation": b""}))

    def described(digest: str, system: str, machine: str) -> Described:
        platform = {"os": system, "architecture": machine}
        return {"mediaType": IMAGE_CONFIG, "digest": digest, "size": 1, "platform": platform}

    digest = pusher.index(
        "1", described(about, "unknown", "unknown"), described(arm, "linux", "arm64"),
        described(amd, "linux", "amd64"),
    )  # fmt: skip
    plan = job.plan(pusher.uri("1", NATIVE), pin=digest)
    report = job.fetches(plan)
    assert job.brought(plan, report) == {"model.onnx": SMALL}
    assert report.resolved == digest


def test_an_image_with_its_files_in_the_root_stays_where_it_is(job: Job, pusher: Pusher) -> None:
    digest = pusher.image("1", packed({"model.onnx": SMALL}))
    for pin in (None, digest):
        report = job.fetches(job.plan(pusher.uri("1"), pin=pin))
        assert (report.digest, report.image) == (digest, None)


def test_a_private_kit_is_read_with_the_secret_and_only_so(job: Job, tmp_path: Path) -> None:
    (tmp_path / "login").mkdir()
    with running_registry(tmp_path / "login", login=True) as private:
        pusher = Pusher(private.address, "zoo/private", (USER, PASSWORD))
        pusher.kit("1", *kit_layers(pusher, "tar"))
        pusher.image("car", packed({"models/model.onnx": SMALL}))
        config = docker_config(tmp_path, private.address)
        job.registry = private
        access = private.access("skerry/test/private", config)
        for uri in (pusher.uri("1"), pusher.uri("car", NATIVE)):
            open_plan = job.plan(uri).model_copy(update={"registry": access})
            assert "name a Secret" in refused(job, open_plan, FetchRefusal.DENIED)
        job.secret = {".dockerconfigjson": config.read_text()}
        for uri in (pusher.uri("1"), pusher.uri("car", NATIVE)):
            plan = job.plan(uri).model_copy(update={"registry": access})
            assert job.brought(plan, job.fetches(plan))["model.onnx"] == SMALL


BUILD = """
set -e
buildah() { command buildah --storage-driver vfs --root "$PWD/storage" --runroot "$PWD/run" "$@"; }
base=$(buildah from scratch)
buildah copy -q "$base" lower /models
buildah commit -q "$base" base
car=$(buildah from base)
root=$(buildah mount "$car")
rm "$root/models/old.onnx"
mkdir "$root/models/1"
mv "$root/models/net.onnx" "$root/models/1"
ln -s 1/net.onnx "$root/models/model.onnx"
ln "$root/models/1/net.onnx" "$root/models/same.onnx"
buildah commit -q --format "$1" "$car" car
buildah push -q --tls-verify=false car "docker://$2"
"""


@pytest.mark.parametrize("form", ["oci", "docker"])
def test_an_image_that_buildah_made(job: Job, pusher: Pusher, tmp_path: Path, form: str) -> None:
    (tmp_path / "lower").mkdir()
    for name in ("old.onnx", "net.onnx"):
        (tmp_path / "lower" / name).write_bytes(SMALL)
    target = f"{pusher.address}/{pusher.repository}:1"
    subprocess.run(["bash", "-c", BUILD, "build", form, target], cwd=tmp_path, check=True)
    plan = job.plan(pusher.uri("1", NATIVE))
    names = ("1/net.onnx", "model.onnx", "same.onnx")
    assert job.brought(plan, job.fetches(plan)) == dict.fromkeys(names, SMALL)
