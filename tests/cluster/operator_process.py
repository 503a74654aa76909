"""The operator as a process of its own, against a real API server; it can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from tests.waiting import free_port

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "ab" * 32
STOP_SECONDS = 15


@dataclass
class OperatorProcess:
    """`python -m skerry.controllers` with a configuration of its own."""

    kubeconfig: Path
    folder: Path
    registry: str
    name: str = "operator-under-test"
    default_classes: bool = False
    engines: tuple[str, ...] = ("ONNXRuntime",)
    settings: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    metrics_port: int = 0
    _liveness: str = ""

    def start(self, crash_after: str = "") -> None:
        """Start it; with `crash_after` it ends itself after such a write."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        self._liveness = f"http://127.0.0.1:{free_port()}/healthz"
        self.metrics_port = free_port()
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "SKERRY_CONFIG": str(self._config()),
            "SKERRY_LIVENESS": self._liveness,
            "SKERRY_METRICS_PORT": str(self.metrics_port),
            "SKERRY_CRASH_AFTER": crash_after,
            "POD_NAME": self.name,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "skerry.controllers"],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def is_up(self) -> bool:
        """Return whether it answers the kubelet's probe."""
        try:
            return httpx.get(self._liveness, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def is_ready(self) -> bool:
        """Return whether its caches are filled."""
        url = self._liveness.replace("/healthz", "/readyz")
        try:
            return httpx.get(url, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def leads(self) -> bool:
        """Return whether it reports that it leads."""
        return self.metric("skerry_leading") == 1

    def metric(self, name: str) -> float | None:
        """Return a metric of its own without labels; None while there is none."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", trust_env=False)
        except httpx.TransportError:
            return None
        lines = (line.split() for line in answer.text.splitlines() if line.startswith(f"{name} "))
        return next((float(words[1]) for words in lines), None)

    def ended(self, seconds: float) -> int:
        """Return the exit code, when the process ends by itself in time."""
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()

    @property
    def log(self) -> Path:
        """What it has said."""
        return self.folder / f"{self.name}.log"

    def _config(self) -> Path:
        image = f"{self.registry}/skerry/image@{DIGEST}"
        engine = {
            "version": "1.32.0", "recipeSet": "onnxruntime/1",
            "optimizerImage": image, "runtimeImage": image,
        }  # fmt: skip
        config = {
            "registry": {"address": self.registry, "insecure": True},
            "engines": dict.fromkeys(self.engines, engine),
            "sources": {"fetcherImage": image},
            "builds": {"maxConcurrent": 1, "resources": {"cpu": "500m", "memory": "256Mi"}},
            "fleet": {"defaultClasses": self.default_classes},
            **self.settings,
        }
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return path
