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
from skerry_agent import metrics
from skerry_agent.clock import Clock
from skerry_agent.gateway.state import model_of
from skerry_agent.protocols import OPEN_INFERENCE, Line, known_protocols

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from skerry_agent.gateway.state import Server

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""Between two looks at whether the socket is still there."""
RECEIVE_BUFFER_BYTES = 4 << 20
OF_CHECKS = (b"Health check for ", b"Server ")
"""What HAProxy's own words on a server begin with; a request's line begins with its backend."""
LoggedAnswer = tuple[str, str, Answer]
"""Backend (namespace.name), revision, answer."""


def parse(line: str, pools: Mapping[str, Mapping[str, Server]]) -> list[LoggedAnswer]:
    """Return the answers in a log line: none, one, or two where a failure was retried.

    `pools` are servers by backend and revision: a retry goes to the other revision that has traffic, and
    what it took there is nobody's latency. What an answer says is a matter of the server's protocol; one that
    this agent does not know is not judged.
    """
    logged = Line.of(line)
    if logged is None:
        return []
    backend = model_of(logged.pool)
    servers = pools.get(backend, {})
    server = servers.get(logged.revision)
    found: list[LoggedAnswer] = []
    if logged.retried:
        others = [r for r, s in servers.items() if s.weight > 0 and r != logged.revision]
        failed = Answer(logged.started, logged.answered, failed=True)
        found += [(backend, other, failed) for other in others]
    protocol = OPEN_INFERENCE if server is None else known_protocols().get(server.protocol)
    if protocol is None:
        return found
    reading = protocol.read(logged)
    if reading.failed or (reading.measured and not found):
        answer = Answer(logged.started, logged.answered, reading.failed)
        found.append((backend, logged.revision, answer))
    return found


@dataclass
class Requests(asyncio.DatagramProtocol):
    """Records each logged answer, and reports when a health check has another result.

    HAProxy's times are of the wall clock; those that are recorded are of the monotonic one.
    """

    pools: Callable[[], Mapping[str, Mapping[str, Server]]]
    record: Callable[[LoggedAnswer], None]
    checked: Callable[[], None]
    clock: Clock = field(default_factory=Clock)

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Take one line of the log."""
        if data.startswith(OF_CHECKS):
            self.checked()
            return
        try:
            found = parse(data.decode(), self.pools())
        except (ValueError, IndexError):
            metrics.FAULTS.labels("log").inc()
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
