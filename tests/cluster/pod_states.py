"""Containers' states as a kubelet writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cluster.api import Object


def timestamp() -> str:
    """Now, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def environment(container: Object) -> dict[str, str]:
    """A container's variables that have plain values."""
    return {entry["name"]: entry.get("value", "") for entry in container.get("env", ())}


def base(container: Object) -> Object:
    """What every container's status says."""
    return {
        "name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0,
    }  # fmt: skip


def ended(container: Object, message: str, exit_code: int = 0) -> Object:
    """The status of a container that has ended."""
    state = {
        "exitCode": exit_code, "reason": "Error" if exit_code else "Completed", "message": message,
        "startedAt": timestamp(), "finishedAt": timestamp(),
    }  # fmt: skip
    return {**base(container), "ready": False, "state": {"terminated": state}}
