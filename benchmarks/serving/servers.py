"""The servers that are asked: Skerry's behind its gateway, and those of others."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import onnx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from benchmarks.serving.environments import OTHERS, python_of
from benchmarks.serving.gateway_alone import idle_model
from benchmarks.serving.sides import MODEL
from skerry_agent.gateway.state import Server
from tests.unit.runtime.conftest import servers, write_artifact
from tests.unit.runtime.gateways import gateway
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parents[2] / "examples/replaced-runtime/mlserver-onnx"


@dataclass(frozen=True)
class Skerry:
    """Ports of a model's server and of the gateway in front of it."""

    server: int
    gateway: int


@dataclass(frozen=True)
class Other:
    """Ports of a server of others."""

    http: int
    grpc: int


@contextmanager
def skerry(folder: Path, model: Path) -> Iterator[tuple[Skerry, Skerry]]:
    """Serve `model`, and one that computes nothing, each by server and gateway as on a device."""
    with ExitStack() as stack:
        start = stack.enter_context(servers())
        ports = []
        for name, content in (("model", onnx.load(model)), ("idle", idle_model())):
            served = start(write_artifact(folder / name, content))
            backend = Server("127.0.0.1", 100, served.port)
            front = gateway((f"demo.{MODEL}", backend))
            ports.append(Skerry(served.port, stack.enter_context(front)))
        yield ports[0], ports[1]


@contextmanager
def other(name: str, folder: Path, model: Path) -> Iterator[Other]:
    """Serve `model` by kserve's or mlserver's own server, one thread, one process."""
    ports = Other(free_port(), free_port())
    folder.mkdir(parents=True)
    command, variables = {"kserve": _kserve, "mlserver": _mlserver}[name](folder, model, ports)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"} | variables
    log = folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(ports, process, log)
        yield ports
    finally:
        process.terminate()
        process.wait(60)


def _kserve(_folder: Path, model: Path, ports: Other) -> tuple[list[str], dict[str, str]]:
    program = str(OTHERS / "kserve_onnx.py")
    flags = [f"--http_port={ports.http}", f"--grpc_port={ports.grpc}"]
    return [str(python_of("kserve")), program, str(model), *flags], {}


def _mlserver(folder: Path, model: Path, ports: Other) -> tuple[list[str], dict[str, str]]:
    settings = {
        "name": MODEL,
        "implementation": "mlserver_onnx.OnnxModel",
        "parameters": {"uri": str(model.resolve())},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
    variables = {
        "PYTHONPATH": str(EXAMPLE),
        "MLSERVER_HTTP_PORT": str(ports.http),
        "MLSERVER_GRPC_PORT": str(ports.grpc),
        "MLSERVER_METRICS_PORT": str(free_port()),
        # as the image's pods run it: in the server's own process (docs/adr/0024)
        "MLSERVER_PARALLEL_WORKERS": "0",
    }
    return [str(python_of("mlserver").with_name("mlserver")), "start", str(folder)], variables


@retry(
    retry=retry_if_exception_type(httpx.HTTPError), stop=stop_after_delay(240),
    wait=wait_fixed(0.2), reraise=True,
)  # fmt: skip
def _wait_until_ready(ports: Other, process: subprocess.Popen[bytes], log: Path) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"the server ended: {log.read_text()[-2000:]}")
    url = f"http://127.0.0.1:{ports.http}/v2/models/{MODEL}/ready"
    httpx.get(url, timeout=30).raise_for_status()
