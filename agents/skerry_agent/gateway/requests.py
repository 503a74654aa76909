"""Hears of every request on the datagram socket that HAProxy logs to, and says whose answer it was.

HAProxy also tells there what its health checks find.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skerry.decide.guard import Answer
from skerry_agent.gateway.state import model_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

RECEIVE_BUFFER_BYTES = 4 << 20
FIELDS = 10
OF_CHECKS = (b"Health check for ", b"Server ")
"""What HAProxy's own words on a server begin with; a request's line begins with its backend."""
SERVERS_FAULT = frozenset("sSPD")
"""First letter of HAProxy's termination state: server timed out (s), reset (S), sent nonsense (P), or
went down meanwhile (D). C and c are clients that left."""
SERVER_ERROR, CLIENT_ERROR = 500, 400
GRPC_SERVERS_FAULT = frozenset({"2", "4", "8", "13", "14", "15"})
"""gRPC's codes that are the server's fault: UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL,
UNAVAILABLE, DATA_LOSS. The others but 0 are the caller's. Absent where the call was answered: its code
then comes behind the answer, out of the gateway's sight, and is 0 for a call of one message."""
GRPC_FINE = frozenset({"0", "-"})

Heard = tuple[str, str, Answer]
"""Backend (namespace.name), revision, answer."""


def parse(line: str, weights: Mapping[str, Mapping[str, int]]) -> list[Heard]:
    """Whose answers a log line tells of: none, one, or two where a failure was retried.

    `weights` by backend and revision: a retry goes to the other revision that has traffic, and what
    it took there is nobody's latency.
    """
    parts = line.split()
    if len(parts) != FIELDS or parts[1] == "<NOSRV>":
        return []
    name, server, status, ended, retries, started, answered, now, code, stream = parts
    backend = model_of(name)
    first = int(started) / 1e6
    last = int(now if answered == "-" else answered) / 1e6
    failed = int(status) >= SERVER_ERROR or ended[0] in SERVERS_FAULT or code in GRPC_SERVERS_FAULT
    heard: list[Heard] = []
    if retries.startswith("+"):
        others = [r for r, w in weights.get(backend, {}).items() if w > 0 and r != server]
        heard += [(backend, other, Answer(first, last, failed=True)) for other in others]
    # a stream's length is no latency, and neither is what a client made wrong
    no_measure = (
        stream != "-"
        or ended[0] in "cC"
        or int(status) >= CLIENT_ERROR
        or code not in GRPC_FINE
        or bool(heard)
    )
    if failed or not no_measure:
        heard.append((backend, server, Answer(first, last, failed)))
    return heard


@dataclass
class Requests(asyncio.DatagramProtocol):
    """Hands on each answer that is heard of, and tells when a health check found something else."""

    weights: Callable[[], Mapping[str, Mapping[str, int]]]
    heard: Callable[[Heard], None]
    checked: Callable[[], None]
    lines: int = 0
    broken: int = field(default=0)

    def datagram_received(self, data: bytes, _address: object) -> None:
        """One line of log."""
        self.lines += 1
        if data.startswith(OF_CHECKS):
            self.checked()
            return
        try:
            found = parse(data.decode(), self.weights())
        except (ValueError, IndexError):
            self.broken += 1
            return
        for item in found:
            self.heard(item)


async def listen(path: Path, protocol: Requests) -> asyncio.DatagramTransport:
    """Binds the socket anew; HAProxy sends to the path and needs no word of it."""
    _free(path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    server.setblocking(False)  # noqa: FBT003 - the standard library's signature
    server.bind(str(path))
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: protocol, sock=server
    )
    return transport


def _free(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
