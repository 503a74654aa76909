"""The Open Inference Protocol v2 over REST: from a request's path to its answer, without a socket.

`Service` is a plain WSGI application; the server around it (server.py) is exchangeable.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from skerry_runtime import golden, metrics
from skerry_runtime.admission import Admission, Busy
from skerry_runtime.engine import engine_named
from skerry_runtime.errors import InputError
from skerry_runtime.tensors import RequestError, encode_outputs, parse_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from skerry_runtime.artifact import Artifact
    from skerry_runtime.datatypes import TensorSpec
    from skerry_runtime.session import Session
    from skerry_runtime.settings import Settings

log = logging.getLogger("skerry_runtime")

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
class Response:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = field(default=())


class Service:
    """Serves one model under one name and, as its version, one revision."""

    def __init__(self, settings: Settings, artifact: Artifact, session: Session) -> None:
        self._settings = settings
        self._artifact = artifact
        self._session = session
        self._platform = engine_named(artifact.engine).platform
        self.admission = Admission(running=1, waiting=settings.waiting)
        self._metrics = metrics.Metrics(lambda: self.admission.in_flight)
        self._metrics.name_model(
            model=settings.model_name,
            revision=settings.revision,
            recipe=artifact.recipe,
            precision=artifact.precision,
            engine_version=artifact.engine_version,
        )
        self.draining = False

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one WSGI request."""
        response = self._answer(lambda: self._route(environ))
        headers = [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(response.body))),
            *response.headers,
        ]
        start_response(REASONS[response.status], headers)
        return [response.body]

    def _answer(self, answer: Callable[[], Response]) -> Response:
        """Run a handler and turn its errors into the protocol's."""
        try:
            return answer()
        except RequestError as error:
            return failure(error.status, str(error))
        except InputError as error:
            return failure(400, f"the model refused the inputs: {error}")
        except Busy:
            return failure(503, f"{self.admission.capacity} requests run or wait: try again later")
        except Exception:
            log.exception("a request failed")
            return failure(500, "the request failed inside the runtime; its log says why")

    def _route(self, environ: dict[str, Any]) -> Response:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].strip("/")
        parts = tuple(path.split("/"))
        if parts[:2] == ("v2", "models") and len(parts) > 2:  # noqa: PLR2004 - v2/models/NAME
            return self._model_route(method, self._within_model(parts[2:]), environ)
        routes: dict[str, Callable[[], Response]] = {
            "v2": self._server_metadata,
            "v2/health/live": lambda: success({"live": True}),
            "v2/health/ready": self._readiness,
            "metrics": lambda: Response(200, self._metrics.text(), metrics.CONTENT_TYPE),
            "skerry/golden": self._golden,
        }
        if path not in routes:
            raise RequestError(f"there is nothing at /{path}", 404)
        _demand("GET", method, path)
        return routes[path]()

    def _within_model(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """Check model and version, and return what follows them in the path."""
        name, rest = parts[0], parts[1:]
        if name != self._settings.model_name:
            raise RequestError(
                f"unknown model '{name}': '{self._settings.model_name}' is served here", 404
            )
        if rest[:1] != ("versions",):
            return rest
        version = rest[1] if len(rest) > 1 else ""
        if version != self._settings.revision:
            raise RequestError(
                f"unknown version '{version}' of model '{name}':"
                f" '{self._settings.revision}' is served here",
                404,
            )
        return rest[2:]

    def _model_route(
        self, method: str, action: tuple[str, ...], environ: dict[str, Any]
    ) -> Response:
        path = "/".join(action)
        if path == "infer":
            _demand("POST", method, path)
            return self._counted_infer(environ)
        _demand("GET", method, path)
        if path == "":
            return success(self._model_metadata())
        if path == "ready":
            return self._readiness()
        raise RequestError(
            f"a model has no '{path}' here: metadata, ready and infer are served", 404
        )

    def _readiness(self) -> Response:
        if self.draining:
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
        artifact, session = self._artifact, self._session
        return {
            "name": self._settings.model_name,
            "versions": [self._settings.revision],
            "platform": self._platform,
            "inputs": [_tensor_metadata(spec) for spec in session.inputs],
            "outputs": [_tensor_metadata(spec) for spec in session.outputs],
            "parameters": {
                "revision": self._settings.revision,
                "engine": artifact.engine,
                "engine_version": artifact.engine_version,
                "recipe": artifact.recipe,
                "precision": artifact.precision,
                "batching": artifact.batching,
                "certified": artifact.certified,
            },
        }

    def _golden(self) -> Response:
        return success(golden.replay_set(self._artifact, self._session))

    def _counted_infer(self, environ: dict[str, Any]) -> Response:
        with self._metrics.request_seconds.time():
            response = self._answer(lambda: self._infer(environ))
        self._metrics.count(response.status)
        return response

    def _infer(self, environ: dict[str, Any]) -> Response:
        session = self._session
        with self.admission.place():
            request = parse_request(
                _body(environ), _header_length(environ), session.inputs, session.outputs
            )
            with self.admission.turn(), self._metrics.inference_seconds.time():
                arrays = session.run(request.inputs, request.outputs)
            tensors, parts = encode_outputs(arrays, session.outputs, request.binary)
        answer: dict[str, Any] = {
            "model_name": self._settings.model_name,
            "model_version": self._settings.revision,
            "outputs": tensors,
        }
        if request.id is not None:
            answer["id"] = request.id
        return _packed(answer, parts)


def success(content: dict[str, Any]) -> Response:
    """Return content as JSON."""
    return Response(200, json.dumps(content).encode())


def failure(status: int, message: str) -> Response:
    """Return an error as the protocol says."""
    return Response(status, json.dumps({"error": message}).encode())


def _packed(answer: dict[str, Any], parts: list[bytes]) -> Response:
    head = json.dumps(answer).encode()
    if not parts:
        return Response(200, head)
    length = ((HEADER_LENGTH, str(len(head))),)
    return Response(200, b"".join([head, *parts]), BINARY, length)


def _tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _demand(wanted: str, method: str, path: str) -> None:
    if method != wanted:
        raise RequestError(f"/{path} takes {wanted}, not {method}", 405)


def _body(environ: dict[str, Any]) -> bytes:
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding != "identity":
        raise RequestError(f"Content-Encoding {encoding} is not read here: send it plain", 415)
    body: bytes = environ["wsgi.input"].read()
    return body


def _header_length(environ: dict[str, Any]) -> int | None:
    text = environ.get("HTTP_INFERENCE_HEADER_CONTENT_LENGTH")
    if text is None:
        return None
    if not text.isdecimal():
        raise RequestError(f"{HEADER_LENGTH} is {text!r}, which is no count of bytes")
    return int(text)
