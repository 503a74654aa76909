"""Starts the agent: `skerry-agent`, or `python -m skerry_agent`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from skerry_agent import metrics
from skerry_agent.agent import Agent
from skerry_agent.gateway.driver import Gateway
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.kube import Api
from skerry_agent.protocols import damaged_protocols
from skerry_agent.settings import Settings

log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Run the agent by the pod's own service account."""
    gateway = Gateway(GatewayPaths(settings.state_dir))
    await Agent(settings, Api.in_cluster(dict(os.environ)), gateway).run()


def main() -> None:
    """Run the agent's process."""
    os.umask(0o077)  # evaluation samples and the state are for this user alone
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = Settings.from_environment()
    for why in damaged_protocols():
        log.error("%s", why)
    metrics.serve(settings.metrics_port)
    asyncio.run(serve(settings))
