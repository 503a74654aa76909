"""What serving and measuring ask of an engine, and how a model is opened with one.

`skerry.engines.EnginePlugin.loader` names the function that each engine brings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from skerry.engines import EngineNotFound, find_engine
from skerry_runtime.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.engines import EnginePlugin
    from skerry_runtime.datatypes import TensorSpec


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
            file: Of the model; other files lie beside it.
            threads: Threads of one inference.

        Raises:
            ModelError: The engine can't load it on this CPU; the message is for people.
        """


def engine_named(name: str) -> EnginePlugin:
    """Return an engine by name.

    Raises:
        ModelError: This image does not have it.
    """
    try:
        return find_engine(name)
    except EngineNotFound as error:
        raise ModelError(str(error)) from error


def load_model(engine: str, file: Path, threads: int) -> LoadedModel:
    """Open a model with an engine by name.

    Raises:
        ModelError: This image has no such engine, the file is missing, or can't be loaded.
    """
    plugin = engine_named(engine)
    if not file.is_file():
        raise ModelError(f"{file} is missing: the artifact must hold it at its root")
    try:
        loaded: LoadedModel = plugin.load(file, threads)
    except ImportError as error:
        raise ModelError(
            f"this image holds no {plugin.title} ({error}): it is another engine's"
        ) from error
    return loaded
