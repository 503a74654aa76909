"""Engines as plug-ins: who makes and runs builds, found by entry points of the group `skerry.engines`.

An engine is one package with a description (`EnginePlugin`), its recipes and the code that loads its
models; one or two images that hold it; and its tests. Nothing else names it: the operator knows an
engine by its entry in the configuration (images, version, recipe set), the stages of a job by the
plan, a serving pod by what its artifact says. How to add one is told in docs/adr/0012.
"""

from skerry.engines.find import GROUP, EngineNotFound, find_engine, installed_engines
from skerry.engines.plugin import SOURCE, EnginePlugin, Recipe

__all__ = [
    "GROUP",
    "SOURCE",
    "EngineNotFound",
    "EnginePlugin",
    "Recipe",
    "find_engine",
    "installed_engines",
]
