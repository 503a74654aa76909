"""Finds the engine that a plan or an artifact names, and opens a model with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.engines import EngineNotFound, ModelError, find_engine

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.engines import EnginePlugin, LoadedModel


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
