"""Anybody may connect to /healthz and /metrics: nobody keeps the kubelet's probe waiting."""

from __future__ import annotations

import socket
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from skerry_agent import metrics
from tests.waiting import HTTP, free_port, wait_for_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBE_SECONDS, SILENCE_SECONDS = 20.0, 60.0
"""A probe that waited for silence to end a connection would fail."""


@pytest.fixture(scope="module")
def port() -> int:
    return serving(SILENCE_SECONDS)


def serving(silence_seconds: float) -> int:
    """Return the port of a new server."""
    found = free_port()
    metrics.serve(found, silence_seconds)
    wait_for_answer(f"http://127.0.0.1:{found}/healthz")
    return found


@pytest.fixture(autouse=True)
def alive() -> None:
    metrics.note_reconcile()


@pytest.fixture(params=[1, 100])
def idle(request: pytest.FixtureRequest, port: int) -> Iterator[None]:
    """Open connections that say nothing."""
    many = [socket.create_connection(("127.0.0.1", port)) for _ in range(request.param)]
    yield
    for one in many:
        one.close()


@pytest.mark.usefixtures("idle")
@pytest.mark.timeout(60)
def test_idle_connections_do_not_hold_the_probe(port: int) -> None:
    for _ in range(3):
        began = monotonic()
        answer = HTTP.get(f"http://127.0.0.1:{port}/healthz", timeout=PROBE_SECONDS)
        assert answer.text == "ok"
        assert monotonic() - began < PROBE_SECONDS


@pytest.mark.timeout(60)
def test_a_silent_connection_ends() -> None:
    with socket.create_connection(("127.0.0.1", serving(silence_seconds=0.5))) as connection:
        connection.settimeout(20)
        connection.sendall(b"GET /healthz HT")
        assert connection.recv(100) == b""


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_head_has_no_body(port: int, path: str) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while data := connection.recv(65536):
            answer += data
    assert answer.split(b"\r\n")[0].endswith(b"200 OK")
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1


def test_metrics_are_served(port: int) -> None:
    assert "skerry_agent_reconcile_total" in HTTP.get(f"http://127.0.0.1:{port}/metrics").text


def test_other_methods_are_refused(port: int) -> None:
    assert HTTP.post(f"http://127.0.0.1:{port}/healthz").status_code == 405
