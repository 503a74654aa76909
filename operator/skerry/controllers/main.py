"""The operator process: `python -m skerry.controllers`.

kopf watches, one loop lists heartbeats; while this process leads, workers make passes over EdgeModels
and one loop looks at the fleet. The first part that ends takes the others with it. An API server that
is away ends nothing: all parts try again.
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
from skerry.controllers import handlers, metrics
from skerry.controllers.config import load_config
from skerry.controllers.crash import crash_point
from skerry.controllers.fleet_loop import fill, run_fleet_loop
from skerry.controllers.leader import Election
from skerry.controllers.lookups import Lookups
from skerry.controllers.operator import Operator
from skerry.controllers.pins import Pinner
from skerry.controllers.probes import serve_probes
from skerry.controllers.reach import run_lease_loop
from skerry.controllers.reconcile import WORKERS, run_worker
from skerry.controllers.tasks import end
from skerry.decide.build.registry import SHARED
from skerry.engines import damaged_engines
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from skerry.api.config import OperatorConfig
    from skerry.controllers.cache import Key

CONFIG_VARIABLE = "SKERRY_CONFIG"
CONFIG_DEFAULT = "/etc/skerry/config.yaml"
LIVENESS_VARIABLE = "SKERRY_LIVENESS"
LIVENESS_DEFAULT = "http://0.0.0.0:8080/healthz"
METRICS_PORT_VARIABLE = "SKERRY_METRICS_PORT"
EXIT_PART_ENDED = 1
EXIT_MISTAKE = 2

logger = logging.getLogger(__name__)


def main() -> None:
    """Run until asked to stop; a mistake in the set-up ends with one line that says what to do."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        for why in damaged_engines():
            logger.error("%s", why)
        config = load_config(Path(os.environ.get(CONFIG_VARIABLE, CONFIG_DEFAULT)))
        sys.exit(asyncio.run(run(config)))
    except SkerryError as error:
        logger.error("%s", error)  # noqa: TRY400 - for people, without a trace
        sys.exit(EXIT_MISTAKE)


async def run(config: OperatorConfig) -> int:
    """Bring all parts up; returns the exit code when one of them has ended."""
    async with ApiClient(await load_configuration()) as api, httpx.AsyncClient() as http:
        election = Election(Cluster(api), asyncio.Event())
        operator = _operator(config, Cluster(api, may_write=election.may_write), http, election)
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        start_http_server(int(os.environ.get(METRICS_PORT_VARIABLE, metrics.PORT)))
        stop = asyncio.create_task(stopping.wait(), name="stop")
        probes = asyncio.create_task(
            serve_probes(os.environ.get(LIVENESS_VARIABLE, LIVENESS_DEFAULT), operator, election)
        )
        filling = asyncio.create_task(fill(operator), name="first lists")
        parts: list[asyncio.Task[Any]] = [stop, probes, filling]
        watch: list[asyncio.Task[Any]] = []
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            if operator.filled.is_set():
                parts = [stop, probes, *_parts(operator, election)]
                watch = [asyncio.create_task(_watch(operator, stopping), name="watch")]
                await asyncio.wait([*watch, *parts], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # kopf last: it would wait for the other parts, which it takes for its own.
            await end([filling, *parts])
            await election.release()
            await end(watch)
        return 0 if stopping.is_set() else EXIT_PART_ENDED


def _parts(operator: Operator, election: Election) -> list[asyncio.Task[Any]]:
    async def act() -> None:
        """Run the writing parts for one term of leadership; they see only what this term has read."""
        fresh = asyncio.Event()
        acting = [
            asyncio.create_task(run_fleet_loop(operator, fresh), name="fleet loop"),
            asyncio.create_task(
                run_worker(operator, fresh, urgent_only=True), name="urgent worker"
            ),
            *(asyncio.create_task(run_worker(operator, fresh)) for _ in range(WORKERS)),
        ]
        try:
            await asyncio.wait(acting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(acting)

    return [
        asyncio.create_task(election.run(act), name="leader election"),
        asyncio.create_task(run_lease_loop(operator), name="heartbeats"),
    ]


def _operator(
    config: OperatorConfig, cluster: Cluster, http: httpx.AsyncClient, election: Election
) -> Operator:
    settings = config.registry
    registry = Registry(http, settings.address if settings.insecure else None)

    def wake(key: Key) -> None:
        operator.queue.add(key)

    lookups = Lookups(registry, f"{settings.address}/{settings.prefix}/{SHARED}", wake)
    operator = Operator(
        config, cluster, Pinner(registry, wake), lookups, crash_point(), leading=election.leading
    )
    return operator


async def _watch(operator: Operator, stopping: asyncio.Event) -> None:
    """Run kopf with a registry of its own.

    `stopping` is set on SIGTERM and SIGINT, also after kopf has set its own handlers for them.
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
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await kopf.run_tasks(tasks, ignored=before)
