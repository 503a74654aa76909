"""The runtime's settings, all from the pod's environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from skerry.engines import ModelError


@dataclass(frozen=True)
class Settings:
    """Settings of one serving process; the names of the variables stand in `from_environment`."""

    model_name: str
    revision: str
    model_dir: Path
    cpu_limit: float = 1.0
    port: int = 8080
    waiting: int = 32
    max_body_bytes: int = 8 * 2**20
    drain_seconds: float = 5.0
    artifact_digest: str | None = None

    @property
    def running_and_waiting(self) -> int:
        """Places for inference requests. One runs: it has all the threads of the CPU limit."""
        return 1 + self.waiting


def from_environment() -> Settings:
    """Read the settings.

    Raises:
        ModelError: One is missing or not a number.
    """
    read = os.environ.get
    name = read("SKERRY_MODEL_NAME")
    if not name:
        raise ModelError("SKERRY_MODEL_NAME is not set: it is the model's name in the protocol")
    return Settings(
        model_name=name,
        # A version is part of the protocol's paths, so there is always one.
        revision=read("SKERRY_REVISION") or "1",
        model_dir=Path(read("SKERRY_MODEL_DIR", "/model")),
        cpu_limit=_number("SKERRY_CPU_LIMIT", Settings.cpu_limit),
        port=int(_number("SKERRY_PORT", Settings.port)),
        waiting=int(_number("SKERRY_MAX_WAITING", Settings.waiting)),
        max_body_bytes=int(_number("SKERRY_MAX_BODY_BYTES", Settings.max_body_bytes)),
        drain_seconds=_number("SKERRY_DRAIN_SECONDS", Settings.drain_seconds),
        artifact_digest=read("SKERRY_ARTIFACT_DIGEST") or None,
    )


def _number(variable: str, default: float) -> float:
    text = os.environ.get(variable, "")
    try:
        number = float(text) if text else default
    except ValueError as error:
        raise ModelError(f"{variable} is {text!r}, which is no number") from error
    if number < 0:
        raise ModelError(f"{variable} is {text!r}, which is negative")
    return number
