"""Model artifacts and KServe's images from a real registry: what jobs find mounted, and what is refused."""

from __future__ import annotations

import gzip
import tarfile
from typing import TYPE_CHECKING

import pytest

from skerry.api.artifact import Role
from skerry.api.reasons import FetchRefusal
from skerry_fetcher import transfer
from skerry_fetcher.errors import RefusedError
from tests.sources.artifacts import (
    FILE_PATH,
    IMAGE_CONFIG,
    KIT,
    PACK,
    Described,
    Pusher,
    digest_of,
    link,
    packed,
)
from tests.sources.conftest import DATA, MODEL
from tests.sources.fetching import Job
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

    from skerry.jobs.plans import FetchPlan

SMALL = MODEL[:5000]
WEIGHTS = MODEL[5000:900_000]
MODEL_FILES = {"model.onnx": SMALL, "model.onnx.data": WEIGHTS}
NATIVE = "oci+native"
ALLOWANCE = 700_000


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(transfer, "LONGEST_PAUSE_SECONDS", 0.05)


@pytest.fixture
def job(tmp_path: Path, registry: Registry) -> Job:
    return Job(tmp_path, registry)


@pytest.fixture
def pusher(registry: Registry, tmp_path: Path) -> Pusher:
    name = tmp_path.name.replace("_", "-")[-30:].strip("-")
    return Pusher(registry.address, f"zoo/{name}")


def refused(job: Job, plan: FetchPlan, reason: FetchRefusal = FetchRefusal.WRONG_FORMAT) -> str:
    with pytest.raises(RefusedError) as caught:
        job.fetches(plan)
    assert caught.value.reason is reason
    message = str(caught.value).replace(plan.uri, "URI")
    assert len(message) <= 200
    return message


def kit_layers(pusher: Pusher, form: str) -> list[Described]:
    """Return the layers of a kit with a model in two parts, code and a data set, in this form."""
    model = {"m/": b"", "m/model.onnx": SMALL}
    weights = {"m/": b"", "m/model.onnx.data": WEIGHTS}
    parts = {
        "code": {"train.py": b"import this"}, "model": model, "modelpart": weights,
        "dataset": {"data/eval.npz": DATA}, "docs": {"README.md": b"# Read"},
    }  # fmt: skip
    found = []
    for part, files in parts.items():
        content = packed(files)
        content = gzip.compress(content) if form.endswith("gzip") else content
        found.append(pusher.blob(content, f"{KIT}.{part}.v1.{form}"))
    return found


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
        ([link("models/a", "b"), link("models/b", "a")], "which /models does not have"),
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
