"""What the gateway shall do, as plain values: the input of the configuration file and of the driver."""

from __future__ import annotations

from dataclasses import dataclass, field

SERVING_PORT = 8080


@dataclass(frozen=True)
class Server:
    """One revision's pod: its address and its share of the traffic, 0 to 100."""

    address: str
    weight: int
    port: int = SERVING_PORT


@dataclass(frozen=True)
class Backend:
    """One EdgeModel on this node: servers by revision, and what to say when none may answer."""

    servers: dict[str, Server] = field(default_factory=dict)
    reason: str = "no pod of this model is ready on this node yet"


@dataclass(frozen=True)
class GatewayState:
    """All of it: backends by `namespace.name`, namespaces of the node's pods by their address."""

    backends: dict[str, Backend] = field(default_factory=dict)
    callers: dict[str, str] = field(default_factory=dict)
