"""What the stages ask of an engine beside its recipes; `skerry.engines.EnginePlugin` names them."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Protocol

from skerry.engines import EngineNotFound, find_engine
from skerry.jobs.errors import StageError

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.engines import EnginePlugin
    from skerry_runtime.engine import LoadedModel


class Converter(Protocol):
    """Turns a source into the engine's own format."""

    def __call__(self, source: Path, target: Path) -> str:
        """Write `target` (others of the model's files beside it); return what was done, in words.

        Args:
            source: An ONNX file of a known opset with all its weights; it may be moved away.
            target: The first of the engine's files.

        Raises:
            ModelError: The engine can't take the model; the message is for people.
        """


class Optimiser(Protocol):
    """Stores a graph as the engine would optimise it while loading."""

    def __call__(self, file: Path, optimised: Path) -> LoadedModel:
        """Write `optimised`, for any CPU of the class; return the model as it was optimised in memory.

        Raises:
            ModelError: It can't be stored; the message is for people.
        """


def engine_of(name: str) -> EnginePlugin:
    """Return an engine by name.

    Raises:
        StageError: This image does not have it.
    """
    try:
        return find_engine(name)
    except EngineNotFound as error:
        raise StageError(str(error)) from error


def optimiser_of(engine: EnginePlugin) -> Optimiser | None:
    """Return the function that stores optimised graphs, if the engine has one."""
    if engine.optimiser is None:
        return None
    function: Optimiser = pkgutil.resolve_name(engine.optimiser)
    return function
