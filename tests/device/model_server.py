"""A little model server that can be made to fail: y = 2x, one request at a time; gRPC has its own port.

    python -m tests.device.model_server ADDRESS MILLISECONDS

POST /mode with {"mode": "good" | "error" | "wrong" | "slow"} changes how it answers; slow is `times` as
long, 4 by default.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import tritonclient.grpc.service_pb2 as messages
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - read at run time
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PORT, GRPC_PORT = 8080, 8081
SERVICE = "inference.GRPCInferenceService"
SLOWER_TIMES = 4
TOLERANCE = {"absolute": 1e-6, "relative": 1e-6, "cosine": None}


class Model:
    """Answers in turn, each after the same time."""

    def __init__(self, milliseconds: float) -> None:
        """Begin with good answers."""
        self.seconds = milliseconds / 1000
        self.mode = "good"
        self.slower_times = SLOWER_TIMES
        self.turn = asyncio.Lock()

    async def infer(self, request: Request) -> Response:
        """Open Inference Protocol: one tensor in, one out."""
        body = await request.json()
        await self._work()
        if self.mode == "error":
            return JSONResponse({"error": "made to fail"}, 500)
        values = [self._factor() * value for value in body["inputs"][0]["data"]]
        return JSONResponse({"outputs": [_tensor("y", values)]})

    async def infer_grpc(self, request: Any, context: Any) -> Any:
        """Answer the same by gRPC, in raw form."""
        await self._work()
        if self.mode == "error":
            await context.abort(grpc.StatusCode.INTERNAL, "made to fail")
        values = np.frombuffer(request.raw_input_contents[0], np.float32) * self._factor()
        answer = messages.ModelInferResponse(model_name=request.model_name)
        answer.outputs.add(name="y", datatype="FP32", shape=values.shape)
        answer.raw_output_contents.append(values.tobytes())
        return answer

    async def _work(self) -> None:
        async with self.turn:
            await asyncio.sleep(self.seconds * (self.slower_times if self.mode == "slow" else 1))

    def _factor(self) -> int:
        return 3 if self.mode == "wrong" else 2

    async def golden(self, _request: Request) -> Response:
        """Return four samples."""
        samples = [
            {"request": {"inputs": [_tensor("x", [n])]}, "outputs": [_tensor("y", [2 * n])]}
            for n in (1.0, 2.0, 3.0, 4.0)
        ]
        return JSONResponse({"tolerance": TOLERANCE, "samples": samples})

    async def set_mode(self, request: Request) -> Response:
        """Set how the server answers from now on."""
        asked = await request.json()
        self.mode = asked["mode"]
        self.slower_times = asked.get("times", SLOWER_TIMES)
        return Response()


def _tensor(name: str, data: list[float]) -> dict[str, object]:
    return {"name": name, "datatype": "FP32", "shape": [len(data)], "data": data}


async def ready(_request: Request) -> Response:
    """Return that the server is always ready."""
    return Response()


def grpc_server(model: Model, address: str) -> Any:
    """Return the gRPC server, not started yet."""
    infer = grpc.unary_unary_rpc_method_handler(
        model.infer_grpc,
        request_deserializer=messages.ModelInferRequest.FromString,
        response_serializer=messages.ModelInferResponse.SerializeToString,
    )
    server = grpc.aio.server()
    handlers = grpc.method_handlers_generic_handler(SERVICE, {"ModelInfer": infer})
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(f"{address}:{GRPC_PORT}")
    return server


def main() -> None:
    """Serve until terminated."""
    model = Model(float(sys.argv[2]))

    @asynccontextmanager
    async def both(_app: Starlette) -> AsyncIterator[None]:
        server = grpc_server(model, sys.argv[1])
        await server.start()
        yield
        await server.stop(None)

    routes = [
        Route("/v2/health/ready", ready),
        Route("/v2/models/{name}/infer", model.infer, methods=["POST"]),
        Route("/skerry/golden", model.golden),
        Route("/mode", model.set_mode, methods=["POST"]),
    ]
    app = Starlette(routes=routes, lifespan=both)
    uvicorn.run(app, host=sys.argv[1], port=PORT, log_level="warning", timeout_keep_alive=30)


if __name__ == "__main__":
    main()
