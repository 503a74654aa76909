"""Finds engines among the installed distributions."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from skerry.engines.plugin import EnginePlugin

GROUP = "skerry.engines"
MISMATCH = "the image and the operator's configuration must name the same engine"


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
        raise EngineNotFound(
            f"this image has no engine {name} (it has {', '.join(engines) or 'none'}): "
            + ("; ".join(damaged_engines()) or MISMATCH)
        )
    return engines[name]


def damaged_engines() -> list[str]:
    """Return a sentence for each distribution whose engine can't be loaded."""
    loaded = (_loaded(entry) for entry in entry_points(group=GROUP))
    return [why for why in loaded if isinstance(why, str)]


@cache
def _loaded(entry: EntryPoint) -> EnginePlugin | str:
    """Return what a distribution brings, or why that fails; the other engines are not its affair."""
    try:
        found: EnginePlugin = entry.load()
        has_name = bool(found.name)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's module raises
        return (
            f"the engine of {entry.value} can't be loaded ({type(error).__name__}: {error}); mend or"
            " remove its distribution"
        )
    return found if has_name else f"the engine of {entry.value} has no name"
