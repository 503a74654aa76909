"""The HTTP server around the service: waitress, with the protocol's errors and a graceful end.

Waitress reads whole requests in one thread, so slow clients hold no worker; why it and not another:
docs/adr/0006-serving-runtime.md.
"""

from __future__ import annotations

import _thread
import json
import logging
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

if TYPE_CHECKING:
    from skerry_runtime.service import Service
    from skerry_runtime.settings import Settings

log = logging.getLogger("skerry_runtime")

# Threads that answer health, metrics and refusals while the queue is full.
SPARE_THREADS = 4
# A request that is being computed when the drain ends gets this long, in seconds.
LAST_REQUESTS_SECONDS = 20.0
CONNECTIONS = 256


class ProtocolErrorTask(ErrorTask):
    """Answers what waitress itself refuses (broken HTTP, bodies too large) as the protocol says."""

    def execute(self) -> None:
        """Write the error as JSON and close the connection."""
        request: Any = self.request  # waitress' types know the request only before it was read
        error = request.error
        body = json.dumps({"error": f"{error.reason}: {error.body}"}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", "application/json")]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class ProtocolChannel(HTTPChannel):
    """A connection whose errors are the protocol's."""

    error_task_class = ProtocolErrorTask


def serve(service: Service, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; returns when all that was in flight is answered."""
    server: Any = create_server(service, **_options(service, settings))
    server.channel_class = ProtocolChannel
    stop = _Stop(service, server, settings.drain_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.begin)
    server.run()


def _options(service: Service, settings: Settings) -> dict[str, Any]:
    return {
        "sockets": [_listen(settings.port)],
        "ident": "skerry-runtime",
        "threads": service.admission.capacity + SPARE_THREADS,
        "connection_limit": CONNECTIONS,
        # Waitress refuses a body that reaches its limit, and spills to disk what is over these
        # two; the root file system is read-only.
        "max_request_body_size": settings.max_body_bytes + 1,
        "inbuf_overflow": 2 * settings.max_body_bytes,
        "outbuf_overflow": 2**31,
        # The queue is bounded by the service, which answers 503; no warning for each request.
        "asyncore_use_poll": True,
    }


def _listen(port: int) -> socket.socket:
    """Listen on all addresses of both families, or of IPv4 where the kernel has no IPv6."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


class _Stop:
    """The graceful end: not ready at once, still serving for a while, then done."""

    def __init__(self, service: Service, server: Any, seconds: float) -> None:
        self._service = service
        self._server = server
        self._seconds = seconds

    def begin(self, _signal: int, _frame: object) -> None:
        """Turn readiness off and let a thread of its own do the waiting."""
        if self._service.draining:
            return
        self._service.draining = True
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler)
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _drain(self) -> None:
        log.info("shutting down: not ready, still serving for %.0f s", self._seconds)
        # Not synchronisation: gateways need this long to see that the pod is not ready.
        time.sleep(self._seconds)
        if not self._service.admission.wait_until_idle(LAST_REQUESTS_SECONDS):
            log.warning("%d requests are cut off", self._service.admission.in_flight)
        _thread.interrupt_main()
        self._server.pull_trigger()
