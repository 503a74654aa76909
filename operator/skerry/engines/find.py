"""Finds engines among the installed distributions."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skerry.engines.plugin import EnginePlugin

GROUP = "skerry.engines"


class EngineNotFound(Exception):  # noqa: N818 - a finding; the callers have errors of their own
    """No installed distribution brings the engine; the message is for people."""


def installed_engines() -> dict[str, EnginePlugin]:
    """Return the engines of this environment by name.

    The distribution of an engine's own libraries may still be missing: images hold the
    descriptions of all engines of a release, and the libraries of their own.
    """
    found: list[EnginePlugin] = [entry.load() for entry in entry_points(group=GROUP)]
    return {engine.name: engine for engine in sorted(found, key=lambda engine: engine.name)}


def find_engine(name: str) -> EnginePlugin:
    """Return an engine by name.

    Raises:
        EngineNotFound: No distribution has an entry point for it.
    """
    engines = installed_engines()
    if name not in engines:
        raise EngineNotFound(
            f"this image has no engine {name} (it has {', '.join(engines) or 'none'}): the image"
            " and the operator's configuration must name the same engine"
        )
    return engines[name]
