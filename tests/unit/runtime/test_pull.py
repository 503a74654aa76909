"""What an init container pulls is what the digest says, or nothing."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import httpx
import pytest

from skerry_runtime import pull as pull_module
from skerry_runtime.pull import Patience, PullError, pull
from tests.unit.artifacts.scripted import Answer, Clock, Scripted, scripted
from tests.unit.optimizer.registries import (
    PASSWORD,
    USER,
    Registry,
    docker_config,
    running_registry,
)
from tests.waiting import free_port

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "skerry/demo/model"


def layer(**files: str) -> bytes:
    """Return an uncompressed layer of text files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("__", "/"))
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def push(registry: Registry, *layers: bytes, login: tuple[str, str] | None = None) -> str:
    """Push an image of these layers; returns its reference by digest."""
    with httpx.Client(base_url=f"http://{registry.address}/v2/{REPOSITORY}", auth=login) as client:
        config = b"{}"
        for blob in (config, *layers):
            place = client.post("/blobs/uploads/").headers["Location"]
            url = httpx.URL(place).copy_merge_params({"digest": digest(blob)})
            client.put(url, content=blob).raise_for_status()
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {**describe(config), "mediaType": "application/vnd.oci.image.config.v1+json"},
            "layers": [describe(blob) for blob in layers],
        }
        content = json.dumps(manifest).encode()
        headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        client.put("/manifests/one", content=content, headers=headers).raise_for_status()
    return f"{registry.address}/{REPOSITORY}@{digest(content)}"


def digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def describe(blob: bytes) -> dict[str, object]:
    media = "application/vnd.oci.image.layer.v1.tar"
    return {"mediaType": media, "digest": digest(blob), "size": len(blob)}


def test_layers_are_unpacked_in_order(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with running_registry(tmp_path) as registry:
        both = layer(model="first", parts__a="a"), layer(model="second")
        pull(push(registry, *both), target, insecure_host=registry.address)
    found = {str(p.relative_to(target)): p.read_text() for p in target.rglob("*") if p.is_file()}
    assert found == {"model": "second", "parts/a": "a"}


def test_a_spoilt_blob_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with running_registry(tmp_path) as registry:
        blob = layer(model="good")
        reference = push(registry, blob)
        kept = next(registry.storage.rglob(f"{digest(blob)[7:]}/data"))
        kept.write_bytes(layer(model="evil"))
        with pytest.raises(PullError, match="not sha256"):
            pull(reference, target, insecure_host=registry.address)
    assert not list(target.iterdir())


def test_what_reaches_outside_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with running_registry(tmp_path) as registry:
        reference = push(registry, layer(**{"..__outside": "x"}))
        with pytest.raises(PullError, match="can't be unpacked"):
            pull(reference, target, insecure_host=registry.address)
    assert not (tmp_path / "outside").exists()


def test_a_layer_that_takes_files_away_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with running_registry(tmp_path) as registry:
        reference = push(registry, layer(model="x"), layer(**{".wh.model": ""}))
        with pytest.raises(PullError, match="build the image in one layer"):
            pull(reference, target, insecure_host=registry.address)


def test_a_login_comes_from_the_mounted_secrets(tmp_path: Path) -> None:
    target, secret = tmp_path / "target", tmp_path / "secrets" / "pull"
    target.mkdir()
    secret.mkdir(parents=True)
    with running_registry(tmp_path, login=True) as registry:
        reference = push(registry, layer(model="private"), login=(USER, PASSWORD))
        with pytest.raises(PullError, match="credentials"):
            pull(reference, target, insecure_host=registry.address)
        docker_config(secret, registry.address)
        pull(reference, target, insecure_host=registry.address, secrets=tmp_path / "secrets")
    assert (target / "model").read_text() == "private"


@pytest.mark.parametrize("reference", ["reg/model:1", "reg/model", "model@sha256:12"])
def test_only_digests_are_pulled(reference: str, tmp_path: Path) -> None:
    with pytest.raises(PullError, match="by digest"):
        pull(reference, tmp_path)


def manifest_of(blob: bytes) -> tuple[bytes, str]:
    """Return a manifest of one layer, and its digest."""
    content = json.dumps({"layers": [describe(blob)]}).encode()
    return content, digest(content)


def limited(server: Scripted, blob: bytes, *busy: Answer) -> str:
    """Return a registry that is busy at first, and the reference of its image."""
    content, name = manifest_of(blob)
    server.says(*busy, Answer(body=content), Answer(body=blob))
    return f"{server.address}/{REPOSITORY}@{name}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock on which no pause takes time."""
    found = Clock()
    monkeypatch.setattr(pull_module, "time", found)
    return found


def test_a_busy_registry_is_asked_until_it_answers_as_it_asks(tmp_path: Path, clock: Clock) -> None:
    with scripted() as server:
        asked = Answer(429, {"Retry-After": "2"})
        reference = limited(server, layer(model="m"), asked, Answer(503))
        pull(reference, tmp_path, insecure_host=server.address)
        assert clock.pauses == [2, 1]
        assert len(server.asked) == 4
    assert (tmp_path / "model").read_text() == "m"


@pytest.mark.parametrize("answer", [Answer(404), Answer(403), Answer(500)])
def test_what_does_not_pass_is_reported_at_once(answer: Answer, tmp_path: Path) -> None:
    with scripted(lambda _: answer) as server:
        reference = limited(server, b"", answer)
        with pytest.raises(PullError, match=f"answers {answer.status}"):
            pull(reference, tmp_path, insecure_host=server.address)
        assert len(server.asked) == 1


@pytest.mark.usefixtures("clock")
def test_the_patience_ends(tmp_path: Path) -> None:
    impatient = Patience(busy=0.2, away=0.2)
    with scripted(lambda _: Answer(503)) as server:
        reference = f"{server.address}/{REPOSITORY}@{digest(b'')}"
        with pytest.raises(PullError, match="answers 503"):
            pull(reference, tmp_path, insecure_host=server.address, patience=impatient)
        assert len(server.asked) == 2
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(PullError, match="refused"):
        pull(
            f"{address}/{REPOSITORY}@{digest(b'')}",
            tmp_path,
            insecure_host=address,
            patience=impatient,
        )


def test_a_large_answer_is_no_token(tmp_path: Path) -> None:
    with scripted() as server:
        challenge = f'Bearer realm="http://{server.address}/token",service="x"'
        server.says(Answer(401, {"WWW-Authenticate": challenge}), Answer(body=b" " * 2**22 + b"{}"))
        with pytest.raises(PullError, match="no token"):
            pull(
                f"{server.address}/{REPOSITORY}@{digest(b'')}",
                tmp_path,
                insecure_host=server.address,
            )
