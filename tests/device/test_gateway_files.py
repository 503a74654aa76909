"""The gateway's files are damaged, refused, or can't be written: a real HAProxy and the agent's driver."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import httpx
import pytest

from skerry_agent import metrics
from skerry_agent.gateway.config import render
from skerry_agent.gateway.driver import Gateway
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.gateway.requests import LoggedAnswer, Requests, keep_listening
from skerry_agent.gateway.state import Backend, GatewayState, Server
from tests.unit.agent.raw_server import Running, answering, json_answer
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = [pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
A = "aaaaaaaaaa"
KEY, SECOND = "assist.intent", "assist.second"


@dataclass
class Node:
    """A gateway pod's process and the agent's side of it."""

    directory: Path
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with nothing running."""
        self.paths = GatewayPaths(self.directory)
        self.gateway = self.agent()
        text = render(GatewayState(), self.paths, self.port, self.metrics_port)
        (self.directory / "default.cfg").write_text(text)
        self.paths.run.mkdir()

    def agent(self) -> Gateway:
        """Return the driver of an agent that begins."""
        return Gateway(self.paths, self.port, self.metrics_port)

    def start(self) -> None:
        """Start a gateway pod, by the image's script."""
        environment = {
            **os.environ,
            "NODE_NAME": "here",
            "POD_NAME": f"gateway-{len(self.processes)}",
            "SKERRY_STATE_DIR": str(self.directory),
            "SKERRY_DEFAULT_CONFIG": str(self.directory / "default.cfg"),
        }
        with (self.directory / "gateway.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    ["sh", str(ROOT / "images/gateway/start.sh")],
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    def stop(self) -> None:
        """Stop the pod."""
        self.processes[-1].terminate()
        self.processes[-1].wait(10)
        for socket in self.paths.run.glob("gateway-*"):
            socket.unlink()

    @property
    def log(self) -> str:
        """What the gateways wrote."""
        return (self.directory / "gateway.log").read_text()

    async def status(self, model: str = "intent") -> int:
        """Return the status that a request gets; 0 when nobody answers."""
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                url = f"http://127.0.0.1:{self.port}/assist/{model}/v2"
                return (await client.get(url)).status_code
            except httpx.HTTPError:
                return 0

    async def until(
        self, state: GatewayState, what: Callable[[], object], seconds: float = 20
    ) -> None:
        """Run the agent's loop until something is so."""
        async with asyncio.timeout(seconds):
            while True:
                await self.gateway.apply(state)
                found = what()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0.1)

    async def until_status(self, state: GatewayState, wanted: int, model: str = "intent") -> None:
        """Run it until a request gets a status."""

        async def is_so() -> bool:
            return await self.status(model) == wanted

        await self.until(state, is_so)


@pytest.fixture
def node() -> Iterator[Node]:
    # Not below a test's own folder: a socket's path has 97 characters at most.
    folder = Path(mkdtemp(prefix="node-", dir="/tmp"))
    made = Node(folder)
    yield made
    for process in made.processes:
        process.terminate()
    for process in made.processes:
        process.wait(40)
    shutil.rmtree(folder)


async def well(writer: asyncio.StreamWriter, _head: str) -> None:
    writer.write(json_answer(b"{}"))
    await writer.drain()


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with answering(well) as running:
        yield running


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def state(server: Running, *models: str) -> GatewayState:
    one = Server("127.0.0.1", 100, port=server.port)
    return GatewayState({model: Backend({A: one}) for model in models or (KEY,)})


async def serve(node: Node, server: Running) -> GatewayState:
    """Return the state of a device that serves one model."""
    node.start()
    wanted = state(server)
    await node.until_status(wanted, 200)
    await node.until(wanted, node.paths.good.exists)
    return wanted


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text(path.read_text() + "x\n"),
        lambda path: path.write_bytes(b"\xff" * 4096),
        lambda path: path.write_text(""),
        lambda path: path.unlink(),
    ],
)
async def test_a_damaged_file_is_written_again(
    node: Node, server: Running, damage: Callable[[Path], object]
) -> None:
    wanted = await serve(node, server)
    good = node.paths.config.read_text()
    damage(node.paths.config)
    node.stop()
    node.start()
    await node.until_status(wanted, 200)
    assert node.paths.config.read_text() == good


