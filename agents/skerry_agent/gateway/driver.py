"""Brings every running gateway of this node to the wanted state, and says which servers are up.

Level-triggered: each pass looks at what runs and at the files, and sends and writes what is missing, so a
restarted, reloaded or second gateway (during its upgrade) needs no special case, nor does a damaged file.
A disk that refuses costs the files alone; a configuration that a gateway refuses is reported, and the last
one that was taken is kept next to it. Weights that changed go first, before the
files are written: a flip takes a millisecond. Only a backend that comes or goes needs a reload, and a gateway
whose configuration was written by another version of the agent.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

from skerry_agent import metrics
from skerry_agent.gateway import config
from skerry_agent.gateway.held import Held
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.gateway.socket import LiveServer, ask, parse_map, parse_stat, refusal
from skerry_agent.gateway.state import GRPC_SUFFIX, GatewayState, Server, model_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

RELOAD_SECONDS = 3.0
"""A reload is not asked for again before it can have shown."""
REFUSED_SECONDS = 30.0
"""Between two reloads that are refused."""
STALE_SECONDS = 120.0
NO_ANSWER = (OSError, TimeoutError, ValueError, LookupError)
"""What talking to a gateway may end with: nobody there, or an answer that is none."""

Live = dict[str, dict[str, LiveServer]]
Checks = dict[str, dict[str, bool | None]]
"""By model and address whether its health check is up; None before the first result."""
_CERTAINTY = (False, None, True).index
"""No, no result yet, yes: all of several is the least of them, any of them the greatest."""


@dataclass
class Gateway:
    """The gateways of this node.

    Attributes:
        disk: what the disk refused of the files; empty when they are written.
        refused: why a gateway refused its configuration, by its socket's name.
        missing: models that no running gateway has yet.
    """

    paths: GatewayPaths
    port: int = config.PORT
    metrics_port: int = config.METRICS_PORT
    state: GatewayState | None = None
    disk: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    _flipped: GatewayState | None = None
    _reloaded: dict[str, float] = field(default_factory=dict)
    _texts: list[tuple[Held, str]] = field(default_factory=list)
    _good: set[str] = field(default_factory=set)
    _held: tuple[Held, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing written."""
        paths = (self.paths.callers, self.paths.reasons, self.paths.checks, self.paths.config)
        self._held = tuple(Held(path) for path in paths)

    @property
    def trouble(self) -> str:
        """What is wrong with the gateways, for people; empty when all is well."""
        found = [f"the gateway's files can't be written: {self.disk}"] if self.disk else []
        if self.refused:
            why = next(iter(self.refused.values()))
            found.append(f"the gateway rejects {self.paths.config}: {why}")
        return "; ".join(found)

    async def flip(self, state: GatewayState) -> None:
        """Send only the weights that differ from the last state, so that a rollback waits for no disk."""
        if state not in (self.state, self._flipped):
            await self._send_weights(state)
            self._flipped = state

    async def apply(self, state: GatewayState) -> Checks:
        """Apply `state`; return what the checks of any running gateway say."""
        await self.flip(state)
        if state != self.state:
            if state.pools().keys() != (self.state or GatewayState()).pools().keys():
                for name in self.refused:
                    self._reloaded.pop(name, None)  # another file: no need to wait
            self.state, self._flipped = state, None
            self._texts = list(zip(self._held, self._rendered(state), strict=True))
        await self._write()
        found = [await self._converge(socket, state) for socket in self.paths.admin_sockets()]
        self.missing = frozenset(
            key for key in state.backends if not any(key in live for live in found)
        )
        metrics.GATEWAY_REFUSES.set(bool(self.refused))
        return _by_any([seen_up(live, state) for live in found])

    async def look(self) -> Checks:
        """Return what the checks of the running gateways say, before the wanted state is known."""
        found = [await self._live(socket) for socket in self.paths.admin_sockets()]
        return _by_any([seen_up(live, GatewayState()) for live in found])

    async def _send_weights(self, state: GatewayState) -> None:
        commands = changed_weights(self.state or GatewayState(), state)
        for socket in self.paths.admin_sockets() if commands else []:
            try:
                await ask(socket, commands)
            except NO_ANSWER:
                log.debug(
                    "gateway %s does not answer; the next reconcile brings it up to date",
                    socket.name,
                )

    def _rendered(self, state: GatewayState) -> tuple[str, str, str, str]:
        """Return the files' texts, in the order of `_held`."""
        return (
            config.lines_of_map(state.callers),
            config.lines_of_map(_reasons(state)),
            config.lines_of_map(state.checks()),
            config.render(state, self.paths, self.port, self.metrics_port),
        )

    async def _write(self) -> None:
        """Write the files whose content differs, also where somebody else changed it."""
        wanted = [(file, text) for file, text in self._texts if not file.holds(text)]
        if not wanted:
            self.disk = ""
            return
        try:
            for file, text in wanted:
                await asyncio.to_thread(file.write, text)
        except OSError as error:
            if str(error) != self.disk:
                log.error("the gateway's files can't be written: %s", error)  # noqa: TRY400
            self.disk = str(error)
        else:
            self.disk = ""

    async def _live(self, socket: Path) -> Live:
        try:
            return await _servers(socket)
        except NO_ANSWER:
            return {}

    async def _converge(self, socket: Path, state: GatewayState) -> Live:
        try:
            live = await _servers(socket)
            if set(live) != set(state.pools()) or not await self._has_form(socket):
                await self._reload(socket)
            else:
                self._note_taken(socket, state)
            # A server that is added is checked at once, by the path that the map has.
            await self._converge_maps(socket, state)
            commands = converge(live, state)
            if commands:
                await ask(socket, commands)
        except NO_ANSWER as error:
            self._drop_stale(socket, error)
            return {}
        return live

    async def _has_form(self, socket: Path) -> bool:
        """Return whether the gateway runs what this version of the agent writes, maps and checks included."""
        form = config.form_of(self.paths, self.port, self.metrics_port)
        return f"description: {form}" in (await ask(socket, ["show info"])).splitlines()

    async def _reload(self, socket: Path) -> None:
        now = monotonic()
        since = now - self._reloaded.get(socket.name, -REFUSED_SECONDS)
        if since < RELOAD_SECONDS:
            return
        master = GatewayPaths.master_of(socket)
        if since < REFUSED_SECONDS:
            self._note(socket, refusal("", await ask(master, ["show proc"])))
            if socket.name in self.refused:
                return
        self._reloaded[socket.name] = now
        log.info("models or the configuration's form changed: reloading %s", socket.stem)
        why = refusal(await ask(master, ["reload"]), "")
        if why:
            self._note(socket, why)

    def _note(self, socket: Path, why: str | None) -> None:
        if why is None:
            self.refused.pop(socket.name, None)
        elif socket.name not in self.refused:
            self.refused[socket.name] = why
            log.error("gateway %s rejects %s: %s", socket.stem, self.paths.config, why)

    def _note_taken(self, socket: Path, state: GatewayState) -> None:
        """Keep the file of a gateway that has loaded all models, for one that finds a damaged file."""
        self._note(socket, None)
        pools = set(state.pools())
        if self.disk or (pools == self._good and self.paths.good.exists()):
            return
        try:
            Held(self.paths.good).write(self._texts[-1][1])
        except OSError as error:
            log.debug("%s is not kept: %s", self.paths.good, error)
        self._good = pools

    async def _converge_maps(self, socket: Path, state: GatewayState) -> None:
        """Compare each time: a reload that was under way may have read the previous files."""
        for path, wanted in (
            (self.paths.callers, state.callers),
            (self.paths.reasons, _reasons(state)),
            (self.paths.checks, state.checks()),
        ):
            commands = map_commands(
                path, parse_map(await ask(socket, [f"show map {path}"])), wanted
            )
            if commands:
                await ask(socket, commands)

    def _drop_stale(self, socket: Path, error: Exception) -> None:
        log.debug("gateway %s: %s", socket.name, error)
        now = monotonic()
        since = self._reloaded.setdefault(f"silent {socket.name}", now)
        if isinstance(error, ConnectionRefusedError) and now - since > STALE_SECONDS:
            self.refused.pop(socket.name, None)
            with suppress(OSError):
                for path in (socket, GatewayPaths.master_of(socket)):
                    path.unlink(missing_ok=True)


