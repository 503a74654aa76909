"""The real agent as a process of its own, with an administrator's kubeconfig instead of a pod's token.

python -m tests.device.agent_process KUBECONFIG API_URL GATEWAY_PORT GATEWAY_METRICS_PORT
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from skerry_agent import metrics
from skerry_agent.agent import Agent
from skerry_agent.gateway.driver import Gateway
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.kube import Api
from skerry_agent.settings import Settings
from tests.cluster.api import tls_context


async def serve(arguments: list[str]) -> None:
    """Run the agent until it is asked to end."""
    settings = Settings.from_environment()
    api = Api(arguments[1], tls_context(Path(arguments[0])))
    ports = int(arguments[2]), int(arguments[3])
    await Agent(settings, api, Gateway(GatewayPaths(settings.state_dir), *ports)).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    metrics.serve(Settings.from_environment().metrics_port)
    asyncio.run(serve(sys.argv[1:]))
