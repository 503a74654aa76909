"""Where gateway and agent meet: files and sockets of the directory that both mount."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - dataclass field, read by people


@dataclass(frozen=True)
class GatewayPaths:
    """Files below the state directory. Each gateway pod has sockets of its own name in `run`.

    During an upgrade two pods run side by side on the node; the agent drives all that answer.
    """

    directory: Path

    @property
    def config(self) -> Path:
        """Always holds the last state, so that a restarted gateway serves without agent."""
        return self.directory / "haproxy.cfg"

    @property
    def good(self) -> Path:
        """The last configuration that a gateway took: what one begins with that refuses the other."""
        return self.directory / "haproxy.cfg.good"

    @property
    def callers(self) -> Path:
        """Map of pod addresses to namespaces."""
        return self.directory / "callers.map"

    @property
    def reasons(self) -> Path:
        """Map of backends to what a 503 says."""
        return self.directory / "reasons.map"

    @property
    def checks(self) -> Path:
        """Map of revisions to the path of their health check, where it is not the usual one."""
        return self.directory / "checks.map"

    @property
    def run(self) -> Path:
        """Sockets."""
        return self.directory / "run"

    @property
    def log(self) -> Path:
        """The datagram socket on which the agent hears of every request."""
        return self.run / "log.sock"

    def admin_sockets(self) -> list[Path]:
        """Return the runtime sockets of the gateway pods on this node, including dead ones."""
        return sorted(self.run.glob("*.admin"))

    @staticmethod
    def master_of(admin: Path) -> Path:
        """Return the socket of the same pod's master process, which handles reloads."""
        return admin.with_suffix(".master")
