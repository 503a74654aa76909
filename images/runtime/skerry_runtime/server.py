"""The HTTP server around the protocol's two forms: waitress, with their errors and a graceful end.

Waitress reads whole requests in one thread, so slow clients hold no worker; why it and not another:
docs/adr/0006-serving-runtime.md.
"""

from __future__ import annotations

import _thread
import json
import logging
import select
import signal
import socket
import threading
import time
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask, Task

from skerry_runtime.service import REASONS, Request
from skerry_runtime.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry_runtime.grpc_wire import Headers, HttpAnswer
    from skerry_runtime.model import Model
    from skerry_runtime.service import Service
    from skerry_runtime.settings import Settings

log = logging.getLogger("skerry_runtime")

# Threads that answer health, metrics and refusals while the queue is full.
SPARE_THREADS = 4
# A request that is being computed when the drain ends gets this long, in seconds.
LAST_REQUESTS_SECONDS = 20.0
CONNECTIONS = 256
# Bytes of a request that are read at once; a body of an image is not to be read in 75 pieces.
RECEIVED_TOGETHER = 65536
HEAD = "HEAD"
# How long a thread waits for the next request of the connection that it answered.
ATTENDED_SECONDS = 0.02


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
        self.write(b"" if request.command == HEAD else body)


class GrpcCalls:
    """The gRPC form, made when the first call comes."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._answer: Callable[[str, bytes], HttpAnswer] | None = None
        self._making = threading.Lock()

    def answer(self, path: str, body: bytes) -> HttpAnswer:
        """Answer a call."""
        return (self._answer or self._made())(path, body)

    def _made(self) -> Callable[[str, bytes], HttpAnswer]:
        from skerry_runtime import grpc_service, grpc_wire  # noqa: PLC0415 - 4 MB, for whoever asks

        with self._making:
            if self._answer is None:
                service = grpc_service.GrpcService(self._model)
                self._answer = partial(grpc_wire.call, service)
        return self._answer


class ProtocolTask(Task):
    """A request in either form of the protocol; not by WSGI, which has no trailers."""

    rest: Service
    calls: GrpcCalls

    def execute(self) -> None:
        """Answer the request, and count it when its caller has the answer."""
        request: Any = self.request
        begun = time.perf_counter()
        body = request.get_body_stream().read()
        method = "GET" if request.command == HEAD else request.command
        is_call = request.headers.get("CONTENT_TYPE", "").startswith("application/grpc")
        if is_call and request.command != HEAD:
            self._answer_call(self.calls.answer(request.path, body), begun)
            return
        asked = Request(method, request.path, request.headers, body)
        answer = self.rest.answer(asked)
        headers = [("Content-Type", answer.content_type), *answer.headers]
        self._send(answer.status, headers, answer.body)
        self._count("rest", answer.counted, begun)

    def _answer_call(self, answer: HttpAnswer, begun: float) -> None:
        if answer.trailers:
            self._chunk(answer)
        else:
            self._send(answer.status, list(answer.headers), answer.body)
        self._count("grpc", answer.counted, begun)

    def _count(self, form: str, status: int | None, begun: float) -> None:
        if status is not None:
            self.rest.model.metrics.count(form, status, time.perf_counter() - begun)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send head and body as one piece: by two, gateway and client would be woken twice.

        A HEAD is answered like a GET, but for the body: its bytes would be taken for the next answer.
        """
        self.status = REASONS[status]
        self.response_headers = headers
        self.content_length = len(body)
        self.wrote_header = True
        request: Any = self.request
        rest = b"" if request.command == HEAD else body
        self.channel.write_soon(self.build_response_header() + rest)

    def _chunk(self, answer: HttpAnswer) -> None:
        """Write a chunked body with trailers on a connection that stays; waitress' own would not."""
        request: Any = self.request
        self.close_on_finish = request.headers.get("CONNECTION", "").lower() == "close"
        head, tail = _around(REASONS[answer.status], answer.headers, answer.trailers)
        self.wrote_header = True
        self.channel.write_soon(b"%b%x\r\n%b\r\n%b" % (head, len(answer.body), answer.body, tail))


