"""gRPC calls over HTTP/1.1: the gateway has taken HTTP/2 apart, trailers go as a chunked body's.

The gateway's port speaks HTTP/2 with the clients and passes each call on as one request. So the
runtime needs no HTTP/2 (grpcio holds 21 MB on each device), and a call that failed here carries an
HTTP status of 500 or 503 too: the gateway tries it again on the other revision as it does a REST
request, and gives the client 200 with gRPC's own status. docs/adr/0022-grpc.md has the figures.

Frames: gRPC's "Length-Prefixed-Message" (a byte that says compressed, four of length, the message).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from skerry_runtime.grpc_service import OK, UNIMPLEMENTED, GrpcAnswer

if TYPE_CHECKING:
    from skerry_runtime.grpc_service import GrpcService

CONTENT_TYPE = "application/grpc"
# Clients refuse more than 8 kB of headers; a message for people is shorter.
MOST_DETAILS = 1024
SERVERS_FAULT = 500
_FRAME = struct.Struct(">BI")
Headers = tuple[tuple[str, str], ...]
_HEADERS: Headers = (("Content-Type", CONTENT_TYPE),)
# What `grpc-message` keeps as it is: printable ASCII but the percent sign.
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


@dataclass(frozen=True)
class HttpAnswer:
    """An answer as HTTP/1.1, whose `trailers` follow the body; `counted` is as in GrpcAnswer."""

    status: int
    body: bytes
    headers: Headers
    trailers: Headers = ()
    counted: int | None = None


def call(service: GrpcService, path: str, body: bytes) -> HttpAnswer:
    """Answer the one call that a request's body holds."""
    answer = _answer(service, path, body)
    status = _status(answer)
    if answer.status == OK:
        framed = _FRAME.pack(0, len(answer.message)) + answer.message
        return HttpAnswer(OK, framed, _HEADERS, status, answer.counted)
    http = answer.status if answer.status in (SERVERS_FAULT, 503) else OK
    return HttpAnswer(http, b"", (*_HEADERS, *status), counted=answer.counted)


def _answer(service: GrpcService, path: str, body: bytes) -> GrpcAnswer:
    if len(body) < _FRAME.size:
        return GrpcAnswer(400, details="the call holds no message")
    compressed, length = _FRAME.unpack_from(body)
    if compressed:
        return GrpcAnswer(
            UNIMPLEMENTED, details="compressed messages are not read here: send them plain"
        )
    if length != len(body) - _FRAME.size:
        return GrpcAnswer(400, details="the call holds more or less than the one message it says")
    return service.answer(path, body[_FRAME.size :])


def _status(answer: GrpcAnswer) -> Headers:
    code = (("grpc-status", str(answer.code)),)
    if not answer.details:
        return code
    return (*code, ("grpc-message", quote(answer.details[:MOST_DETAILS], safe=_PLAIN)))
