"""The five kinds of Skerry as pydantic models: the one source of the CRDs, the docs and the checks.

`crds/` is generated from here. What a schema can express (patterns, enums, lengths, defaults) stands on
the fields; what it can't stands in CEL rules next to the model (`rules`), so that the API server
rejects a mistake before anything acts on it.
"""

from skerry.api.edgemodel import EdgeModel, EdgeModelSpec, EdgeModelStatus
from skerry.api.edgenode import EdgeNode, EdgeNodeSpec, EdgeNodeStatus
from skerry.api.hardwareclass import HardwareClass, HardwareClassSpec, HardwareClassStatus
from skerry.api.modelroute import ModelRoute, ModelRouteSpec
from skerry.api.modelvariant import ModelVariant, ModelVariantSpec, ModelVariantStatus

KINDS = (EdgeModel, HardwareClass, ModelVariant, ModelRoute, EdgeNode)

__all__ = [
    "KINDS",
    "EdgeModel",
    "EdgeModelSpec",
    "EdgeModelStatus",
    "EdgeNode",
    "EdgeNodeSpec",
    "EdgeNodeStatus",
    "HardwareClass",
    "HardwareClassSpec",
    "HardwareClassStatus",
    "ModelRoute",
    "ModelRouteSpec",
    "ModelVariant",
    "ModelVariantSpec",
    "ModelVariantStatus",
]
