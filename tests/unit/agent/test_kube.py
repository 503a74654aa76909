"""The agent's way to the API server, through what may stand in between."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from skerry_agent.kube import Api, Mirror, pause, retry_after
from skerry_agent.supervise import supervised
from tests.unit.agent.raw_server import answering, json_answer

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/api/v1/pods"
DATE = "Mon, 30 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        (None, None, 0.0),
        ("3", None, 3.0),
        ("1.5", None, 1.5),
        ("3600", None, 60.0),
        ("inf", None, 60.0),
        ("nan", None, 0.0),
        ("-5", None, 0.0),
        ("Mon, 30 Nov 2026 08:00:07 GMT", DATE, 7.0),
        ("Mon, 30 Nov 2026 07:00:00 GMT", DATE, 0.0),
        ("Tue, 01 Dec 2099 00:00:00 GMT", DATE, 60.0),
        ("soon", None, 1.0),
        ("", None, 1.0),
    ],
)
def test_retry_after(header: str | None, date: str | None, seconds: float) -> None:
    assert retry_after(header, date) == seconds


def test_a_date_to_retry_after_is_no_fault() -> None:
    request = httpx.Request("GET", "http://x")
    headers = {"Retry-After": "Mon, 30 Nov 2026 08:00:07 GMT", "Date": DATE}
    error = httpx.HTTPStatusError(
        "", request=request, response=httpx.Response(429, headers=headers)
    )
    assert 7.0 <= pause(error, 0.5) <= 7.5


def page(*items: dict[str, Any], more: str = "") -> bytes:
    metadata = {"resourceVersion": "7", "continue": more}
    return json_answer(json.dumps({"items": items, "metadata": metadata}).encode())


GONE = json.dumps({"type": "ERROR", "object": {"code": 410}}).encode() + b"\n"


WATCHED = (b"", GONE, b"[1]\n", b"no json\n", b'{"type": 5}\n')


async def test_a_watch_that_ends_at_once_is_not_hammered() -> None:
    found = await asyncio.gather(*map(watching, WATCHED))
    assert all(2 <= requests <= 16 for requests in found), found


async def watching(watched: bytes) -> int:
    """Watch for three seconds what ends at once; returns how many requests there were."""

    async def answer(writer: asyncio.StreamWriter, head: str) -> None:
        writer.write(json_answer(watched) if "watch=1" in head else page())
        await writer.drain()

    async with answering(answer) as running:
        mirror = Mirror(Api(running.url), PATH, {}, lambda: None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(mirror.run(), 3)
    assert mirror.synced
    return len(running.requests)


async def test_a_mirror_outlives_a_429_with_a_date() -> None:
    refused = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter, head: str) -> None:
        if not refused.is_set():
            refused.set()
            headers = (f"Retry-After: {DATE}", f"Date: {DATE}")
            writer.write(json_answer(b"{}", *headers, status="429 Too Many Requests"))
        elif "watch=1" in head:
            await asyncio.sleep(30)
        else:
            writer.write(page({"metadata": {"name": "p", "namespace": "n"}}))
        await writer.drain()

    async with answering(answer) as running:
        there = asyncio.Event()
        mirror = Mirror(Api(running.url), PATH, {}, there.set)
        task = asyncio.create_task(mirror.run())
        await asyncio.wait_for(there.wait(), 10)
        task.cancel()
    assert set(mirror.objects) == {"n/p"}


async def test_pages_that_are_too_large_are_asked_for_in_smaller_ones() -> None:
    items = [
        {"metadata": {"name": f"p{n}", "namespace": "n"}, "pad": "x" * 1_000_000} for n in range(12)
    ]

    async def answer(writer: asyncio.StreamWriter, head: str) -> None:
        query = dict(part.split("=") for part in head.split()[1].partition("?")[2].split("&"))
        start = int(query.get("continue") or 0)
        end = start + int(query["limit"])
        writer.write(page(*items[start:end], more=str(end) if end < len(items) else ""))
        await writer.drain()

    async with answering(answer) as running:
        found, _ = await Api(running.url).list(PATH, {})
    assert len(found) == 12


async def test_work_that_ends_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skerry_agent.supervise.FIRST_PAUSE_SECONDS", 0.01)
    runs: list[int] = []
    third = asyncio.Event()

    async def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ZeroDivisionError
        if len(runs) == 3:
            third.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(supervised("test", work))
    await asyncio.wait_for(third.wait(), 10)
    task.cancel()


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Return a self-signed certificate: the authority's file, and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    secret = folder / f"{name}.key"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return file, context


async def test_a_new_certificate_authority_is_trusted_without_a_restart(tmp_path: Path) -> None:
    async def answer(writer: asyncio.StreamWriter, _head: str) -> None:
        writer.write(page())
        await writer.drain()

    old, _ = certificate(tmp_path, "old")
    new, server = certificate(tmp_path, "new")
    ca = tmp_path / "ca.crt"
    ca.write_bytes(old.read_bytes())
    async with answering(answer, server) as running:
        api = Api(f"https://localhost:{running.port}", ca_file=ca)
        with pytest.raises(httpx.ConnectError):
            await api.list(PATH, {})
        ca.write_bytes(b"half a certif")
        with pytest.raises(httpx.ConnectError):
            await api.list(PATH, {})
        ca.write_bytes(new.read_bytes())
        assert await api.list(PATH, {}) == ({}, "7")
