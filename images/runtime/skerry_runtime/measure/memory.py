"""Memory of a process, as the kernel counts it, and the model of one operator: the empty runtime.

The empty runtime is what interpreter, engine and code need anyway. Several models measured in one process
one after the other give nonsense, so each figure comes from a process of its own; it imports this, so
nothing here may cost a start much (`increments` compares the figures).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")

# An ONNX model of one operator: Identity of float x[N] to y[N], opset 17, IR version 9.
_ONE_OPERATOR = base64.b64decode(
    "CAkSADo9ChAKAXgSAXkiCElkZW50aXR5EgVlbXB0eVoQCgF4EgsKCQgBEgUKAxIBTmIQCgF5EgsKCQgB"
    "EgUKAxIBTkIECgAQEQ=="
)


@dataclass(frozen=True)
class Memory:
    """Memory of a process, in bytes: greatest so far, now, and the part that no file backs."""

    peak: int
    resident: int
    anonymous: int


def memory_now() -> Memory:
    """Return this process's memory."""
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    read = {name: int(fields[name].split()[0]) * 1024 for name in ("VmHWM", "VmRSS", "RssAnon")}
    return Memory(read["VmHWM"], read["VmRSS"], read["RssAnon"])


def write_one_operator_model(folder: Path) -> Path:
    """Write the empty runtime's model and return its path."""
    path = folder / "one-operator.onnx"
    path.write_bytes(_ONE_OPERATOR)
    return path
