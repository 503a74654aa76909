"""What an engine says of itself: names and tables only, so that reading it imports no engine.

The code is named as `module:function` and imported by the stage or server that needs it: quantizers
take seconds to import, and a serving process must not carry them.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from skerry.engines.ranking import rank_among
from skerry.engines.server import SKERRY_RUNTIME
from skerry.models.assess import Family
from skerry.tasks import TENSOR_INFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from skerry.engines.ranking import Hardware, Rank
    from skerry.engines.server import Server
    from skerry.precision import Precision
    from skerry.tasks import Task

SOURCE = "source"
"""The recipe of the converted source: it needs no making, and what the engine makes of it may win."""


@dataclass(frozen=True)
class Recipe:
    """One way to make a candidate.

    Attributes:
        name: In recipe results and artifacts; lower case with dashes.
        precision: Of the candidate. Precision is always named, never the engine's own default.
        maker: `module:function`; called with `skerry.engines.Ingredients`, it writes the
            candidate or raises (`NotSupported` when this CPU can't run it).
    """

    name: str
    precision: Precision
    maker: str

    def make(self, ingredients: Any) -> None:
        """Write the candidate, or raise whatever fault there is."""
        pkgutil.resolve_name(self.maker)(ingredients)


@dataclass(frozen=True)
class EnginePlugin:
    """An engine, as its entry point names it.

    Attributes:
        name: In specs, plans and artifacts: CamelCase, as the entry point's own name.
        title: For people.
        platform: The protocol's word for engine and format, as in `onnxruntime_onnx`.
        distribution: The Python distribution whose version is the engine's version.
        model_files: The files of a model, the one to load first.
        recipe_set: Name and version of the recipes; part of the build key, so a change of what any
            recipe makes needs a new version.
        recipes: All but `source`.
        order: By family of model, the recipes in the order in which they are tried.
        loader: `module:function` of `skerry.engines.Loader`: opens a model to serve and to
            measure it. It also opens the source as it came.
        converter: `module:function` of `skerry.engines.Converter`: source to own format.
        optimizer: `module:function` of `skerry.engines.Optimizer`, for an engine whose
            graph optimization can be stored; None where it is done while loading.
        task: What its models are asked.
        server: What answers for its builds: Skerry's own runtime, which calls `loader`, or another.
            It is part of no revision's name, so a change needs a new runtime image.
        ranks: Where the engine stands for the kinds of hardware that it suits. It also builds for
            others, ranked last.
        baseline: Whether all engines of the task are compared with the source in float32 on this one.
    """

    name: str
    title: str
    platform: str
    distribution: str
    model_files: tuple[str, ...]
    recipe_set: str
    recipes: tuple[Recipe, ...]
    order: Mapping[Family, tuple[str, ...]]
    loader: str
    converter: str
    optimizer: str | None = None
    task: Task = TENSOR_INFERENCE
    server: Server = SKERRY_RUNTIME
    ranks: tuple[Rank, ...] = ()
    baseline: bool = False

    def rank(self, hardware: Hardware, family: str) -> Rank | None:
        """Return where the engine stands for a family of models on some hardware; None where nowhere."""
        return rank_among(self.ranks, hardware, family)

    def recipe(self, name: str) -> Recipe:
        """Return a recipe by name; KeyError if there is none."""
        return {recipe.name: recipe for recipe in self.recipes}[name]

    def recipes_for(self, family: str, most: int) -> tuple[str, ...]:
        """Return at most `most` recipes, the most promising of the family first.

        The source in float32 is always among them.
        """
        known = Family(family) if family in set(Family) else Family.OTHER
        return (SOURCE, *self.order[known])[:most]

    def model_in(self, folder: Path) -> Path:
        """Return the file to load of a model in a folder."""
        return folder / self.model_files[0]

    def version(self) -> str:
        """Return the engine's version in this environment."""
        return version(self.distribution)

    def load(self, *arguments: Any) -> Any:
        """Open a model; see `skerry.engines.Loader`."""
        return pkgutil.resolve_name(self.loader)(*arguments)

    def convert(self, *arguments: Any) -> str:
        """Turn a source into the engine's own format; see `skerry.engines.Converter`."""
        return str(pkgutil.resolve_name(self.converter)(*arguments))


def baseline_among(plugins: Mapping[str, EnginePlugin], engine: str) -> str:
    """Return the engine that builds of `engine` are compared with; itself where its task has none."""
    task = plugins[engine].task if engine in plugins else TENSOR_INFERENCE
    same = {name: plugin for name, plugin in plugins.items() if plugin.task is task}
    return next((name for name, plugin in same.items() if plugin.baseline), engine)
