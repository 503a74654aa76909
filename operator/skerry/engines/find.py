"""Finds engines among the installed distributions."""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from skerry.engines.plugin import EnginePlugin

GROUP = "skerry.engines"

log = logging.getLogger(__name__)


class EngineNotFound(Exception):  # noqa: N818 - a finding; the callers have errors of their own
    """No installed distribution brings the engine; the message is for people."""


def installed_engines() -> dict[str, EnginePlugin]:
    """Return the engines of this environment by name; one that fails to load is left out.

    The distribution of an engine's own libraries may still be missing: images hold the
    descriptions of all engines of a release, and the libraries of their own.
    """
    loaded = (_loaded(entry) for entry in entry_points(group=GROUP))
    found = [engine for engine in loaded if not isinstance(engine, str)]
    return {engine.name: engine for engine in sorted(found, key=lambda engine: engine.name)}


def find_engine(name: str) -> EnginePlugin:
    """Return an engine by name.

    Raises:
        EngineNotFound: No distribution has an entry point for it, or it can't be loaded.
    """
    engines = installed_engines()
    if name not in engines:
        failed = [
            why for entry in entry_points(group=GROUP) if isinstance(why := _loaded(entry), str)
        ]
        raise EngineNotFound(
            f"this image has no engine {name} (it has {', '.join(engines) or 'none'}): "
            + (
                "; ".join(failed)
                or "the image and the operator's configuration must name the same engine"
            )
        )
    return engines[name]


@cache
def _loaded(entry: EntryPoint) -> EnginePlugin | str:
    """Return what a distribution brings, or why that fails; the other engines are not its affair."""
    try:
        found: EnginePlugin = entry.load()
        log.debug("the engine %s is that of %s", found.name, entry.value)
    except Exception as error:
        log.exception("the engine of %s can't be loaded", entry.value)
        return (
            f"the engine of {entry.value} can't be loaded ({type(error).__name__}: {error}); mend or"
            " remove its distribution"
        )
    return found