async def _servers(socket: Path) -> Live:
    return parse_stat(await ask(socket, ["show stat -1 6 -1"]))


def _reasons(state: GatewayState) -> dict[str, str]:
    return {key: quote(backend.reason, safe="") for key, backend in state.backends.items()}


def changed_weights(old: GatewayState, new: GatewayState) -> list[str]:
    """Return commands for the weights that differ, growing ones first: some server always takes traffic."""
    changes = []
    pools = old.pools()
    for key, servers in new.pools().items():
        before = pools.get(key, {})
        for revision, server in servers.items():
            was = before.get(revision)
            if was is not None and was.weight != server.weight:
                changes.append((was.weight - server.weight, _weight(key, revision, server)))
    return [command for _, command in sorted(changes)]


def _weight(key: str, revision: str, server: Server) -> str:
    return f"set server {key}/{revision} weight {server.weight}"


def seen_up(live: Live, state: GatewayState) -> Checks:
    """Return whether a running gateway reaches each address, by every form of the protocol that the server has.

    A server with a port for gRPC is not up before the gateway has the backend for it, which comes with
    a reload: calls would meet its port for REST. A server in maintenance is on its way out, and its address
    may be another's by now.
    """
    up: Checks = {}
    for name, servers in live.items():
        known = up.setdefault(model_of(name), {})
        for server in servers.values():
            if not server.paused:
                known[server.host] = min(known.get(server.host, True), server.up, key=_CERTAINTY)
    for key, backend in state.backends.items():
        for revision, wanted in backend.servers.items() if key in live else ():
            if wanted.grpc_port and revision not in live.get(key + GRPC_SUFFIX, {}):
                up[key][wanted.address] = False
    return up


