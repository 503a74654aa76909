"""Engines as plug-ins, and all that their authors import: `from skerry.engines import ...`.

An engine is one package with a description (`EnginePlugin`: recipes, ranks, code by name) and the code
that makes and loads its models; one or two images that hold it; and its tests. An entry point of the
group `skerry.engines` names it, and nothing else does: the operator knows an engine by its entry in
the configuration (images, version, recipe set), the stages of a job by the plan, a serving pod by what
its artifact says. docs/how-to/own-engine.md says how to add one.
"""

from skerry.engines.contract import (
    WHOLE_INPUTS,
    Converter,
    Ingredients,
    LoadedModel,
    Loader,
    Optimizer,
    TensorSpec,
)
from skerry.engines.errors import InputError, ModelError, NotSupported, first_line
from skerry.engines.find import (
    GROUP,
    EngineNotFound,
    damaged_engines,
    find_engine,
    installed_engines,
)
from skerry.engines.plugin import SOURCE, EnginePlugin, Recipe
from skerry.engines.ranking import Hardware, Rank
from skerry.engines.server import SKERRY_RUNTIME, Drain, Layout, Metrics, Ports, Server
from skerry.models.assess import Family, family_of
from skerry.precision import Precision
from skerry.tasks import TENSOR_INFERENCE, Task

__all__ = [
    "GROUP",
    "SKERRY_RUNTIME",
    "SOURCE",
    "TENSOR_INFERENCE",
    "WHOLE_INPUTS",
    "Converter",
    "Drain",
    "EngineNotFound",
    "EnginePlugin",
    "Family",
    "Hardware",
    "Ingredients",
    "InputError",
    "Layout",
    "LoadedModel",
    "Loader",
    "Metrics",
    "ModelError",
    "NotSupported",
    "Optimizer",
    "Ports",
    "Precision",
    "Rank",
    "Recipe",
    "Server",
    "Task",
    "TensorSpec",
    "damaged_engines",
    "family_of",
    "find_engine",
    "first_line",
    "installed_engines",
]
