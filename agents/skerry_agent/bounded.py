"""HTTP answers that nobody can make too large: read piece by piece up to a limit, within a time, never unpacked.

Whoever answers may be broken or hostile: a server of a revision on trial, something between the device
and the API server. The agent has 192 Mi for everything.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

LIMIT_BYTES = 8 << 20
MOST_PARTS = 100_000
MOST_VALUES = 1_000_000
"""Objects and lists, and values, of one document: parsed, each takes many times its bytes."""
PLAIN = {"Accept-Encoding": "identity"}


class TooLargeError(ValueError):
    """An answer that is not read any further."""


class Fetched(NamedTuple):
    """An answer's head and its whole body."""

    head: httpx.Response
    body: bytes

    @property
    def text(self) -> str:
        """The beginning of the body, for messages."""
        return self.body[:300].decode(errors="replace")


async def fetch(
    client: httpx.AsyncClient, method: str, url: str, *, seconds: float, **request: Any
) -> Fetched:
    """Send a request and return its answer, whatever its status.

    Raises:
        TooLargeError: more than LIMIT_BYTES, or a body that had to be unpacked.
        TimeoutError: not all of it came within `seconds`.
        httpx.HTTPError: no answer.
    """
    request["headers"] = {**request.get("headers", {}), **PLAIN}
    async with asyncio.timeout(seconds), client.stream(method, url, **request) as head:
        body = bytearray()
        async for piece in pieces(head):
            body += piece
            if len(body) > LIMIT_BYTES:
                raise TooLargeError(f"the answer is longer than {LIMIT_BYTES >> 20} MiB")
        return Fetched(head, bytes(body))


async def pieces(head: httpx.Response) -> AsyncIterator[bytes]:
    """Yield a body as it comes; raises TooLargeError when it had to be unpacked."""
    encoding = head.headers.get("Content-Encoding", "identity")
    if encoding.lower() not in {"identity", ""}:
        raise TooLargeError(f"the answer is packed ({encoding[:20]}), which was not asked for")
    async for piece in head.aiter_raw():
        yield piece


async def lines(head: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the lines of an answer that has no end, each of at most LIMIT_BYTES."""
    rest = bytearray()
    async for piece in pieces(head):
        rest += piece
        if b"\n" in piece:
            *whole, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            for line in whole:
                yield line
        if len(rest) > LIMIT_BYTES:
            raise TooLargeError(f"a line is longer than {LIMIT_BYTES >> 20} MiB")


def check_size(body: bytes) -> None:
    """Raise TooLargeError when a JSON document would take too much memory once it is parsed."""
    if body.count(b"[") + body.count(b"{") > MOST_PARTS or body.count(b",") > MOST_VALUES:
        raise TooLargeError("the answer has too many parts")


def parse(body: bytes) -> Any:
    """Return a JSON document; raises ValueError when it is none, or takes too much memory."""
    check_size(body)
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("the answer is nested too deeply") from None
