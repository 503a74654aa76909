"""Memory of a process, as the kernel counts it, and ratios of increments over the empty runtime.

The empty runtime is the same process with a model of one operator: what interpreter, engine and
code need anyway. Several models measured in one process one after the other give nonsense, so each
figure comes from a process of its own.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from skerry.decide.intervals import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

# Increments below this are pages and allocator, not the model: smaller baselines count as this.
LEAST_BASELINE_BYTES = 32 * 2**20

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


def increments(peaks: Sequence[int], empty: Sequence[int]) -> tuple[int, ...]:
    """Return the peaks over the empty runtime's median peak, in bytes, never negative."""
    floor = int(median(empty))
    return tuple(max(0, peak - floor) for peak in peaks)


def reduction(baseline: Sequence[int], candidate: Sequence[int]) -> Estimate:
    """Return the share of the baseline's increment that the candidate saves; may be negative.

    With few processes a percentile means little: the interval is the range over all pairs of a
    baseline process and a candidate process.
    """
    pairs = [_saved(one, other) for one in baseline for other in candidate]
    return Estimate(_saved(median(baseline), median(candidate)), min(pairs), max(pairs))


def _saved(baseline: float, candidate: float) -> float:
    return (baseline - candidate) / max(baseline, LEAST_BASELINE_BYTES)
