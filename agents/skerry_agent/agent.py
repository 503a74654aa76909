"""The agent's loop: once a second, or when something happens, one pass over all models of the node.

mirrors of routes and pods, the gateway's log -> runners -> gateway, disk, EdgeNode.status

Nothing waits for the API server: what is known is on disk, reports are sent when it is there again.
An agent that knows nothing yet (a new device, not connected) leaves the gateway as it is.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from importlib.metadata import version
from time import time
from typing import TYPE_CHECKING, Any

import httpx

from skerry.api.common import API_VERSION, LABEL_CLASS
from skerry.api.edgenode import EdgeNodeStatus
from skerry.api.modelroute import ModelRoute
from skerry_agent import metrics
from skerry_agent.facts.watch import Watch
from skerry_agent.gateway.requests import Heard, Requests, listen
from skerry_agent.gateway.state import GatewayState
from skerry_agent.golden import Golden
from skerry_agent.kube import Api, Mirror
from skerry_agent.plan import Memory
from skerry_agent.pods import Pod, callers, of_model
from skerry_agent.report import node_model
from skerry_agent.reporting import Reporting
from skerry_agent.runner import Runner
from skerry_agent.store import Store
from skerry_agent.timeline import tell

if TYPE_CHECKING:
    from skerry_agent.gateway.driver import Checks, Gateway
    from skerry_agent.settings import Settings

log = logging.getLogger(__name__)

PASS_SECONDS = 1.0
ROUTES = f"/apis/{API_VERSION}/modelroutes"
NODES = f"/apis/{API_VERSION}/edgenodes"


class Agent:
    """One device's agent."""

    def __init__(self, settings: Settings, api: Api, gateway: Gateway) -> None:
        """Reads what was kept; nothing runs yet."""
        self.settings, self.api, self.gateway = settings, api, gateway
        self.wake = asyncio.Event()
        self.store = Store(settings.state_dir)
        self.kept = self.store.load()
        self.runners: dict[str, Runner] = {}
        self.checks: Checks = {}
        self.mirrors: dict[str, tuple[Mirror, asyncio.Task[None]]] = {}
        self.golden = Golden(settings.state_dir, httpx.AsyncClient(trust_env=False))
        self.reporting = Reporting(api, settings, self.follow_anew)
        self.facts = Watch(settings.places)
        self.told: dict[str, bool] = {}

    async def run(self) -> None:
        """Runs until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        requests = Requests(self._weights, self._heard, self.wake.set)
        transport = await listen(self.gateway.paths.log, requests)
        works = (self._passes(), self.reporting.run(), self.facts.run())
        tasks = [asyncio.create_task(work) for work in works]
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        mirrors = [task for _, task in self.mirrors.values()]
        for task in (*tasks, *mirrors, stopped):
            task.cancel()
        await asyncio.gather(*tasks, *mirrors, stopped, return_exceptions=True)
        transport.close()
        for task in done:
            task.result()  # a bug ends the process: the kubelet starts it anew

    def _weights(self) -> dict[str, dict[str, int]]:
        state = self.gateway.state or GatewayState()
        return {
            key: {revision: server.weight for revision, server in backend.servers.items()}
            for key, backend in state.backends.items()
        }

    def _heard(self, heard: Heard) -> None:
        key, revision, answer = heard
        if key in self.runners:
            self.runners[key].hear(revision, answer)

    async def _passes(self) -> None:
        # what serves goes on, whatever the last word of the kubelet was
        self.checks = await self.gateway.look()
        while True:
            await self._pass()
            metrics.passed()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), PASS_SECONDS)
            self.wake.clear()

    async def _pass(self) -> None:
        self._follow_what_matters()
        self._take_in()
        if not self._knows():
            return
        now = time()
        pods = list(self.kept.pods.values())
        for key, runner in self.runners.items():
            namespace, model = key.split(".", 1)
            runner.tick(now, of_model(pods, namespace, model), self.checks.get(key, {}))
        backends = {key: runner.backend() for key, runner in self.runners.items()}
        checks = await self.gateway.apply(GatewayState(backends, callers(pods)))
        if checks != self.checks:
            self.checks = checks
            self.wake.set()  # the next pass goes by them
        self._tell_flips()
        self._keep()
        if self.facts.looked:
            self.reporting.offer(self._status())

    def _knows(self) -> bool:
        """Whether routes are known, from the API server or from disk."""
        return bool(self.kept.hardware_class) and (bool(self.kept.routes) or self._synced("routes"))

    def _synced(self, name: str) -> bool:
        return name in self.mirrors and self.mirrors[name][0].synced

    def _follow_what_matters(self) -> None:
        """Keeps one mirror of the own EdgeNode, one of routes, one of pods per namespace."""
        node = {"fieldSelector": f"metadata.name={self.settings.node}"}
        wanted = {"node": (NODES, node)}
        if self.kept.hardware_class:
            wanted["routes"] = (
                ROUTES,
                {"labelSelector": f"{LABEL_CLASS}={self.kept.hardware_class}"},
            )
        mine = {"fieldSelector": f"spec.nodeName={self.settings.node}"}
        for namespace in {key.split("/")[0] for key in self.kept.routes}:
            wanted[f"pods {namespace}"] = (f"/api/v1/namespaces/{namespace}/pods", mine)
        for name in list(self.mirrors):
            if name not in wanted or self.mirrors[name][0].query != wanted[name][1]:
                self.mirrors.pop(name)[1].cancel()
        for name in wanted.keys() - self.mirrors.keys():
            mirror = Mirror(self.api, *wanted[name], self.wake.set)
            self.mirrors[name] = (mirror, asyncio.create_task(mirror.run()))

    def follow_anew(self) -> None:
        """The API server is back: connections from before may be dead without anyone having said so."""
        for name, (mirror, task) in list(self.mirrors.items()):
            task.cancel()
            self.mirrors[name] = (mirror, asyncio.create_task(mirror.run()))

    def _take_in(self) -> None:
        """Puts what the mirrors show into what is kept."""
        changes: dict[str, Any] = {}
        if self._synced("node"):
            for item in self.mirrors["node"][0].objects.values():
                changes["hardware_class"] = item["spec"]["hardwareClass"]
        if self._synced("routes"):
            changes["routes"] = {k: _lean(v) for k, v in self.mirrors["routes"][0].objects.items()}
        changes["pods"] = self._pods(changes.get("routes", self.kept.routes))
        self.kept = self.kept.model_copy(update=changes)
        self._match_runners()

    def _pods(self, routes: dict[str, Any]) -> dict[str, Pod]:
        found: dict[str, Pod] = {}
        for namespace in {key.split("/")[0] for key in routes}:
            if self._synced(f"pods {namespace}"):
                objects = self.mirrors[f"pods {namespace}"][0].objects
                found |= {key: Pod.of(item) for key, item in objects.items()}
            else:
                found |= {k: p for k, p in self.kept.pods.items() if p.namespace == namespace}
        return found

    def _match_runners(self) -> None:
        routes = [ModelRoute.model_validate(item) for item in self.kept.routes.values()]
        wanted = {f"{route.metadata.namespace}.{route.spec.edge_model}": route for route in routes}
        for key in self.runners.keys() - wanted.keys():
            self.runners.pop(key).stop()
        for key, route in wanted.items():
            if key in self.runners:
                self.runners[key].route = route
            else:
                memory = self.kept.memories.get(key, Memory())
                self.runners[key] = Runner(route, memory, self.golden, self.wake, time())

    def _tell_flips(self) -> None:
        for key, runner in self.runners.items():
            trial = runner.memory.trial
            failed = trial is not None and runner.memory.vetoed(*trial.key)
            if trial is not None and failed and not self.told.get(key, failed):
                tell("flipped", model=key, revision=trial.revision, attempt=trial.attempt)
            self.told[key] = failed

    def _keep(self) -> None:
        memories = {key: runner.memory for key, runner in self.runners.items()}
        self.kept = self.kept.model_copy(update={"memories": memories})
        self.store.save(self.kept)

    def _status(self) -> EdgeNodeStatus:
        models = [
            node_model(runner.route, runner.memory, runner.up)
            for _, runner in sorted(self.runners.items())
        ]
        return EdgeNodeStatus(
            agent_version=version("skerry"), facts=self.facts.reported, models=tuple(models)
        )


def _lean(item: dict[str, Any]) -> dict[str, Any]:
    """Without what changes nothing here."""
    kept = ("name", "namespace", "generation", "uid")
    metadata = {name: item["metadata"][name] for name in kept if name in item["metadata"]}
    return {**item, "metadata": metadata}
