"""The Open Inference Protocol v2 as gRPC: from a method and a message to an answer, without a socket.

Imported at the first gRPC request, so that a device that is only asked by REST has no memory of it.
How calls get here is grpc_wire's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from skerry_runtime import open_inference_pb2 as messages
from skerry_runtime.messages import read_request, tensor_metadata, write_answer
from skerry_runtime.tensors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    from skerry_runtime.model import Model

PREFIX = "/inference.GRPCInferenceService/"
OK = 200
UNIMPLEMENTED = 501
# gRPC's codes (google.rpc.Code) by the HTTP status that says the same.
CODES = {OK: 0, 400: 3, 404: 5, 405: 12, 415: 12, 500: 13, UNIMPLEMENTED: 12, 503: 14}


@dataclass(frozen=True)
class GrpcAnswer:
    """What a call ended with: an HTTP status that says the same, and a message or an error's text.

    `counted` is the status that an inference is counted under.
    """

    status: int
    message: bytes = b""
    details: str = ""
    counted: int | None = None

    @property
    def code(self) -> int:
        """The call's gRPC status code."""
        return CODES[self.status]


class GrpcService:
    """Answers by the protocol's gRPC form."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._methods: dict[str, tuple[type[Message], Callable[[Any], Message]]] = {
            "ServerLive": (messages.ServerLiveRequest, self._server_live),
            "ServerReady": (messages.ServerReadyRequest, self._server_ready),
            "ModelReady": (messages.ModelReadyRequest, self._model_ready),
            "ServerMetadata": (messages.ServerMetadataRequest, self._server_metadata),
            "ModelMetadata": (messages.ModelMetadataRequest, self._model_metadata),
            "ModelInfer": (messages.ModelInferRequest, self._infer),
        }

    def answer(self, path: str, message: bytes) -> GrpcAnswer:
        """Answer one call; `path` is /SERVICE/METHOD, `message` what came without its frame."""
        method = path.removeprefix(PREFIX)
        answer = self._answer(method, message)
        return replace(answer, counted=answer.status) if method == "ModelInfer" else answer

    def _answer(self, method: str, message: bytes) -> GrpcAnswer:
        if method not in self._methods:
            known = ", ".join(self._methods)
            return GrpcAnswer(
                UNIMPLEMENTED, details=f"no method '{method}' here: {known} are served"
            )
        form, handle = self._methods[method]
        try:
            return GrpcAnswer(OK, handle(form.FromString(message)).SerializeToString())
        except DecodeError as error:
            return GrpcAnswer(400, details=f"the message is no {form.__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - each becomes an answer, the unexpected ones a 500
            status, details = self._model.refusal(error)
            return GrpcAnswer(status, details=details)

    def _server_live(self, _request: messages.ServerLiveRequest) -> messages.ServerLiveResponse:
        return messages.ServerLiveResponse(live=True)

    def _server_ready(self, _request: messages.ServerReadyRequest) -> messages.ServerReadyResponse:
        return messages.ServerReadyResponse(ready=not self._model.draining)

    def _model_ready(self, request: messages.ModelReadyRequest) -> messages.ModelReadyResponse:
        try:
            self._model.check(request.name, request.version or None)
        except RequestError:
            return messages.ModelReadyResponse(ready=False)
        return messages.ModelReadyResponse(ready=not self._model.draining)

    def _server_metadata(
        self, _request: messages.ServerMetadataRequest
    ) -> messages.ServerMetadataResponse:
        return messages.ServerMetadataResponse(name="skerry-runtime", version=version("skerry"))

    def _model_metadata(
        self, request: messages.ModelMetadataRequest
    ) -> messages.ModelMetadataResponse:
        model = self._model
        model.check(request.name, request.version or None)
        return messages.ModelMetadataResponse(
            name=model.name,
            versions=[model.revision],
            platform=model.platform,
            inputs=[tensor_metadata(spec) for spec in model.session.inputs],
            outputs=[tensor_metadata(spec) for spec in model.session.outputs],
            properties=model.properties(),
        )

    def _infer(self, request: messages.ModelInferRequest) -> messages.ModelInferResponse:
        model = self._model
        model.check(request.model_name, request.model_version or None)
        return model.infer(
            lambda: read_request(request, model.session.inputs, model.session.outputs),
            lambda read, arrays: write_answer(
                read, arrays, model.session.outputs, model.name, model.revision
            ),
        )
