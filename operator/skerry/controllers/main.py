"""The operator process: `python -m skerry.controllers`.

kopf watches and answers probes; workers make passes over EdgeModels, one loop looks at the fleet, and
both wait until this process leads. The first part that ends takes the others with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import kopf
from kubernetes.aio.client import ApiClient
from prometheus_client import start_http_server

from skerry.artifacts.registry import Registry
from skerry.cluster.client import Cluster
from skerry.cluster.connect import load_configuration
from skerry.cluster.errors import SkerryError
from skerry.controllers import handlers, leader, metrics
from skerry.controllers.config import load_config
from skerry.controllers.crash import crash_point
from skerry.controllers.fleet_loop import refresh, run_fleet_loop
from skerry.controllers.lookups import Lookups
from skerry.controllers.operator import Operator
from skerry.controllers.passes import WORKERS, run_worker
from skerry.controllers.pins import Pinner

if TYPE_CHECKING:
    from skerry.api.config import OperatorConfig
    from skerry.cluster.fleet import Key

CONFIG_VARIABLE = "SKERRY_CONFIG"
CONFIG_DEFAULT = "/etc/skerry/config.yaml"
LIVENESS_VARIABLE = "SKERRY_LIVENESS"
LIVENESS_DEFAULT = "http://0.0.0.0:8080/healthz"
METRICS_PORT_VARIABLE = "SKERRY_METRICS_PORT"
CANCEL_SECONDS = 1.0
EXIT_PART_ENDED = 1
EXIT_MISTAKE = 2

logger = logging.getLogger(__name__)


def main() -> None:
    """Run until told to stop; a mistake in the set-up ends with one line that says what to do."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        config = load_config(Path(os.environ.get(CONFIG_VARIABLE, CONFIG_DEFAULT)))
        sys.exit(asyncio.run(run(config)))
    except SkerryError as error:
        logger.error("%s", error)  # noqa: TRY400 - for people, without a trace
        sys.exit(EXIT_MISTAKE)


async def run(config: OperatorConfig) -> int:
    """Bring all parts up; returns the exit code when one of them has ended."""
    async with ApiClient(await load_configuration()) as api, httpx.AsyncClient() as http:
        operator = _operator(config, Cluster(api), http)
        await refresh(operator)
        start_http_server(int(os.environ.get(METRICS_PORT_VARIABLE, metrics.PORT)))
        lock = leader.lease(api)
        told = asyncio.Event()
        parts = [
            asyncio.create_task(told.wait(), name="stop"),
            asyncio.create_task(leader.lead(lock, operator.leading), name="leader election"),
            asyncio.create_task(run_fleet_loop(operator), name="fleet loop"),
            asyncio.create_task(run_worker(operator, urgent_only=True), name="urgent worker"),
            *(asyncio.create_task(run_worker(operator)) for _ in range(WORKERS)),
        ]
        watch = asyncio.create_task(_watch(operator, told), name="watch")
        try:
            await asyncio.wait([watch, *parts], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # kopf last: it would wait for the other parts, which it takes for its own.
            await _end(parts)
            await lock.release()
            await _end([watch])
        return 0 if told.is_set() else EXIT_PART_ENDED


def _operator(config: OperatorConfig, cluster: Cluster, http: httpx.AsyncClient) -> Operator:
    settings = config.registry
    registry = Registry(http, settings.address if settings.insecure else None)

    def wake(key: Key) -> None:
        operator.queue.add(key)

    lookups = Lookups(registry, f"{settings.address}/{settings.prefix}", wake)
    operator = Operator(config, cluster, Pinner(registry, wake), lookups, crash_point())
    return operator


async def _watch(operator: Operator, told: asyncio.Event) -> None:
    """kopf, with its own registry and the probe's endpoint.

    `told` is set on SIGTERM and SIGINT, in place of kopf's own handlers for them.
    """
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(kopf.login_via_client)
    handlers.register(registry, operator)
    before = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=handlers.settings(),
        # Its own guess asks for a user's name, and a container's user id has none.
        identity=cast("Any", os.environ.get("POD_NAME") or socket.gethostname()),
        clusterwide=True,
        standalone=True,
        liveness_endpoint=os.environ.get(LIVENESS_VARIABLE, LIVENESS_DEFAULT),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await kopf.run_tasks(tasks, ignored=before)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Stop what still runs, asking again where a library has swallowed it; errors are told."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_SECONDS)
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("%s ended", task.get_name(), exc_info=error)
