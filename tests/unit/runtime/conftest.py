"""Small real models, artifacts around them, and the real server process that serves them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from skerry.api.modelvariant import Interval, RecipeResult
from skerry.jobs.files import ServedModel, TensorInfo, Tolerance
from skerry.precision import Precision
from tests.waiting import HTTP, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WIDTH = 8


def model_of(nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any]) -> Any:
    """Return a checked ONNX model."""
    graph = helper.make_graph(nodes, "tests", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def encoder_model(*, noise: float = 0.0, seed: int = 1, depth: int = 1, width: int = WIDTH) -> Any:
    """Return a small encoder of float rows: matrix products and tanh; `noise` spoils its weights."""
    generator = np.random.default_rng(seed)
    spoiler = np.random.default_rng(99)
    nodes, weights, last = [], [], "x"
    for layer in range(depth):
        matrix = generator.normal(size=(width, width)).astype(np.float32)
        matrix += (noise * spoiler.normal(size=matrix.shape)).astype(np.float32)
        weights.append(numpy_helper.from_array(matrix, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{layer}"], [f"m{layer}"]))
        last = "embedding" if layer == depth - 1 else f"h{layer}"
        nodes.append(helper.make_node("Tanh", [f"m{layer}"], [last]))
    shape: list[str | int | None] = ["N", width]
    return model_of(
        nodes,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, shape)],
        weights,
    )


def many_types_model(*, text: bool = True) -> Any:
    """Return a model that answers each input as it is; `ids` also looks a row up in a table of five."""
    types = {
        "fp32": TensorProto.FLOAT,
        "fp16": TensorProto.FLOAT16,
        "int64": TensorProto.INT64,
        "int32": TensorProto.INT32,
        "int8": TensorProto.INT8,
        "uint8": TensorProto.UINT8,
        "bool": TensorProto.BOOL,
    } | ({"bytes": TensorProto.STRING} if text else {})
    table = numpy_helper.from_array(np.arange(10, dtype=np.float32).reshape(5, 2), "table")
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in types]
    nodes.append(helper.make_node("Gather", ["table", "int64"], ["rows"]))
    inputs = [helper.make_tensor_value_info(n, t, ["N", 2]) for n, t in types.items()]
    outputs = [helper.make_tensor_value_info(f"{n}_out", t, ["N", 2]) for n, t in types.items()]
    outputs.append(helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["N", 2, 2]))
    return model_of(nodes, inputs, outputs, [table])


def write_artifact(folder: Path, model: Any, *, batching: bool = True) -> Path:
    """Return an artifact as the job packs it."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    one = Interval(value="1.5", low="1.4", high="1.6")
    certified = RecipeResult(recipe="tests", precision=Precision.FLOAT32, quality=one, speedup=one)
    served = ServedModel(
        engine="ONNXRuntime",
        engine_version="1.32.0",
        recipe="tests",
        precision=Precision.FLOAT32,
        batching=batching,
        inputs=(TensorInfo(name="x", datatype="FP32", shape=(-1, WIDTH)),),
        outputs=(TensorInfo(name="embedding", datatype="FP32", shape=(-1, WIDTH)),),
        tolerance=Tolerance(absolute=0.001, relative=0.01, cosine=0.999),
        certified=certified.model_copy(update={"p50_milliseconds": "1.25"}),
    )
    (folder / "skerry.json").write_text(served.model_dump_json(by_alias=True))
    return folder


@dataclass(frozen=True)
class Served:
    """A running server process."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def start_server() -> Iterator[Callable[..., Served]]:
    """Yield a function that starts `python -m skerry_runtime` on an artifact, as the pod does."""
    with servers() as start:
        yield start


@contextmanager
def servers() -> Iterator[Callable[..., Served]]:
    """Yield a function that starts servers; they are ended after."""
    started: list[subprocess.Popen[str]] = []

    def start(artifact: Path, **environment: str) -> Served:
        port = free_port()
        process = spawn(artifact, port, **environment)
        started.append(process)
        served = Served(process, port)
        wait_until_ready(served)
        return served

    try:
        yield start
    finally:
        for process in started:
            stop(process)


def spawn(artifact: Path, port: int, **environment: str) -> subprocess.Popen[str]:
    """Start the server process; it may still fail."""
    settings = {
        "SKERRY_MODEL_NAME": "encoder",
        "SKERRY_REVISION": "0123456789",
        "SKERRY_MODEL_DIR": str(artifact),
        "SKERRY_CPU_LIMIT": "1",
        "SKERRY_PORT": str(port),
        "SKERRY_DRAIN_SECONDS": "0.2",
        "ORT_DISABLE_TELEMETRY": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "skerry_runtime"],
        env=os.environ | settings | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


@retry(
    retry=retry_if_exception_type((httpx.TransportError, httpx.HTTPStatusError)),
    stop=stop_after_delay(30),
    wait=wait_fixed(0.05),
)
def wait_until_ready(served: Served) -> None:
    """Wait for readiness; a process that ended fails at once."""
    assert served.process.poll() is None, served.process.communicate()[1]
    HTTP.get(f"{served.url}/v2/health/ready").raise_for_status()


def stop(process: subprocess.Popen[str]) -> str:
    """End a server and return its log."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.communicate(timeout=30)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@pytest.fixture(scope="session")
def encoder_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the small encoder with four golden samples."""
    folder = write_artifact(tmp_path_factory.mktemp("encoder"), encoder_model())
    samples = np.random.default_rng(5).normal(size=(4, WIDTH)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    answers = np.tanh(samples @ weights)
    np.savez(folder / "golden.npz", **{"input.x": samples, "output.embedding": answers[:, None]})
    return folder
