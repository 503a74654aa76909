"""Brings every running gateway of this node to the wanted state, and says which servers are up.

Level-triggered: each pass looks at what runs and sends what is missing, so a restarted, reloaded or
second gateway (during its upgrade) needs no special case. Weights that changed go first, before the
files are written: a flip takes a millisecond. Only a backend that comes or goes needs a reload.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

from skerry_agent.files import write_atomically
from skerry_agent.gateway import config
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.gateway.socket import LiveServer, ask, parse_map, parse_stat
from skerry_agent.gateway.state import GRPC_SUFFIX, GatewayState, Server, model_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

RELOAD_SECONDS = 3.0
"""A reload is not asked for again before it can have shown."""
STALE_SECONDS = 120.0

Live = dict[str, dict[str, LiveServer]]
Checks = dict[str, dict[str, bool | None]]
"""By model and address whether its check is up; None while none has told."""
_CERTAINTY = (False, None, True).index
"""No, not told yet, yes: all of several is the least of them, any of them the greatest."""


@dataclass
class Gateway:
    """The gateways of this node."""

    paths: GatewayPaths
    port: int = config.PORT
    metrics_port: int = config.METRICS_PORT
    state: GatewayState | None = None
    _reloaded: dict[str, float] = field(default_factory=dict)

    async def apply(self, state: GatewayState) -> Checks:
        """Makes `state` so; returns what the checks of any running gateway say."""
        changed = state != self.state
        if changed:
            await self._send_weights(state)
            self._write(state)
            self.state = state
        return _by_any(
            [
                seen_up(await self._converge(socket, state), state)
                for socket in self.paths.admin_sockets()
            ]
        )

    async def look(self) -> Checks:
        """What the checks of the running gateways say, before anything is known of what shall be."""
        found = [await self._live(socket) for socket in self.paths.admin_sockets()]
        return _by_any([seen_up(live, GatewayState()) for live in found])

    async def _send_weights(self, state: GatewayState) -> None:
        commands = changed_weights(self.state or GatewayState(), state)
        for socket in self.paths.admin_sockets() if commands else []:
            try:
                await ask(socket, commands)
            except (OSError, TimeoutError):
                log.debug(
                    "gateway %s does not answer; the next pass brings it up to date", socket.name
                )

    def _write(self, state: GatewayState) -> None:
        write_atomically(self.paths.callers, config.lines_of_map(state.callers))
        write_atomically(self.paths.reasons, config.lines_of_map(_reasons(state)))
        text = config.render(state, self.paths, self.port, self.metrics_port)
        write_atomically(self.paths.config, text)

    async def _live(self, socket: Path) -> Live:
        try:
            return await _servers(socket)
        except (OSError, TimeoutError):
            return {}

    async def _converge(self, socket: Path, state: GatewayState) -> Live:
        try:
            live = await _servers(socket)
            if set(live) != set(state.pools()):
                await self._reload(socket)
            commands = converge(live, state)
            if commands:
                await ask(socket, commands)
            await self._converge_maps(socket, state)
        except (OSError, TimeoutError) as error:
            self._drop_stale(socket, error)
            return {}
        return live

    async def _reload(self, socket: Path) -> None:
        now = monotonic()
        if now - self._reloaded.get(socket.name, -RELOAD_SECONDS) < RELOAD_SECONDS:
            return
        self._reloaded[socket.name] = now
        log.info("models came or went: reloading %s", socket.stem)
        await ask(GatewayPaths.master_of(socket), ["reload"])

    async def _converge_maps(self, socket: Path, state: GatewayState) -> None:
        """Looks each time: a reload that was under way may have read the files of before."""
        for path, wanted in (
            (self.paths.callers, state.callers),
            (self.paths.reasons, _reasons(state)),
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
            for path in (socket, GatewayPaths.master_of(socket)):
                path.unlink(missing_ok=True)


async def _servers(socket: Path) -> Live:
    return parse_stat(await ask(socket, ["show stat -1 6 -1"]))


def _reasons(state: GatewayState) -> dict[str, str]:
    return {key: quote(backend.reason, safe="") for key, backend in state.backends.items()}


def changed_weights(old: GatewayState, new: GatewayState) -> list[str]:
    """Commands for weights that differ, those that grow first: there is always somewhere to go."""
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
    """Whether a running gateway reaches each address, by every form of the protocol that it has.

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
    """One gateway that reaches an address is enough."""
    up: Checks = {}
    for checks in found:
        for key, addresses in checks.items():
            known = up.setdefault(key, {})
            for address, answers in addresses.items():
                known[address] = max(known.get(address, False), answers, key=_CERTAINTY)
    return up


def converge(live: Live, state: GatewayState) -> list[str]:
    """Commands that bring a running gateway's servers to `state`."""
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
    """Commands that bring a map in memory to `wanted`."""
    gone = [f"del map {path} {key}" for key in live.keys() - wanted.keys()]
    new = [f"add map {path} {key} {wanted[key]}" for key in wanted.keys() - live.keys()]
    other = [
        f"set map {path} {key} {wanted[key]}"
        for key in wanted.keys() & live.keys()
        if live[key] != wanted[key]
    ]
    return gone + new + other
