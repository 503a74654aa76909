"""A line that breaks: each connection ends after so many bytes from the server."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 16384
STOP_SECONDS = 5


@dataclass
class Line:
    """A port of 127.0.0.1 that leads to a server's.

    Attributes:
        target: The server's port.
        allowance: Bytes from the server after which a connection is cut.
        carried: Bytes from the server in all.
        connections: How many there were.
    """

    target: int
    allowance: int
    carried: int = 0
    connections: int = 0
    port: int = field(default=0, init=False)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until it has had its bytes."""
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._there(reader, far_writer), self._back(far_reader, writer))

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.allowance
        with suppress(OSError):
            while left > 0 and (data := await reader.read(min(CHUNK, left))):
                left -= len(data)
                self.carried += len(data)
                writer.write(data)
                await writer.drain()
        writer.close()


@contextmanager
def breaking_line(target: int, allowance: int) -> Iterator[Line]:
    """Lead to a port of 127.0.0.1, a few bytes at a time."""
    line = Line(target, allowance)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = asyncio.start_server(line.accept, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(STOP_SECONDS)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_SECONDS)
