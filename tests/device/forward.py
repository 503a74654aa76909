"""A way to the API server that can be cut, as a device's link can."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Coroutine

CHUNK = 65536
Done = TypeVar("Done")


class Forward:
    """Forwards a port of 127.0.0.1 to the server of `url`, byte by byte, until it is cut."""

    def __init__(self, url: str) -> None:
        """Listen at once."""
        parts = urlsplit(url)
        self.host, self.target = parts.hostname, parts.port
        self.is_cut = False
        self._pipes: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Close what is open and accept nothing new."""
        self.is_cut = True
        self._do(self._close_all())

    def mend(self) -> None:
        """Forward again."""
        self.is_cut = False

    def close(self) -> None:
        """Close for good."""
        self.cut()
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _do(self, work: Coroutine[Any, Any, Done]) -> Done:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    async def _close_all(self) -> None:
        for pipe in self._pipes:
            pipe.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection(self.host, self.target)
        self._pipes |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._pipes -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
