"""What serves a revision on this device, whatever starts it."""

from __future__ import annotations

from typing import Protocol

from skerry.api.common import Model
from skerry_agent.gateway.state import SERVING_PORT, Server
from skerry_agent.protocols.open_inference import OPEN_INFERENCE


class Ports(Model):
    """Where a server listens. Skerry's own runtime has one port for all; others have one for each."""

    http: int = SERVING_PORT
    grpc: int | None = None
    golden: int | None = None


class Instance(Model):
    """A server of one revision. `ready` is the word of what started it; `leaving`: it is being stopped.

    `check_path` is what a ready server answers, `protocol` how it is asked.
    """

    revision: str
    address: str
    ports: Ports = Ports()
    ready: bool = False
    leaving: bool = False
    protocol: str = OPEN_INFERENCE.name
    check_path: str = OPEN_INFERENCE.ready

    def as_server(self, weight: int) -> Server:
        """Return it as the gateway's server, with its share of the traffic."""
        return Server(
            self.address,
            weight,
            self.ports.http,
            self.ports.grpc,
            check_path=self.check_path,
            protocol=self.protocol,
        )


class Workloads(Protocol):
    """What runs on this device: pods of the kubelet, or services of another supervisor."""

    def instances(self, namespace: str, model: str) -> dict[str, Instance]:
        """Return the servers of a model by revision."""
        ...

    def callers(self) -> dict[str, str]:
        """Return the namespaces of those who may call a model by its bare name, by their address."""
        ...
