"""What an engine's code is given and returns: the functions that `EnginePlugin` names.

Arrays are numpy's; numpy itself is needed by the code alone, not by this description of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


WHOLE_INPUTS = "skerry_whole_inputs"
"""A property of the ONNX file that a converter gets: a JSON list of inputs whose first axis is not the samples,
such as states of [layers, batch, hidden]. Without it, each open first axis is the samples'."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of the loaded model. Not pydantic: that would cost each device 8 MB of memory.

    Attributes:
        name: In the model.
        datatype: The Open Inference Protocol's name, such as FP32.
        shape: -1 is a free axis.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array of this shape fits."""
        pairs = zip(self.shape, shape, strict=False)
        return len(shape) == len(self.shape) and all(have in (-1, got) for have, got in pairs)


class LoadedModel(Protocol):
    """A model in its engine."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it answers."""

    @property
    def version(self) -> str:
        """The engine's version."""

    def run(
        self, names: Sequence[str], inputs: Mapping[str, NDArray[Any]]
    ) -> Sequence[NDArray[Any]]:
        """Compute the named outputs; called by one thread at a time.

        Raises:
            InputError: The values are refused: the caller's fault, not the model's.
        """


class Loader(Protocol):
    """Opens a model on the CPU."""

    def __call__(self, file: Path, threads: int) -> LoadedModel:
        """Open the first of a model's files, in the engine's format or ONNX as it came.

        ONNX is computed in float32; a candidate of the engine's own in the precision that its recipe
        wrote into it, never in what the engine prefers on the CPU at hand.

        Args:
            file: Of the model; other files lie next to it.
            threads: Threads of one inference.

        Raises:
            ModelError: The engine can't load it on this CPU; the message is for people.
        """


class Converter(Protocol):
    """Turns a source into the engine's own format."""

    def __call__(self, source: Path, target: Path) -> str:
        """Write `target` (others of the model's files next to it); return what was done, in words.

        Args:
            source: An ONNX file of a known opset with all its weights; above 2 GB these lie next to it, in files
                that are named as it is with `.data`, `.data1`, ... behind. It may be moved away, and they with it.
            target: The first of the engine's files.

        Raises:
            ModelError: The engine can't take the model; the message is for people.
        """


class Optimizer(Protocol):
    """Stores a graph as the engine would optimize it while loading."""

    def __call__(self, file: Path, optimized: Path) -> LoadedModel:
        """Write `optimized`, for any CPU of the class; return the model as it was optimized in memory.

        Raises:
            ModelError: It can't be stored; the message is for people.
        """


@dataclass(frozen=True)
class Ingredients:
    """What a recipe makes a candidate of, whatever its engine.

    Attributes:
        source: The model in float32, in the engine's own format (the first of its files), in a
            folder that can be written to: some quantizers leave files next to their input.
        target: Where the first of the candidate's files goes; others lie next to it.
        calibration: Samples, each the inputs of one inference.
        cpu_flags: Of the CPU that the job runs on, as /proc/cpuinfo has them.
    """

    source: Path
    target: Path
    calibration: Sequence[Mapping[str, NDArray[Any]]]
    cpu_flags: frozenset[str] = frozenset()
