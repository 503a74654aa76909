"""The web server of /metrics and /healthz: a thread each request, and no connection that stays for long.

Anybody on the pod network may connect. Whoever says nothing, or says it slowly, is dropped: the oldest
connection makes room for a new one, so that the kubelet's probe is always answered.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_CONNECTIONS = 16
SILENCE_SECONDS = 5.0


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection, of at most MOST_CONNECTIONS."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Listen at once."""
        self._open: list[Any] = []
        self._lock = threading.Lock()
        super().__init__(*arguments, **options)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; the oldest connection ends when there are too many."""
        with self._lock:
            self._open.append(request)
            oldest = self._open[0] if len(self._open) > MOST_CONNECTIONS else None
        if oldest is not None:
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._lock, suppress(ValueError):
            self._open.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a caller that leaves."""


class Handler(WSGIRequestHandler):
    """One request each connection, and no patience with a silent one."""

    def log_message(self, *_: Any) -> None:
        """Log no scrape."""


def serve(
    port: int,
    app: Callable[..., Iterable[bytes]],
    host: str = "",
    *,
    silence_seconds: float = SILENCE_SECONDS,
) -> Server:
    """Serve an application from a thread of its own; a HEAD is answered like a GET, without a body."""

    def headless(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            start("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return []
        asked_for_head = environ["REQUEST_METHOD"] == "HEAD"
        body = list(app({**environ, "REQUEST_METHOD": "GET"}, start))
        return [] if asked_for_head else body

    handler = type("Handler", (Handler,), {"timeout": silence_seconds})
    server = make_server(host, port, headless, server_class=Server, handler_class=handler)
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    return server
