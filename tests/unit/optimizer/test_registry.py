"""Images of plain files: reproducible, and moved by a real registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from skerry.artifacts.images import (
    Image,
    RegistryClient,
    RegistryError,
    RemoteLayer,
    pack_files,
    pack_folder,
    unpack,
)
from skerry.jobs.plans import RegistryAccess
from tests.unit.artifacts.scripted import stopped_clock
from tests.unit.optimizer.registries import Registry, docker_config, running_registry
from tests.waiting import free_port

ROOT = Path(__file__).parents[3]


def folder_with(path: Path, **files: str) -> Path:
    for name, content in files.items():
        file = path / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return path


def test_equal_files_have_equal_digests_whatever_their_times_owners_and_order(
    tmp_path: Path,
) -> None:
    first = folder_with(tmp_path / "a", one="1", deep__two="2")
    second = folder_with(tmp_path / "b", deep__two="2", one="1")
    os.utime(second / "one", (1, 1))
    (second / "one").chmod(0o600)
    layers = [pack_folder(folder, tmp_path / f"{folder.name}.tar") for folder in (first, second)]
    assert layers[0].digest == layers[1].digest
    assert Image((layers[0],)).digest == Image((layers[1],)).digest


def test_another_byte_or_name_gives_another_digest(tmp_path: Path) -> None:
    base = pack_folder(folder_with(tmp_path / "a", one="1"), tmp_path / "a.tar")
    changed = pack_folder(folder_with(tmp_path / "b", one="2"), tmp_path / "b.tar")
    renamed = pack_folder(folder_with(tmp_path / "c", two="1"), tmp_path / "c.tar")
    assert len({base.digest, changed.digest, renamed.digest}) == 3


def test_a_known_file_has_a_digest_that_never_changes(tmp_path: Path) -> None:
    file = folder_with(tmp_path, note="skerry")
    layer = pack_files({"note": file / "note"}, tmp_path / "layer.tar")
    assert layer.digest == "sha256:f9786ee3f20d5c9cdd6565ebbddd8b5a331d841131305bc657eb938b286a52df"


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing to pack"):
        pack_folder(tmp_path / "missing", tmp_path / "layer.tar")


def link() -> tarfile.TarInfo:
    entry = tarfile.TarInfo("model.onnx")
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return entry


@pytest.mark.parametrize(
    "entry", [tarfile.TarInfo("../outside"), tarfile.TarInfo("/outside"), link()]
)
def test_a_layer_that_reaches_outside_its_folder_is_refused(
    tmp_path: Path, entry: tarfile.TarInfo
) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        archive.addfile(entry)
    with pytest.raises(tarfile.TarError, match="not a plain file"):
        unpack(tmp_path / "bad.tar", tmp_path / "here")
    assert not list((tmp_path / "here").iterdir())


def test_what_is_pushed_comes_back_by_tag_and_by_digest(registry: Registry, tmp_path: Path) -> None:
    client = RegistryClient(registry.access("skerry/ns/there-and-back"))
    folder = folder_with(tmp_path / "in", model="weights", deep__note="text")
    image = Image((pack_folder(folder, tmp_path / "l.tar", {"part": "model"}),), {"kind": "test"})
    digest = client.push(image, "v1")
    by_tag, by_digest = client.find("v1"), client.find(digest)
    assert by_tag == by_digest
    assert by_tag is not None
    assert (by_tag.digest, dict(by_tag.annotations)) == (digest, {"kind": "test"})
    client.pull(by_tag.annotated("part")["model"], tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "note").read_text() == "text"


def test_an_image_without_a_tag_is_found_by_its_digest(registry: Registry, tmp_path: Path) -> None:
    client = RegistryClient(registry.access("skerry/ns/untagged"))
    image = Image((pack_folder(folder_with(tmp_path / "in", a="1"), tmp_path / "l.tar"),))
    assert client.find(client.push(image)) is not None
    assert client.find("v1") is None


def test_other_tools_take_it_for_an_image(registry: Registry, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "in", a="1")
    target = f"{registry.address}/examples/a:1"
    pushed = subprocess.run(
        [sys.executable, ROOT / "examples/push.py", "--insecure", folder, target],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    inspected = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", f"docker://{target}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    described = json.loads(inspected.stdout)
    assert described["Digest"] == pushed.stdout.strip()
    assert described["Os"] == "linux"


def test_push_says_what_a_target_looks_like(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples/push.py", tmp_path, "repo:tag"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "HOST[:PORT]/REPOSITORY:TAG" in done.stderr


def test_a_damaged_layer_is_noticed(registry: Registry, tmp_path: Path) -> None:
    client = RegistryClient(registry.access("skerry/ns/damaged"))
    layer = pack_folder(folder_with(tmp_path / "in", a="damaged"), tmp_path / "l.tar")
    client.push(Image((layer,)), "v1")
    blob = next(registry.storage.rglob(f"{layer.digest.removeprefix('sha256:')}/data"))
    blob.write_bytes(b"x" * layer.size)
    with pytest.raises(RegistryError, match="damaged"):
        client.pull(RemoteLayer(layer.digest, layer.size, {}), tmp_path / "out")


def test_an_unreachable_registry_is_reported_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_clock(monkeypatch)
    address = f"127.0.0.1:{free_port()}"
    access = RegistryAccess(address=address, repository="a/b", insecure=True)
    with pytest.raises(
        RegistryError, match=rf"{address}/a/b: it can't be reached .*registry\.address"
    ):
        RegistryClient(access).find("v1")
    layer = pack_folder(folder_with(tmp_path / "in", a="1"), tmp_path / "l.tar")
    with pytest.raises(RegistryError, match="can't be reached"):
        RegistryClient(access).push(Image((layer,)), "v1")


def test_a_registry_that_can_not_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "storage").write_text("a file where the registry's folder should be")
    layer = pack_folder(folder_with(tmp_path / "in", a="1"), tmp_path / "l.tar")
    with (
        running_registry(tmp_path) as full,
        pytest.raises(RegistryError, match=r"HTTP 5.*is its disk full\?"),
    ):
        RegistryClient(full.access()).push(Image((layer,)), "v1")


def test_credentials_are_used_and_their_absence_is_explained(tmp_path: Path) -> None:
    layer = pack_folder(folder_with(tmp_path / "in", a="1"), tmp_path / "l.tar")
    with running_registry(tmp_path, login=True) as private:
        with pytest.raises(RegistryError, match=r"registry\.pushSecret"):
            RegistryClient(private.access()).push(Image((layer,)), "v1")
        wrong = docker_config(tmp_path, private.address, "wrong")
        with pytest.raises(RegistryError, match=r"registry\.pushSecret"):
            RegistryClient(private.access(config=wrong)).push(Image((layer,)), "v1")
        right = docker_config(tmp_path, private.address)
        client = RegistryClient(private.access(config=right))
        assert client.find(client.push(Image((layer,)), "v1")) is not None


def test_unreadable_credentials_are_explained(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RegistryError, match="dockerconfigjson"):
        RegistryClient(registry.access(config=tmp_path / "config.json"))
