"""What every recipe is given and gives."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.api.common import Precision


class NotSupported(Exception):  # noqa: N818 - a finding, not a fault: the outcome of the same name
    """This engine on this CPU can't run what the recipe would make; the message says why."""


@dataclass(frozen=True)
class Ingredients:
    """What a candidate is made of.

    Attributes:
        source: The model in float32, in one file, in a folder that can be written to: some of ONNX
            Runtime's functions leave files beside their input.
        target: Where the candidate's model goes.
        calibration: Samples, each the inputs of one inference.
        cpu_flags: Of the CPU that the job runs on, as /proc/cpuinfo has them.
    """

    source: Path
    target: Path
    calibration: Sequence[Mapping[str, NDArray[Any]]]
    cpu_flags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Recipe:
    """One way to make a candidate.

    Attributes:
        name: As `skerry.decide.select` knows it.
        precision: Of the candidate.
        maker: module:function below this folder; each needs other libraries, slow to import.
    """

    name: str
    precision: Precision
    maker: str

    def build(self, ingredients: Ingredients) -> None:
        """Write `ingredients.target`, or raise: `NotSupported`, or whatever fault there is."""
        make: Callable[[Ingredients], None] = pkgutil.resolve_name(
            f"skerry_optimizer.recipes.{self.maker}"
        )
        make(ingredients)
