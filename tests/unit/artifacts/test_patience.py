"""What moves images in jobs waits for a busy registry, as it asks, and hands its credentials to nobody else."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from skerry.artifacts.images import Image, RegistryClient, RegistryError, pack_files
from skerry.artifacts.images.patience import Patience
from skerry.jobs.plans import RegistryAccess
from tests.unit.artifacts.scripted import Answer, Asked, Clock, Scripted, scripted, stopped_clock
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = Patience(busy=30, away=30)
GONE = Answer(404)
DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as running:
        yield running


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock on which no pause takes time."""
    return stopped_clock(monkeypatch)


def access(server: Scripted, folder: Path | None = None) -> RegistryAccess:
    """Return access to a repository, with a login when there is a folder to write it to."""
    config = None
    if folder is not None:
        login = base64.b64encode(b"robot:secret").decode()
        config = folder / "config.json"
        config.write_text(json.dumps({"auths": {server.address: {"auth": login}}}))
    return RegistryAccess(
        address=server.address,
        repository="a/b",
        insecure=True,
        docker_config=str(config) if config else None,
    )


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_busy_registry_is_asked_until_it_answers(server: Scripted, status: int) -> None:
    server.says(*[Answer(status)] * 2, GONE)
    assert RegistryClient(access(server), patience=LONG).find("v1") is None
    assert len(server.asked) == 3


def test_the_pause_is_the_one_that_the_registry_asks_for(server: Scripted, clock: Clock) -> None:
    server.says(Answer(429, {"Retry-After": "2"}), GONE)
    assert RegistryClient(access(server), patience=LONG).find("v1") is None
    assert clock.pauses == [2]


def test_a_pause_beyond_the_patience_is_not_made(server: Scripted) -> None:
    server.says(Answer(429, {"Retry-After": "120"}))
    with pytest.raises(RegistryError, match="HTTP 429") as caught:
        RegistryClient(access(server)).find("v1")
    assert caught.value.status == 429
    assert len(server.asked) == 1


def test_the_patience_ends(server: Scripted) -> None:
    server.says(Answer(503))
    client = RegistryClient(access(server), patience=Patience(busy=0.4, away=0.4))
    for _ in range(2):  # each request has its own
        before = len(server.asked)
        with pytest.raises(RegistryError, match="HTTP 503"):
            client.find("v1")
        assert len(server.asked) - before >= 2


def test_a_registry_that_is_away_is_waited_for_too(clock: Clock) -> None:
    address = f"127.0.0.1:{free_port()}"
    plan = RegistryAccess(address=address, repository="a/b", insecure=True)
    with pytest.raises(RegistryError, match="can't be reached"):
        RegistryClient(plan, patience=Patience(busy=0.0, away=0.4)).find("v1")
    assert clock.now >= 0.4


def test_a_layer_is_sent_again_from_its_beginning(server: Scripted, tmp_path: Path) -> None:
    """The file that was sent when the registry said: later, is sent whole."""
    (tmp_path / "model").write_bytes(b"m" * 1000)
    layer = pack_files({"model": tmp_path / "model"}, tmp_path / "layer.tar")
    seen: list[int] = []

    def script(asked: Asked) -> Answer:
        if asked.method == "HEAD":
            return GONE
        if asked.method == "POST":
            return Answer(202, {"Location": f"http://{server.address}/upload"})
        if asked.path.startswith("/upload"):
            seen.append(int(asked.headers["Content-Length"]))
            return Answer(503 if len(seen) == 1 else 201)
        return Answer(201)

    server.script = script
    RegistryClient(access(server), patience=LONG).push(Image((layer,)), "v1")
    assert seen[0] == seen[1]
    assert layer.size in seen


def test_credentials_do_not_follow_an_upload_to_another_host(
    server: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "model").write_bytes(b"m")
    layer = pack_files({"model": tmp_path / "model"}, tmp_path / "layer.tar")
    with scripted(lambda _: Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})) as other:

        def script(asked: Asked) -> Answer:
            if asked.headers.get("Authorization", "").startswith("Basic "):
                return Answer(202, {"Location": f"http://{other.address}/upload"})
            return Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})

        server.script = script
        with pytest.raises(RegistryError, match="HTTP 401"):
            RegistryClient(access(server, tmp_path)).push(Image((layer,)), "v1")
        assert other.asked
        assert all("Authorization" not in asked.headers for asked in other.asked)


def test_a_login_is_not_sent_to_a_plain_server_of_tokens(server: Scripted, tmp_path: Path) -> None:
    with scripted() as tokens:
        challenge = f'Bearer realm="http://{tokens.address}/token",service="x"'
        server.says(Answer(401, {"WWW-Authenticate": challenge}))
        client = RegistryClient(access(server, tmp_path))
        client._transport._insecure = False
        with pytest.raises(RegistryError, match="sends for a token"):
            client.find("v1")
        assert tokens.asked == []
