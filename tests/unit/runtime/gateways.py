"""The real gateway in front of real servers: HAProxy with the configuration that the agent writes."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import tritonclient.grpc as triton
from tenacity import retry, stop_after_delay, wait_fixed

from skerry_agent.gateway.config import render
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.gateway.state import Backend, GatewayState, Server
from tests.unit.runtime.conftest import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REVISION = "0123456789"
AUTHORITY = "encoder.demo.svc"


@contextmanager
def gateway(folder: Path, *models: tuple[str, Server]) -> Iterator[int]:
    """The gateway in front of servers by `namespace.name`; yields its port."""
    paths = GatewayPaths(folder)
    paths.run.mkdir(parents=True)
    for file in (paths.callers, paths.reasons):
        file.write_text("")
    port = free_port()
    backends = {key: Backend({REVISION: server}) for key, server in models}
    paths.config.write_text(render(GatewayState(backends), paths, port, free_port()))
    environment = os.environ | {"POD_NAME": "gateway", "NODE_NAME": "here"}
    process = subprocess.Popen(
        ["haproxy", "-db", "-f", str(paths.config)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@retry(stop=stop_after_delay(60), wait=wait_fixed(0.05))
def _wait_for(port: int) -> None:
    httpx.get(f"http://127.0.0.1:{port}/skerry/healthz").raise_for_status()


def client_of(port: int, authority: str = AUTHORITY) -> Any:
    arguments = [("grpc.default_authority", authority)]
    return triton.InferenceServerClient(f"127.0.0.1:{port}", channel_args=arguments)
