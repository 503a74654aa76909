"""What the gateway adds to a request: the same bytes to the same server, with and without it in between.

The model computes next to nothing, or its own noise would hide a tenth of a millisecond; request and answer
have the size of MiniLM's. Blocks of calls take turns on two connections that stay open.
"""

from __future__ import annotations

import http.client
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import onnx
import tritonclient.http as triton
from onnx import TensorProto, helper, numpy_helper

from benchmarks.serving.sides import AUTHORITY, DATATYPES, MODEL
from benchmarks.shared.figures import Figures, alternated, difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCKS, CALLS = 20, 200
AT_MOST_MILLISECONDS = 0.3
WIDTH = 384


def idle_model() -> Any:
    """Return a model with MiniLM's inputs and output whose answer costs microseconds."""
    import numpy as np  # noqa: PLC0415

    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "tokens"], ["sum"], keepdims=1),
        helper.make_node("Cast", ["sum"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["number", "ones"], ["embedding"]),
    ]
    weights = [
        numpy_helper.from_array(np.array([1], np.int64), "tokens"),
        numpy_helper.from_array(np.ones((1, WIDTH), np.float32), "ones"),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "T"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", WIDTH])
    graph = helper.make_graph(nodes, "idle", inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


class Connection:
    """A client that stays connected and sends the same request again."""

    def __init__(self, port: int, inputs: dict[str, NDArray[Any]]) -> None:
        tensors = []
        for name, array in inputs.items():
            tensor = triton.InferInput(name, list(array.shape), DATATYPES[str(array.dtype)])
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        outputs = [triton.InferRequestedOutput("embedding")]
        self._body, length = triton.InferenceServerClient.generate_request_body(
            tensors, outputs=outputs
        )
        self._headers = {"Host": AUTHORITY, "Inference-Header-Content-Length": str(length)}
        self._http = http.client.HTTPConnection("127.0.0.1", port)

    def block(self) -> float:
        """Return the median of a block of calls in milliseconds."""
        times = []
        for _ in range(CALLS):
            begun = time.perf_counter()
            self._http.request("POST", f"/v2/models/{MODEL}/infer", self._body, self._headers)
            answer = self._http.getresponse()
            content = answer.read()
            times.append((time.perf_counter() - begun) * 1000)
            if answer.status != http.client.OK:
                raise RuntimeError(f"{answer.status}: {content[:200]!r}")
        return median(times)


def measure_gateway(direct: int, through: int, inputs: dict[str, NDArray[Any]]) -> Figures:
    """Return what the gateway adds at the median, in milliseconds.

    Args:
        direct: The server's port.
        through: The gateway's.
        inputs: Of one request.
    """
    sides = {"server": Connection(direct, inputs), "gateway": Connection(through, inputs)}
    medians: dict[str, list[float]] = {name: [] for name in sides}
    for one in sides.values():
        one.block()
    for order in alternated(tuple(sides), BLOCKS):
        for name in order:
            medians[name].append(sides[name].block())
    return {
        **difference(medians["gateway"], medians["server"], at_most=AT_MOST_MILLISECONDS),
        "p50": {name: round(median(blocks), 4) for name, blocks in medians.items()},
    }
