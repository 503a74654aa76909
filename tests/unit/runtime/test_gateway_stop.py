"""A gateway that stops, as at each reload and upgrade: what still comes on its connections is served.

Frames by hand, as a client may not have seen the good-bye yet when it sends its next call; gRPC's own
client has seen it most of the time.
"""

from __future__ import annotations

import signal
import socket
import struct
from typing import TYPE_CHECKING

from skerry_agent.gateway.state import Server
from skerry_agent.protocols.open_inference import SERVICE
from tests.unit.runtime.gateways import AUTHORITY, gateway_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.runtime.conftest import Served

DATA, HEADERS, RESET, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def call(stream: int) -> bytes:
    """Return an empty message to ServerLive, with each header literal (RFC 7541, 6.2.2)."""
    headers = {
        ":method": "POST", ":scheme": "http", ":path": f"{SERVICE}ServerLive",
        ":authority": AUTHORITY, "content-type": "application/grpc", "te": "trailers",
    }  # fmt: skip
    block = b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in headers.items()
    )
    return frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, bytes(5))


def read_until(connection: socket.socket, kind: int, stream: int) -> bytes:
    """Read to the last frame of that kind and stream; returns the payloads of the stream's frames."""
    payloads = b""
    while True:
        head = receive(connection, 9)
        found, flags, on = struct.unpack(">BBI", head[3:])
        payload = receive(connection, int.from_bytes(head[:3]))
        payloads += payload if on == stream else b""
        assert (found, on) != (RESET, stream)
        if (found, on) == (kind, stream) and (kind == GOAWAY or flags & END_STREAM):
            return payloads


def receive(connection: socket.socket, count: int) -> bytes:
    got = connection.recv(count, socket.MSG_WAITALL)
    assert len(got) == count, "the gateway closed the connection"
    return got


def test_a_call_that_crosses_the_good_bye_is_served(
    start_server: Callable[..., Served], encoder_artifact: Path
) -> None:
    served = start_server(encoder_artifact)
    model = ("demo.encoder", Server("127.0.0.1", 100, served.port))
    with (
        gateway_process(model) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection,
    ):
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0) + call(1))
        read_until(connection, HEADERS, 1)
        running.process.send_signal(signal.SIGUSR1)
        read_until(connection, GOAWAY, 0)
        connection.sendall(call(3))
        answer = read_until(connection, HEADERS, 3)
    assert b"\x0bgrpc-status\x010" in answer, answer