async def test_a_gateway_that_meets_a_damaged_file_serves_without_the_agent(
    node: Node, server: Running
) -> None:
    await serve(node, server)
    node.paths.config.write_text("x\n")
    node.stop()
    node.start()
    async with asyncio.timeout(20):
        while await node.status() != 200:  # noqa: ASYNC110 - nothing reports it
            await asyncio.sleep(0.1)
    assert "haproxy.cfg.good" in node.log


async def test_a_damaged_map_keeps_no_gateway_from_starting(node: Node, server: Running) -> None:
    wanted = await serve(node, server)
    node.paths.callers.write_text("no-address assist\n")
    node.stop()
    node.start()
    await node.until_status(wanted, 200)
    assert node.paths.callers.read_text() == ""


async def test_a_file_is_left_alone_while_it_holds_what_it_shall(
    node: Node, server: Running
) -> None:
    wanted = await serve(node, server)
    before = node.paths.config.stat()
    for _ in range(40):
        await node.gateway.apply(wanted)
    after = node.paths.config.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


async def test_a_refused_reload_is_noticed_and_reported(node: Node, server: Running) -> None:
    await serve(node, server)
    good = node.paths.good.read_text()
    both = state(server, KEY, SECOND)
    node.paths.reasons.unlink()
    node.paths.reasons.mkdir()  # HAProxy refuses a map that is a folder
    await node.until(both, lambda: node.gateway.refused)
    assert "rejects" in node.gateway.trouble
    assert node.gateway.missing == {SECOND}
    assert metrics.GATEWAY_REFUSES._value.get() == 1
    assert await node.status() == 200, "what was served is served"
    assert node.paths.good.read_text() == good, "the last file that was taken is kept"
    node.paths.reasons.rmdir()
    node.gateway._reloaded.clear()
    await node.until_status(both, 200, "second")
    await node.until(both, lambda: not node.gateway.refused)
    assert metrics.GATEWAY_REFUSES._value.get() == 0
    assert node.gateway.trouble == ""


async def test_a_disk_that_refuses_the_files_costs_no_rollback(node: Node, server: Running) -> None:
    wanted = await serve(node, server)
    folder = str(node.directory)
    run("mount", "--bind", folder, folder)
    try:
        run("mount", "-o", "remount,ro,bind", folder)
        nobody = GatewayState({KEY: Backend({A: Server("127.0.0.1", 0, port=server.port)})})
        await node.until_status(nobody, 503)
        assert "can't be written" in node.gateway.trouble
    finally:
        run("umount", "-l", folder)
    await node.until_status(wanted, 200)
    assert node.gateway.trouble == ""


@pytest.mark.parametrize(
    ("status", "code", "failed"),
    [("500 Internal Server Error", "3", True), ("200 OK", "3", False), ("200 OK", "x y", False)],
)
async def test_a_code_of_grpc_counts_for_calls_alone(
    node: Node, status: str, code: str, *, failed: bool
) -> None:
    """A server on trial could else turn its failures into answers that count for nothing."""

    async def pretends(writer: asyncio.StreamWriter, head: str) -> None:
        ready = "/v2/health/ready" in head
        extra = () if ready else (f"grpc-status: {code}",)
        writer.write(json_answer(b"{}", *extra, status="200 OK" if ready else status))
        await writer.drain()

    logged: list[LoggedAnswer] = []
    unreadable = metrics.FAULTS.labels("log")._value.get()
    requests = Requests(dict, logged.append, lambda: None)
    listening = asyncio.create_task(keep_listening(node.paths.log, requests))
    async with answering(pretends) as running:
        node.start()
        wanted = state(running)
        got = int(status.split(maxsplit=1)[0])
        await node.until_status(wanted, got)
        await node.until(wanted, lambda: logged)
    listening.cancel()
    assert logged[-1][2].failed is failed
    assert metrics.FAULTS.labels("log")._value.get() == unreadable


async def test_the_log_socket_is_bound_again(node: Node, server: Running) -> None:
    logged: list[LoggedAnswer] = []
    requests = Requests(dict, logged.append, lambda: None)
    listening = asyncio.create_task(keep_listening(node.paths.log, requests))
    wanted = await serve(node, server)
    await node.until(wanted, lambda: logged)
    node.paths.log.unlink()
    logged.clear()

    async def hears() -> bool:
        await node.status()
        return bool(logged)

    await node.until(wanted, hears, seconds=30)
    listening.cancel()
