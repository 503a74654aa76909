"""A gateway that runs what another version of the agent wrote is reloaded, although its models are the same."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from skerry_agent.gateway.config import form_of, lines_of_map, render
from skerry_agent.gateway.driver import Gateway
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.gateway.socket import ask, parse_map
from skerry_agent.gateway.state import Backend, GatewayState, Server
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY, REVISION = "assist.intent", "aaaaaaaaaa"
CHECK = "http-check send meth GET uri-lf"


@contextmanager
def running(paths: GatewayPaths) -> Iterator[Path]:
    """HAProxy as the gateway's image starts it; yields its socket."""
    admin = paths.run / "gateway.admin"
    master = GatewayPaths.master_of(admin)
    process = subprocess.Popen(
        ["haproxy", "-W", "-db", "-S", f"{master},mode,600", "-f", str(paths.config)],
        env=os.environ | {"POD_NAME": "gateway", "NODE_NAME": "here"},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield admin
    finally:
        process.terminate()
        process.wait(10)


def earlier(text: str) -> str:
    """Return what an earlier version wrote: without a form, and with one path for all health checks."""
    lines = [line for line in text.splitlines() if "    description " not in line]
    at = next(number for number, line in enumerate(lines) if CHECK in line)
    return "\n".join([*lines[:at], *lines[at + 1 :], ""])


async def test_a_gateway_of_an_earlier_version_is_reloaded_once() -> None:
    wanted = GatewayState(
        {KEY: Backend({REVISION: Server("127.0.0.1", 100, free_port(), check_path="/ping")})}
    )
    with TemporaryDirectory(prefix="gateway-", dir="/tmp") as folder:
        paths = GatewayPaths(Path(folder))
        agent = Gateway(paths, free_port(), free_port())
        paths.run.mkdir()
        for file in (paths.callers, paths.reasons):
            file.write_text("")
        paths.config.write_text(earlier(render(wanted, paths, agent.port, agent.metrics_port)))
        with running(paths) as admin:
            assert parse_map(await said(admin, f"show map {paths.checks}")) == {}
            form = form_of(paths, agent.port, agent.metrics_port)
            while form not in await said(admin, "show info"):
                await agent.apply(wanted)
            assert not agent.refused
            assert parse_map(await said(admin, f"show map {paths.checks}")) == {REVISION: "/ping"}
            assert paths.checks.read_text() == lines_of_map({REVISION: "/ping"})
            before = await processes(admin)
            agent._reloaded.clear()
            for _ in range(3):
                await agent.apply(wanted)
            assert await processes(admin) == before, "what is current stays"


async def said(socket: Path, command: str) -> str:
    """Return a gateway's answer, once it listens: for a moment of its start and of a reload it does not."""
    while True:
        with suppress(OSError):
            return await ask(socket, [command])
        await asyncio.sleep(0.05)


async def processes(admin: Path) -> str:
    """Return the master's workers by their ids."""
    found = (await said(GatewayPaths.master_of(admin), "show proc")).partition("# old workers")[0]
    return " ".join(line.split()[0] for line in found.splitlines() if "worker" in line)
