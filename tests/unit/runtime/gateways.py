"""The real gateway in front of real servers: HAProxy with the configuration that the agent writes."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import tritonclient.grpc as triton
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from skerry_agent.gateway.config import lines_of_map, render
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.gateway.state import Backend, GatewayState, Server
from tests.waiting import HTTP, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

REVISION = "0123456789"
AUTHORITY = "encoder.demo.svc"


@dataclass(frozen=True)
class Running:
    """A gateway's port, process and files."""

    port: int
    process: subprocess.Popen[bytes]
    paths: GatewayPaths


@contextmanager
def gateway(*models: tuple[str, Server]) -> Iterator[int]:
    """Start the gateway in front of servers by `namespace.name`; yield its port."""
    with gateway_process(*models) as running:
        yield running.port


@contextmanager
def gateway_process(*models: tuple[str, Server]) -> Iterator[Running]:
    """Start the same; yield its process too."""
    # Not below a test's own folder: a socket's path has 97 characters at most.
    with TemporaryDirectory(prefix="gateway-", dir="/tmp") as folder:
        paths = GatewayPaths(Path(folder))
        paths.run.mkdir()
        for file in (paths.callers, paths.reasons):
            file.write_text("")
        port = free_port()
        state = GatewayState({key: Backend({REVISION: server}) for key, server in models})
        paths.checks.write_text(lines_of_map(state.checks()))
        paths.config.write_text(render(state, paths, port, free_port()))
        with _haproxy(paths.config, paths.directory / "haproxy.log", port) as process:
            yield Running(port, process, paths)


@contextmanager
def _haproxy(config: Path, log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"POD_NAME": "gateway", "NODE_NAME": "here"}
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["haproxy", "-db", "-f", str(config)], env=environment, stderr=said
        )
    try:
        _wait_for(port, process, log)
        yield process
    finally:
        process.terminate()
        process.wait(10)


@retry(
    retry=retry_if_exception_type(httpx.HTTPError),
    stop=stop_after_delay(60),
    wait=wait_fixed(0.05),
    reraise=True,
)
def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.poll() is None, f"HAProxy ended: {log.read_text()}"
    HTTP.get(f"http://127.0.0.1:{port}/skerry/healthz").raise_for_status()


def client_of(port: int, authority: str = AUTHORITY) -> Any:
    arguments = [("grpc.default_authority", authority)]
    return triton.InferenceServerClient(f"127.0.0.1:{port}", channel_args=arguments)
