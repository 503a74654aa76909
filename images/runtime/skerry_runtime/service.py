"""The Open Inference Protocol v2 over REST: from a request's path to its answer, without a socket.

The server around it (server.py) is exchangeable.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from skerry.engines.server import GOLDEN_PATH
from skerry_runtime import golden, metrics
from skerry_runtime.tensors import RequestError, encode_outputs, parse_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from skerry.engines import TensorSpec
    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.model import Model
    from skerry_runtime.tensors import InferRequest

JSON = "application/json"
BINARY = "application/octet-stream"
HEADER_LENGTH = "Inference-Header-Content-Length"
REASONS = {
    200: "200 OK",
    400: "400 Bad Request",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    415: "415 Unsupported Media Type",
    500: "500 Internal Server Error",
    503: "503 Service Unavailable",
}


@dataclass(frozen=True)
class Request:
    """An HTTP request that was read whole; `headers` by their names in capitals, `_` for each dash."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """An HTTP answer; `counted` is the status that an inference is counted under."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = field(default=())
    counted: int | None = None


class Service:
    """Answers by the protocol's REST form."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        return self._answer(lambda: self._route(request))

    def _answer(self, answer: Callable[[], Response]) -> Response:
        """Run a handler and turn its errors into the protocol's."""
        try:
            return answer()
        except Exception as error:  # noqa: BLE001 - each becomes an answer, the unexpected ones a 500
            return failure(*self.model.refusal(error))

    def _route(self, request: Request) -> Response:
        method, path = request.method, request.path.strip("/")
        parts = tuple(path.split("/"))
        if parts[:2] == ("v2", "models") and len(parts) > 2:  # noqa: PLR2004 - v2/models/NAME
            return self._model_route(self._within_model(parts[2:]), request)
        routes: dict[str, Callable[[], Response]] = {
            "v2": self._server_metadata,
            "v2/health/live": lambda: success({"live": True}),
            "v2/health/ready": self._readiness,
            "metrics": lambda: Response(200, self.model.metrics.text(), metrics.CONTENT_TYPE),
            GOLDEN_PATH.strip("/"): self._golden,
        }
        if path not in routes:
            raise RequestError(f"there is nothing at /{path}", 404)
        _demand("GET", method, path)
        return routes[path]()

    def _within_model(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """Check model and version, and return what follows them in the path."""
        name, rest = parts[0], parts[1:]
        if rest[:1] != ("versions",):
            self.model.check(name)
            return rest
        self.model.check(name, rest[1] if len(rest) > 1 else "")
        return rest[2:]

    def _model_route(self, action: tuple[str, ...], request: Request) -> Response:
        path = "/".join(action)
        if path == "infer":
            _demand("POST", request.method, path)
            answer = self._answer(lambda: self._infer(request))
            return replace(answer, counted=answer.status)
        _demand("GET", request.method, path)
        if path == "":
            return success(self._model_metadata())
        if path == "ready":
            return self._readiness()
        raise RequestError(
            f"a model has no '{path}' here: metadata, ready and infer are served", 404
        )

    def _readiness(self) -> Response:
        if self.model.draining:
            return failure(503, "the runtime is shutting down")
        return success({"ready": True})

    def _server_metadata(self) -> Response:
        return success(
            {
                "name": "skerry-runtime",
                "version": version("skerry"),
                "extensions": ["binary_tensor_data"],
            }
        )

    def _model_metadata(self) -> dict[str, Any]:
        model = self.model
        return {
            "name": model.name,
            "versions": [model.revision],
            "platform": model.platform,
            "inputs": [_tensor_metadata(spec) for spec in model.session.inputs],
            "outputs": [_tensor_metadata(spec) for spec in model.session.outputs],
            "parameters": model.facts(),
        }

    def _golden(self) -> Response:
        return success(self._replay_set())

    def _replay_set(self) -> dict[str, Any]:
        session = self.model.session
        return golden.replay_set(self.model.artifact, session.inputs, session.outputs)

    def _infer(self, request: Request) -> Response:
        session = self.model.session

        def read() -> InferRequest:
            _demand_plain(request.headers)
            length = _header_length(request.headers)
            return parse_request(request.body, length, session.inputs, session.outputs)

        return self.model.infer(read, self._packed)

    def _packed(self, request: InferRequest, arrays: Arrays) -> Response:
        tensors, parts = encode_outputs(arrays, self.model.session.outputs, request.binary)
        answer: dict[str, Any] = {
            "model_name": self.model.name,
            "model_version": self.model.revision,
            "outputs": tensors,
        }
        if request.id is not None:
            answer["id"] = request.id
        head = json.dumps(answer).encode()
        if not parts:
            return Response(200, head)
        length = ((HEADER_LENGTH, str(len(head))),)
        return Response(200, b"".join([head, *parts]), BINARY, length)


def success(content: dict[str, Any]) -> Response:
    """Return content as JSON."""
    return Response(200, json.dumps(content).encode())


def failure(status: int, message: str) -> Response:
    """Return an error as the protocol says."""
    return Response(status, json.dumps({"error": message}).encode())


def _tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _demand(wanted: str, method: str, path: str) -> None:
    if method != wanted:
        raise RequestError(f"/{path} takes {wanted}, not {method}", 405)


def _demand_plain(headers: Mapping[str, str]) -> None:
    encoding = headers.get("CONTENT_ENCODING", "identity")
    if encoding != "identity":
        raise RequestError(f"Content-Encoding {encoding} is not read here: send it plain", 415)


def _header_length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("INFERENCE_HEADER_CONTENT_LENGTH")
    if text is None:
        return None
    if not text.isdecimal():
        raise RequestError(f"{HEADER_LENGTH} is {text!r}, which is no count of bytes")
    return int(text)
