"""The agent's loop: once a second, or when something happens, it reconciles all models of the node.

mirrors of routes and pods, the gateway's log -> runners -> gateway, disk, EdgeNode.status

Nothing waits for the API server: what is known is on disk, reports are sent when it is there again.
An agent that knows nothing yet (a new device, not connected) leaves the gateway as it is.
A rollback goes in this order: the gateway's weights, the report, the disk. What fails costs itself alone:
one model's reconcile, one route that can't be read, a disk that is full.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import ValidationError

from skerry.api.common import API_VERSION, LABEL_CLASS
from skerry.api.edgenode import EdgeNodeStatus, NodeModel
from skerry_agent import golden, metrics
from skerry_agent.clock import Clock
from skerry_agent.facts.watch import Watch
from skerry_agent.gateway.requests import LoggedAnswer, Requests, keep_listening
from skerry_agent.gateway.state import Backend, GatewayState
from skerry_agent.golden import Golden
from skerry_agent.kube import Api, Mirror
from skerry_agent.kubelet import Pod, Pods
from skerry_agent.routes import Routes, models_of, place_of, sentence
from skerry_agent.runner import Runner
from skerry_agent.store import Store
from skerry_agent.supervise import supervised
from skerry_agent.timeline import emit
from skerry_agent.trial.memory import Memory
from skerry_agent.trial.node_status import most_urgent, node_model
from skerry_agent.uplink import Uplink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from skerry.api.modelroute import ModelRoute
    from skerry_agent.gateway.driver import Checks, Gateway
    from skerry_agent.gateway.state import Server
    from skerry_agent.settings import Settings
    from skerry_agent.times import Reading
    from skerry_agent.trial.instance import Workloads

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 1.0
ROUTES = f"/apis/{API_VERSION}/modelroutes"
NODES = f"/apis/{API_VERSION}/edgenodes"


class Agent:
    """One device's agent."""

    def __init__(self, settings: Settings, api: Api, gateway: Gateway) -> None:
        """Read what was stored; nothing runs yet."""
        self.settings, self.api, self.gateway = settings, api, gateway
        self.clock = Clock()
        self.jumps = 0
        self.wake = asyncio.Event()
        self.store = Store(settings.state_dir)
        self.kept = self.store.load()
        self.routes = Routes()
        self.runners: dict[str, Runner] = {}
        self.backends: dict[str, Backend] = {}
        self.checks: Checks = {}
        self.mirrors: dict[str, tuple[Mirror, asyncio.Task[None]]] = {}
        self.golden = Golden(settings.state_dir, httpx.AsyncClient(trust_env=False))
        self.uplink = Uplink(api, settings, self.restart_mirrors)
        self.facts = Watch(settings.places)
        self.reported_vetoes: dict[str, NodeModel] | None = None

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; restart whatever ends before."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        requests = Requests(self._servers, self._record, self.wake.set, self.clock)
        works: dict[str, Callable[[], Awaitable[None]]] = {
            "log": lambda: keep_listening(self.gateway.paths.log, requests),
            "reconciles": self._reconcile_forever,
            "reports": self.uplink.send_reports,
            "beats": self.uplink.send_heartbeats,
            "facts": self.facts.run,
        }
        tasks = [asyncio.create_task(supervised(part, work)) for part, work in works.items()]
        await stop.wait()
        mirrors = [task for _, task in self.mirrors.values()]
        for task in (*tasks, *mirrors):
            task.cancel()
        await asyncio.gather(*tasks, *mirrors, return_exceptions=True)

    def _servers(self) -> dict[str, dict[str, Server]]:
        state = self.gateway.state or GatewayState()
        return {key: backend.servers for key, backend in state.backends.items()}

    def _record(self, logged: LoggedAnswer) -> None:
        key, revision, answer = logged
        if key in self.runners:
            self.runners[key].record(revision, answer)

    async def _reconcile_forever(self) -> None:
        # what serves keeps serving, whatever the kubelet reported last
        self.checks = await self.gateway.look()
        while True:
            await self._reconcile()
            metrics.note_reconcile()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), RECONCILE_SECONDS)
            self.wake.clear()

    async def _reconcile(self) -> None:
        self._follow_what_matters()
        self._take_in()
        if not self._knows():
            return
        clock, workloads = self._read_clock(), Pods(self.kept.pods.values())
        self.backends = {key: self._tick(key, clock, workloads) for key in self.runners}
        state = GatewayState(self.backends, workloads.callers())
        await self.gateway.flip(state)
        for runner in self.runners.values():
            runner.note_flip()
        if self.facts.looked:
            self.uplink.offer(self._status())  # sent while the files are written
        checks = await self.gateway.apply(state)
        if checks != self.checks:
            self.checks = checks
            self.wake.set()  # the next reconcile uses them
        await self._keep()
        self._forget()

    def _read_clock(self) -> Reading:
        clock = self.clock.read()
        if clock.jumps != self.jumps:
            metrics.CLOCK_JUMPS.inc(clock.jumps - self.jumps)
            self.jumps = clock.jumps
            emit("clock_set", by_seconds=round(clock.jumped_by, 3))
        return clock

    def _tick(self, key: str, clock: Reading, workloads: Workloads) -> Backend:
        """Reconcile one model; a fault leaves that model's traffic as it was, and the others alone."""
        runner = self.runners[key]
        namespace, model = key.split(".", 1)
        try:
            runner.tick(clock, workloads.instances(namespace, model), self.checks.get(key, {}))
            backend = runner.model.backend()
        except Exception as error:
            metrics.FAULTS.labels("model").inc()
            fault = f"{type(error).__name__}: {error}"
            if fault != runner.fault:
                log.exception("%s: its reconcile failed, its traffic stays as it is", key)
            runner.fault = fault
            return self.backends.get(key, Backend())
        runner.fault = ""
        return backend

    def _knows(self) -> bool:
        """Return whether routes are known: from the API server, or from disk as this version reads them."""
        return bool(self.kept.hardware_class) and (bool(self.runners) or self._synced("routes"))

    def _synced(self, name: str) -> bool:
        return name in self.mirrors and self.mirrors[name][0].synced

    def _follow_what_matters(self) -> None:
        """Keep one mirror of the own EdgeNode, one of routes, one of pods per namespace."""
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
            self._begin_mirror(name, Mirror(self.api, *wanted[name], self.wake.set))

    def _begin_mirror(self, name: str, mirror: Mirror) -> None:
        task = asyncio.create_task(supervised("mirror", mirror.run))
        self.mirrors[name] = (mirror, task)

    def restart_mirrors(self) -> None:
        """Watch again when the API server is back: earlier connections may be dead without a sign of it."""
        for name, (mirror, task) in list(self.mirrors.items()):
            task.cancel()
            self._begin_mirror(name, mirror)

    def _take_in(self) -> None:
        """Store what the mirrors show."""
        changes: dict[str, Any] = {}
        if self._synced("node"):
            node = next(iter(self.mirrors["node"][0].objects.values()), None)
            self.uplink.observe(node)
            if node is not None:
                self._take_reported(node)
                changes["hardware_class"] = _class_of(node) or self.kept.hardware_class
                changes["place"] = place_of(node) or self.kept.place
        if self._synced("routes"):
            found = {k: _lean(v) for k, v in self.mirrors["routes"][0].objects.items()}
            changes["routes"] = self.routes.take(found, self.kept.routes)
        changes["pods"] = self._pods(changes.get("routes", self.kept.routes))
        self.kept = self.kept.model_copy(update=changes)
        self._match_runners()

    def _take_reported(self, node: dict[str, Any]) -> None:
        """Take once what an earlier agent reported: vetoes outlive a disk that lost them."""
        if self.reported_vetoes is not None:
            return
        self.reported_vetoes = {}
        for item in (node.get("status") or {}).get("models") or ():
            with suppress(ValidationError):
                model = NodeModel.model_validate(item)
                self.reported_vetoes[f"{model.namespace}.{model.name}"] = model
        for key, runner in self.runners.items():
            runner.model.memory = self._with_reported(key, runner.model.memory)

    def _with_reported(self, key: str, memory: Memory) -> Memory:
        found = (self.reported_vetoes or {}).get(key)
        if found is None or (found.edge_model_uid or "") != memory.uid:
            return memory
        return memory.with_vetoes(found.vetoes)

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
        wanted = self.routes.parsed(self.kept.routes)
        for key, runner in list(self.runners.items()):
            uid = wanted[key].spec.edge_model_uid if key in wanted else None
            if key not in wanted or runner.model.memory.is_of_another(uid):
                self._drop(key)
        for key, route in wanted.items():
            if key in self.runners:
                self.runners[key].model.take_route(route)
            else:
                memory = self._remembered(key, route)
                self.runners[key] = Runner(route, memory, self.golden, self.wake, self.clock)

    def _remembered(self, key: str, route: ModelRoute) -> Memory:
        """Return what is stored of the model; nothing of an earlier EdgeModel of its name."""
        memory, uid = self.kept.memories.get(key, Memory()), route.spec.edge_model_uid
        if memory.is_of_another(uid):
            emit("model_recreated", model=key, uid=uid)
            memory = Memory()
        return self._with_reported(key, memory.identified(uid))

    def _drop(self, key: str) -> None:
        self.runners.pop(key).stop()
        self.backends.pop(key, None)
        metrics.forget_model(key)

    def _forget(self) -> None:
        """Drop samples and labels of revisions that are gone."""
        kept = {key: runner.model.revisions for key, runner in self.runners.items()}
        metrics.forget(kept)
        self.golden.forget(
            frozenset(
                golden.key_of(runner.model.owner, revision)
                for key, runner in self.runners.items()
                for revision in kept[key]
            )
        )

    async def _keep(self) -> None:
        """Write what changed, off the loop: a report is sent meanwhile."""
        self.kept = self.kept.model_copy(update={"memories": self._memories()})
        if self.store.lacks(self.kept):
            await asyncio.to_thread(self.store.save, self.kept)

    def _memories(self) -> dict[str, Memory]:
        """Return what is to be stored, of models too whose routes only another version of the agent reads."""
        routed = models_of(self.kept.routes)
        stored = {key: memory for key, memory in self.kept.memories.items() if key in routed}
        return stored | {key: runner.model.memory for key, runner in self.runners.items()}

    def _status(self) -> EdgeNodeStatus:
        known = {key: runner.model.route for key, runner in self.runners.items()}
        models = [self._reported(key, runner) for key, runner in sorted(self.runners.items())]
        models += self.routes.strangers(known)
        reported = most_urgent(models)
        left = len(models) - len(reported)
        metrics.NOT_REPORTED.set(left)
        troubles = (self.store.trouble, self.gateway.trouble)
        return EdgeNodeStatus(
            agent_version=version("skerry")[:40],
            facts=self.facts.reported,
            models=reported,
            models_not_reported=left or None,
            message="; ".join(trouble for trouble in troubles if trouble) or None,
        )

    def _reported(self, key: str, runner: Runner) -> NodeModel:
        model, route = runner.model, runner.model.route
        name = f"{route.metadata.namespace}/{route.metadata.name}"
        troubles = [model.trouble]
        if name in self.routes.unreadable:
            troubles.append(sentence(name, self.routes.unreadable[name]))
        if runner.fault:
            troubles.append(f"its last reconcile failed: {runner.fault}")
        if key in self.gateway.missing and self.gateway.trouble:
            troubles.append(self.gateway.trouble)
        trouble = "; ".join(trouble for trouble in troubles if trouble)
        return node_model(route, model.memory, model.up, self.kept.place, trouble)


def _class_of(node: dict[str, Any]) -> str:
    return str((node.get("spec") or {}).get("hardwareClassName") or "")


def _lean(item: dict[str, Any]) -> dict[str, Any]:
    """Return a route without what changes nothing here."""
    kept = ("name", "namespace", "uid")
    metadata = {name: item["metadata"][name] for name in kept if name in item["metadata"]}
    return {**item, "metadata": metadata}
