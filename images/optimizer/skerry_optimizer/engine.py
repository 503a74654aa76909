"""Finds the engine that a plan names, and its code."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING

from skerry.engines import EngineNotFound, find_engine
from skerry.jobs.errors import StageError

if TYPE_CHECKING:
    from skerry.engines import EnginePlugin, Optimizer


def engine_of(name: str) -> EnginePlugin:
    """Return an engine by name.

    Raises:
        StageError: This image does not have it.
    """
    try:
        return find_engine(name)
    except EngineNotFound as error:
        raise StageError(str(error)) from error


def optimizer_of(engine: EnginePlugin) -> Optimizer | None:
    """Return the function that stores optimized graphs, if the engine has one."""
    if engine.optimizer is None:
        return None
    function: Optimizer = pkgutil.resolve_name(engine.optimizer)
    return function