def _by_any(found: Iterable[Checks]) -> Checks:
    """Merge the gateways' checks: an address is up when one gateway reaches it."""
    up: Checks = {}
    for checks in found:
        for key, addresses in checks.items():
            known = up.setdefault(key, {})
            for address, answers in addresses.items():
                known[address] = max(known.get(address, False), answers, key=_CERTAINTY)
    return up


def converge(live: Live, state: GatewayState) -> list[str]:
    """Return commands that bring a running gateway's servers to `state`."""
    commands: list[str] = []
    for key, servers in state.pools().items():
        if key not in live:
            continue  # comes with the reload
        for revision, server in servers.items():
            commands += _server(f"{key}/{revision}", live[key].get(revision), server)
        for revision in set(live[key]) - set(servers):
            name = f"{key}/{revision}"
            commands += [f"set server {name} state maint", f"del server {name}"]
    return commands


def _server(name: str, live: LiveServer | None, wanted: Server) -> list[str]:
    if live is None:
        return [
            f"add server {name} {wanted.endpoint} {config.options(wanted)}",
            f"enable server {name}",
            f"enable health {name}",
        ]
    commands = []
    moved, paused = live.address != wanted.endpoint, live.paused
    if moved:
        commands.append(f"set server {name} addr {wanted.address} port {wanted.port}")
    if live.weight != wanted.weight:
        commands.append(f"set server {name} weight {wanted.weight}")
    if paused:
        commands.append(f"set server {name} state ready")
    if moved or paused:
        # last, as maintenance ends with it up: what an earlier check found says nothing any more
        commands.append(f"set server {name} health down")
    return commands


def map_commands(path: Path, live: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Return commands that bring a map in memory to `wanted`."""
    gone = [f"del map {path} {key}" for key in live.keys() - wanted.keys()]
    new = [f"add map {path} {key} {wanted[key]}" for key in wanted.keys() - live.keys()]
    other = [
        f"set map {path} {key} {wanted[key]}"
        for key in wanted.keys() & live.keys()
        if live[key] != wanted[key]
    ]
    return gone + new + other
