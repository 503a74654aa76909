"""The datagram socket that HAProxy logs every request to, and whose answer each line is.

HAProxy also logs the results of its health checks there.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skerry.judging.guard import Answer
from skerry_agent.clock import Clock
from skerry_agent.gateway.state import model_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""Between two looks at whether the socket is still there."""
RECEIVE_BUFFER_BYTES = 4 << 20
FIELDS = 10
OF_CHECKS = (b"Health check for ", b"Server ")
"""What HAProxy's own words on a server begin with; a request's line begins with its backend."""
SERVERS_FAULT = frozenset("sSPD")
"""First letter of HAProxy's termination state: server timed out (s), reset (S), sent nonsense (P), or
went down meanwhile (D). C and c are clients that left."""
SERVER_ERROR, CLIENT_ERROR = 500, 400
GRPC_FINE = frozenset({"0", "-"})
"""Absent where the call was answered: its code then comes behind the answer, out of the gateway's sight, and
is 0 for a call of one message."""
GRPC_CALLERS_FAULT = frozenset({"1", "3", "5", "6", "7", "9", "10", "11", "12", "16"})
"""gRPC's codes that are not the server's fault. The others are: UNKNOWN, DEADLINE_EXCEEDED,
RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, DATA_LOSS, and any text that is no code, which is UNKNOWN for
gRPC's own clients too."""

LoggedAnswer = tuple[str, str, Answer]
"""Backend (namespace.name), revision, answer."""


def parse(line: str, weights: Mapping[str, Mapping[str, int]]) -> list[LoggedAnswer]:
    """Return the answers in a log line: none, one, or two where a failure was retried.

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
    failed = int(status) >= SERVER_ERROR or ended[0] in SERVERS_FAULT or _is_failure(code)
    found: list[LoggedAnswer] = []
    if retries.startswith("+"):
        others = [r for r, w in weights.get(backend, {}).items() if w > 0 and r != server]
        found += [(backend, other, Answer(first, last, failed=True)) for other in others]
    # a stream's length is no latency, and neither is what a client made wrong
    no_measure = (
        stream != "-"
        or ended[0] in "cC"
        or int(status) >= CLIENT_ERROR
        or code not in GRPC_FINE
        or bool(found)
    )
    if failed or not no_measure:
        found.append((backend, server, Answer(first, last, failed)))
    return found


def _is_failure(code: str) -> bool:
    return code not in GRPC_FINE and code not in GRPC_CALLERS_FAULT


@dataclass
class Requests(asyncio.DatagramProtocol):
    """Records each logged answer, and reports when a health check has another result.

    HAProxy's times are of the wall clock; those that are recorded are of the monotonic one.
    """

    weights: Callable[[], Mapping[str, Mapping[str, int]]]
    record: Callable[[LoggedAnswer], None]
    checked: Callable[[], None]
    clock: Clock = field(default_factory=Clock)
    lines: int = 0
    broken: int = field(default=0)

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Take one line of the log."""
        self.lines += 1
        if data.startswith(OF_CHECKS):
            self.checked()
            return
        try:
            found = parse(data.decode(), self.weights())
        except (ValueError, IndexError):
            self.broken += 1
            return
        for backend, revision, answer in found:
            own = self.clock.own(answer)
            if own is not None:
                self.record((backend, revision, own))


async def listen(path: Path, protocol: Requests) -> asyncio.DatagramTransport:
    """Bind a new socket in place of the last; HAProxy sends to the path, and need not know.

    Raises OSError where the disk refuses.
    """
    _free(path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        server.setblocking(False)  # noqa: FBT003 - the standard library's signature
        server.bind(str(path))
    except OSError:
        server.close()
        raise
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: protocol, sock=server
    )
    return transport


async def keep_listening(path: Path, protocol: Requests) -> None:
    """Listen until cancelled, again when the socket was deleted, or once the disk takes it."""
    refused = ""
    while True:
        try:
            transport = await listen(path, protocol)
        except OSError as error:
            if str(error) != refused:
                log.error("%s can't be listened on, no traffic is judged: %s", path, error)  # noqa: TRY400
            refused = str(error)
            await asyncio.sleep(LOOK_SECONDS)
            continue
        refused = ""
        try:
            await _until_gone(path)
        finally:
            transport.close()


async def _until_gone(path: Path) -> None:
    bound = _inode(path)
    while bound is not None and _inode(path) == bound:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(LOOK_SECONDS)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _free(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
