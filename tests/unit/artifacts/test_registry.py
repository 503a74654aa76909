"""The operator's registry client: it distinguishes faults that may pass, and no answer can hurt it."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from base64 import b85encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from skerry.artifacts.busy import LONGEST_PAUSE_SECONDS, pause_asked
from skerry.artifacts.registry import Registry, RegistryError, Resolved
from skerry.jobs.registry import PART_EVIDENCE, part_of, result_of
from skerry.jobs.results import COMPRESSED, decode_summary
from tests.unit.artifacts.scripted import DIGEST, FOUND, Answer, Asked, Scripted, scripted
from tests.waiting import TLS, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
BOMB = gzip.compress(bytes(32 * 2**20))
MOST_MEMORY = 20 * 2**20


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as running:
        yield running


@pytest.fixture
async def registry(server: Scripted) -> AsyncIterator[Registry]:
    async with httpx.AsyncClient(trust_env=False, verify=TLS) as http:
        yield Registry(http, server.address)


def uri(server: Scripted) -> str:
    return f"oci://{server.address}/models/intent:3"


async def refusal(registry: Registry, where: str) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        await registry.resolve(where)
    return caught.value


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("60", 60.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("86400", LONGEST_PAUSE_SECONDS),
        ("9" * 5000, LONGEST_PAUSE_SECONDS),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=2), usegmt=True), LONGEST_PAUSE_SECONDS),
        ("Mon, 30 Nov 2026 08:01:00 -0000", 60.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Mon, 99 Nov 99999 08:01:00 GMT", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert pause_asked(header, NOW) == seconds


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_registry_that_is_busy_may_pass_and_says_until_when(
    registry: Registry, server: Scripted, status: int
) -> None:
    server.says(Answer(status, {"Retry-After": "60"}))
    error = await refusal(registry, uri(server))
    assert error.passing
    assert error.retry_after == pytest.approx(60)
    assert f"the registry answered {status}" in str(error)


@pytest.mark.parametrize(
    ("status", "says"), [(404, "no such image"), (401, "credentials"), (403, "credentials")]
)
async def test_what_takes_a_person_does_not_pass(
    registry: Registry, server: Scripted, status: int, says: str
) -> None:
    server.says(Answer(status, {"Retry-After": "60"}))
    error = await refusal(registry, uri(server))
    assert not error.passing
    assert says in str(error)


async def test_a_registry_that_asks_for_a_pause_is_left_alone_for_every_image(
    registry: Registry, server: Scripted
) -> None:
    server.says(Answer(429, {"Retry-After": "60"}))
    await refusal(registry, uri(server))
    other = await refusal(registry, f"oci://{server.address}/other:1")
    assert other.passing
    assert 30 < (other.retry_after or 0) <= 60
    assert "other:1: the registry answered 429" in str(other)
    assert len(server.asked) == 1


KIT = {"config": {"mediaType": "application/vnd.kitops.modelkit.config.v1+json"}}
PACK = {"artifactType": "application/vnd.cncf.model.manifest.v1+json", "config": {}}
PLAIN = {"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}, "layers": []}


@pytest.mark.parametrize(
    "manifest",
    [
        KIT, PACK, {"manifests": [{"digest": DIGEST}, PACK]},
        {"artifactType": "application/vnd.kitops.modelkit.index.v1+json", "manifests": []},
    ],
)  # fmt: skip
async def test_a_model_artifact_is_known_by_its_types(
    registry: Registry, server: Scripted, manifest: Any
) -> None:
    server.says(Answer(headers=FOUND.headers, body=json.dumps(manifest).encode()))
    assert await registry.resolve(uri(server)) == Resolved(DIGEST, is_kit=True)


@pytest.mark.parametrize(
    "manifest",
    [
        PLAIN, {"manifests": [PLAIN]}, {"config": 3, "manifests": 4},
        {"manifests": [7], "artifactType": ["x"]}, [],
    ],
)  # fmt: skip
async def test_all_else_is_taken_for_an_image(
    registry: Registry, server: Scripted, manifest: Any
) -> None:
    server.says(Answer(headers=FOUND.headers, body=json.dumps(manifest).encode()))
    assert await registry.resolve(uri(server)) == Resolved(DIGEST)


async def test_what_is_pinned_is_asked_for_by_its_digest(
    registry: Registry, server: Scripted
) -> None:
    other = {"Docker-Content-Digest": "sha256:" + "b" * 64}
    for headers in (FOUND.headers, other, {}):
        server.says(Answer(headers=headers, body=json.dumps(KIT).encode()))
        found = await registry.resolve(f"{uri(server)}@{DIGEST}")
        assert found == Resolved(DIGEST, is_kit=True), "whatever the registry calls it"
    assert [asked.path for asked in server.asked] == [f"/v2/models/intent/manifests/{DIGEST}"] * 3


async def test_a_registry_that_is_down_may_pass_and_a_host_that_is_not_there_does_not() -> None:
    address = f"127.0.0.1:{free_port()}"
    async with httpx.AsyncClient(trust_env=False, verify=TLS) as http:
        assert (await refusal(Registry(http, address), f"oci://{address}/a:1")).passing
        error = await refusal(Registry(http), "oci://no-such-host.invalid/a:1")
    assert not error.passing
    assert "cannot reach the registry" in str(error)


async def test_a_registry_that_speaks_no_tls_does_not_pass(server: Scripted) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=TLS) as http:
        error = await refusal(Registry(http), uri(server))
    assert not error.passing
    assert "registry.insecure" in str(error)


@pytest.mark.parametrize("reference", ["oci://[::1/a:1", "oci://host:port/a:1", "oci:///a:1"])
async def test_what_is_no_address_is_refused_with_words(registry: Registry, reference: str) -> None:
    assert not (await refusal(registry, reference)).passing


async def peak_of(registry: Registry, where: str) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(RegistryError):
            await registry.find(where)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_manifest_is_read_up_to_a_bound_and_never_unpacked(
    registry: Registry, server: Scripted
) -> None:
    image = f"{server.address}/a:1"
    for answer in (
        Answer(headers={"Content-Encoding": "gzip"}, body=BOMB),
        Answer(body=bytes(32 * 2**20)),
        Answer(body=b"[" * 200_000),
        Answer(body=b"[]"),
        Answer(body=b"\xff"),
    ):
        server.says(answer)
        assert await peak_of(registry, image) < MOST_MEMORY
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


def requiring_token(realm: str, token: Answer) -> Scripted:
    """Return the script of a registry that requires a token from `realm`."""

    def script(asked: Asked) -> Answer:
        if not asked.path.startswith("/v2/"):
            return token
        if "Authorization" in asked.headers:
            return FOUND
        challenge = f'Bearer realm="{realm}",service="x",scope="repository:a:pull",spy="1"'
        return Answer(401, {"WWW-Authenticate": challenge})

    return Scripted(script)


async def test_a_token_is_fetched_and_used(registry: Registry, server: Scripted) -> None:
    body = json.dumps({"token": "T"}).encode()
    server.script = requiring_token(f"http://{server.address}/token", Answer(body=body)).script
    assert (await registry.resolve(uri(server))).digest == DIGEST
    token = server.asked[1]
    assert token.path == "/token?service=x&scope=repository%3Aa%3Apull"
    assert server.asked[2].headers["Authorization"] == "Bearer T"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(headers={"Content-Encoding": "gzip"}, body=BOMB),
        Answer(body=bytes(32 * 2**20)),
        Answer(body=b"[]"),
        Answer(body=b'{"token": {"a": 1}}'),
        Answer(body=b'{"token": "a\\r\\nHost: evil"}'),
        Answer(302, {"Location": "http://127.0.0.1:1/internal"}),
    ],
)
async def test_what_is_no_token_is_refused(
    registry: Registry, server: Scripted, answer: Answer
) -> None:
    server.script = requiring_token(f"http://{server.address}/token", answer).script
    assert await peak_of(registry, f"{server.address}/a:1") < MOST_MEMORY
    assert "Authorization" not in server.asked[-1].headers


async def test_a_busy_token_server_may_pass(registry: Registry, server: Scripted) -> None:
    busy = Answer(429, {"Retry-After": "60"})
    server.script = requiring_token(f"http://{server.address}/token", busy).script
    error = await refusal(registry, uri(server))
    assert error.passing
    assert error.retry_after == pytest.approx(60)


@pytest.mark.parametrize(
    "realm",
    [
        "http://[", "http://h:port/", "ftp://host/token", "token", "",
        "https://10.0.0.1/internal", "https://[fd00::1]/internal", "https://localhost/internal",
        "https://vault.default.svc/internal", "https://vault.default.svc.cluster.local/",
        "https://vault/internal", "https://169.254.169.254/latest", "https://2130706433/",
        "https://metadata.google.internal/",
    ],
)  # fmt: skip
async def test_no_token_is_asked_for_inside_the_cluster(
    registry: Registry, server: Scripted, realm: str
) -> None:
    server.script = requiring_token(realm, Answer()).script
    error = await refusal(registry, uri(server))
    assert not error.passing
    assert "credentials" in str(error) or "sends for a token to" in str(error)


async def test_a_plain_token_server_is_asked_for_the_insecure_registry_alone() -> None:
    """A registry that speaks HTTPS may not send its clients to plain HTTP."""
    with scripted() as other:
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            challenge = f'Bearer realm="http://{other.address}/token"'
            headers = {"WWW-Authenticate": challenge}
            return httpx.Response(401, headers=headers, stream=httpx.ByteStream(b""))

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            await refusal(Registry(http), "oci://reg.example/a:1")
        assert [request.url.host for request in asked] == ["reg.example"]


async def test_a_redirect_is_followed_on_the_same_host_and_to_no_other(
    registry: Registry, server: Scripted
) -> None:
    server.says(Answer(307, {"Location": "/v2/moved/manifests/3"}), FOUND)
    assert (await registry.resolve(uri(server))).digest == DIGEST
    assert server.asked[-1].path == "/v2/moved/manifests/3"
    server.says(Answer(307, {"Location": "/v2/round/manifests/3"}))
    assert not (await refusal(registry, uri(server))).passing
    with scripted() as other:
        server.says(Answer(307, {"Location": f"http://{other.address}/v2/a/manifests/3"}))
        error = await refusal(registry, uri(server))
        assert f"sends to {other.address}" in str(error)
        assert other.asked == []


@pytest.mark.parametrize("layers", [None, {}, [1], [{"annotations": 3}], [{"annotations": {}}]])
def test_a_strange_manifest_has_no_parts(layers: object) -> None:
    assert part_of({"layers": layers}, PART_EVIDENCE) is None
    assert result_of({"layers": layers}) is None
    assert result_of({"layers": [{"annotations": {"dev.skerry.result": 5}}]}) is None


def test_a_summary_is_unpacked_up_to_a_bound() -> None:
    bomb = COMPRESSED + b85encode(zlib.compress(bytes(64 * 2**20), 9)).decode()
    tracemalloc.start()
    with pytest.raises(ValueError, match="longer than"):
        decode_summary(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST_MEMORY
