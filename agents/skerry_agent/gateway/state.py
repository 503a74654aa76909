"""What the gateway shall do, as plain values: the input of the configuration file and of the driver."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from skerry_agent.addresses import endpoint
from skerry_agent.protocols.open_inference import OPEN_INFERENCE

SERVING_PORT = 8080
GRPC_SUFFIX = ":grpc"


@dataclass(frozen=True)
class Server:
    """One revision's pod: its address and its share of the traffic, 0 to 100.

    `grpc_port` is that of a replaced runtime, which takes HTTP/2 there; Skerry's own has one port.
    """

    address: str
    weight: int
    port: int = SERVING_PORT
    grpc_port: int | None = None
    http2: bool = False
    check_port: int = SERVING_PORT
    check_path: str = OPEN_INFERENCE.ready
    protocol: str = OPEN_INFERENCE.name

    @property
    def endpoint(self) -> str:
        """Address and port."""
        return endpoint(self.address, self.port)

    def for_grpc(self) -> Server:
        """Return the server as gRPC calls reach it."""
        if self.grpc_port is None:
            return self
        return replace(self, port=self.grpc_port, http2=True, check_port=self.port)


@dataclass(frozen=True)
class Backend:
    """One EdgeModel on this node: servers by revision, and what to say when none may answer."""

    servers: dict[str, Server] = field(default_factory=dict)
    reason: str = "no pod of this model answers on this node yet"


@dataclass(frozen=True)
class GatewayState:
    """All of it: backends by `namespace.name`, namespaces of the node's pods by their address."""

    backends: dict[str, Backend] = field(default_factory=dict)
    callers: dict[str, str] = field(default_factory=dict)

    def pools(self) -> dict[str, dict[str, Server]]:
        """Return the servers by name of HAProxy's backend.

        A model has a second one for gRPC when one of its revisions has a port for it.
        """
        pools: dict[str, dict[str, Server]] = {}
        for key, backend in self.backends.items():
            pools[key] = backend.servers
            if any(server.grpc_port for server in backend.servers.values()):
                pools[key + GRPC_SUFFIX] = {
                    revision: server.for_grpc() for revision, server in backend.servers.items()
                }
        return pools

    def checks(self) -> dict[str, str]:
        """Return the paths of health checks by revision, where they differ from the default."""
        return {
            revision: server.check_path
            for backend in self.backends.values()
            for revision, server in backend.servers.items()
            if server.check_path != OPEN_INFERENCE.ready
        }


def model_of(pool: str) -> str:
    """Return the model, `namespace.name`, of an HAProxy backend."""
    return pool.removesuffix(GRPC_SUFFIX)
