"""The agent's settings, from its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from skerry_agent.facts.places import Places

DEFAULT_STATE_DIR = "/var/lib/skerry"


@dataclass(frozen=True)
class Settings:
    """Settings of one device's agent; times in seconds."""

    node: str
    namespace: str
    state_dir: Path
    heartbeat_seconds: float = 60.0
    metrics_port: int = 9090
    places: Places = field(default_factory=lambda: Places.of_environment(os.environ))

    @staticmethod
    def from_environment() -> Settings:
        """Read NODE_NAME, POD_NAMESPACE, SKERRY_STATE_DIR, SKERRY_HEARTBEAT_SECONDS.

        Raises:
            SystemExit: NODE_NAME is missing.
        """
        node = os.environ.get("NODE_NAME")
        if not node:
            raise SystemExit("NODE_NAME is not set: the agent must know which EdgeNode is its own")
        return Settings(
            node=node,
            namespace=os.environ.get("POD_NAMESPACE", "skerry-system"),
            state_dir=Path(os.environ.get("SKERRY_STATE_DIR", DEFAULT_STATE_DIR)),
            heartbeat_seconds=float(os.environ.get("SKERRY_HEARTBEAT_SECONDS", "60")),
            metrics_port=int(os.environ.get("SKERRY_METRICS_PORT", "9090")),
        )