@lru_cache(maxsize=8)
def _around(status: str, headers: Headers, trailers: Headers) -> tuple[bytes, bytes]:
    """Return what goes before and after the one chunk; it is nearly always the same."""
    names = ", ".join(name for name, _ in trailers)
    all_headers = (*headers, ("Transfer-Encoding", "chunked"), ("Trailer", names))
    head = f"HTTP/1.1 {status}\r\n{_lines(all_headers)}\r\n"
    return head.encode(), f"0\r\n{_lines(trailers)}\r\n".encode()


def _lines(headers: Headers) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers)


class ProtocolChannel(HTTPChannel):
    """A connection; the thread that answered is for a moment the one that reads it.

    A caller that asks again at once is then heard by a thread that waits for nothing else, where
    waitress' loop would have to wake, to read and to wake another.
    """

    error_task_class = ProtocolErrorTask
    workers: Workers
    attended = False

    def service(self) -> None:
        """Answer what was asked, and what is asked within a moment after it."""
        self.attended = True
        try:
            super().service()
            while self._asked_again():
                super().service()
        finally:
            self.attended = False
            self.server.pull_trigger()

    def readable(self) -> bool:
        """Return whether waitress' loop is to read."""
        return not self.attended and super().readable()

    def _asked_again(self) -> bool:
        end = time.monotonic() + ATTENDED_SECONDS
        while not self.requests:
            left = end - time.monotonic()
            if left <= 0 or not super().readable() or not self.workers.idle:
                return False
            if not self._read(left):
                return False
        return True

    def _read(self, seconds: float) -> bool:
        """Read what comes within that time; errors and ends are left for waitress to find."""
        connection: Any = self.socket  # waitress' types have None in it, for one not yet made
        poll = select.poll()
        try:
            poll.register(connection, select.POLLIN)
            data = connection.recv(RECEIVED_TOGETHER) if poll.poll(seconds * 1000) else b""
        except (OSError, ValueError):  # the latter: closed
            return False
        self.last_activity = time.time()
        return self.received(data)


class AttendingWorkers(Workers):
    """Leaves a connection's next request to the thread that attends to it."""

    def add_task(self, task: Any) -> None:
        """Give a connection on which a request waits to a thread."""
        if not task.attended:
            super().add_task(task)


def channel_class(service: Service, workers: Workers) -> type[HTTPChannel]:
    """Return the class of connections whose answers and errors are the protocol's."""
    forms = {"rest": service, "calls": GrpcCalls(service.model)}
    task = type("Task", (ProtocolTask,), forms)
    return type("Channel", (ProtocolChannel,), {"task_class": task, "workers": workers})


def serve(service: Service, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; returns when all that was in flight is answered."""
    # Any: waitress asks for a class of its own, and uses add_task and shutdown.
    workers: Any = AttendingWorkers(service.model.admission.capacity + SPARE_THREADS)
    server: Any = create_server(_no_wsgi, _dispatcher=workers, **_options(settings))
    server.channel_class = channel_class(service, workers)
    stop = _Stop(service.model, server, settings.drain_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.begin)
    with suppress(KeyboardInterrupt):  # a second signal, while the threads of the first end
        server.run()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _no_wsgi(_environ: dict[str, Any], _start: Callable[..., Any]) -> list[bytes]:
    raise NotImplementedError("requests are ProtocolTask's")


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "sockets": [_listen(settings.port)],
        "ident": "skerry-runtime",
        "connection_limit": CONNECTIONS,
        "recv_bytes": RECEIVED_TOGETHER,
        # Nothing here reads them; taking them off each request costs its caller time.
        "clear_untrusted_proxy_headers": False,
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

    def __init__(self, model: Model, server: Any, seconds: float) -> None:
        self._model = model
        self._server = server
        self._seconds = seconds

    def begin(self, _signal: int, _frame: object) -> None:
        """Turn readiness off and let a thread of its own do the waiting."""
        if self._model.draining:
            return
        self._model.draining = True
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler)
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _drain(self) -> None:
        log.info("shutting down: not ready, still serving for %.0f s", self._seconds)
        # Not synchronization: gateways need this long to see that the pod is not ready.
        time.sleep(self._seconds)
        if not self._model.admission.wait_until_idle(LAST_REQUESTS_SECONDS):
            log.warning("%d requests are cut off", self._model.admission.in_flight)
        _thread.interrupt_main()
        self._server.pull_trigger()
