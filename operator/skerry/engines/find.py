"""Finds engines among the installed distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry import plugins

if TYPE_CHECKING:
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
    return {engine.name: engine for engine in plugins.loaded(GROUP)}


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
    return [
        f"the engine of {why}; mend or remove its distribution" for why in plugins.damaged(GROUP)
    ]
