"""What every recipe is given, whatever its engine, and the one finding that is no fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class NotSupported(Exception):  # noqa: N818 - a finding, not a fault: the outcome of the same name
    """This engine on this CPU can't run what the recipe would make; the message says why."""


@dataclass(frozen=True)
class Ingredients:
    """What a candidate is made of.

    Attributes:
        source: The model in float32, in the engine's own format (the first of its files), in a
            folder that can be written to: some quantisers leave files beside their input.
        target: Where the first of the candidate's files goes; others lie beside it.
        calibration: Samples, each the inputs of one inference.
        cpu_flags: Of the CPU that the job runs on, as /proc/cpuinfo has them.
    """

    source: Path
    target: Path
    calibration: Sequence[Mapping[str, NDArray[Any]]]
    cpu_flags: frozenset[str] = frozenset()
