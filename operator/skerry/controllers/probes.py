"""The kubelet's probes: /readyz once the caches are filled, /healthz unless a loop stands still.

An API server that is away is no reason to restart: the loops keep trying, and count as alive.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

if TYPE_CHECKING:
    from skerry.controllers.leader import Election
    from skerry.controllers.operator import Operator

READY_PATH = "/readyz"
STUCK_SECONDS = 60.0
"""The election tries every few seconds, whatever the API server answers."""


async def serve_probes(endpoint: str, operator: Operator, election: Election) -> None:
    """Answer probes until cancelled.

    Args:
        endpoint: URL of the liveness probe; readiness is `READY_PATH` at the same address.
        operator: whose caches are to be filled.
        election: whose loop must not stand still.
    """

    async def alive(_: web.Request) -> web.Response:
        still = time.monotonic() - election.turned
        if operator.filled.is_set() and still > STUCK_SECONDS:
            return web.Response(status=500, text=f"the election stands still for {still:.0f} s\n")
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        if operator.filled.is_set():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the first lists are not complete\n")

    where = urlsplit(endpoint)
    app = web.Application()
    app.add_routes([web.get(where.path, alive), web.get(READY_PATH, ready)])
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, where.hostname, where.port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
