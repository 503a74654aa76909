"""The ModelRoute of one target: the small object that every agent of the class watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.modelroute import ModelRoute
from skerry.render import parts

if TYPE_CHECKING:
    from skerry.api.modelroute import ModelRouteSpec
    from skerry.render.parts import Object, Owner


def route_name(edge_model: str, hardware_class: str) -> str:
    """Name of the ModelRoute; a dot parts the two names, neither of which can hold one."""
    return f"{edge_model}.{hardware_class}"


def route(owner: Owner, spec: ModelRouteSpec) -> Object:
    """Return the ModelRoute with its class as a label, by which agents select it."""
    name = route_name(owner.name, spec.hardware_class_name)
    labeled = parts.labels(owner, hardware_class=spec.hardware_class_name)
    return {
        "apiVersion": ModelRoute.model_fields["api_version"].default,
        "kind": "ModelRoute",
        "metadata": parts.metadata(owner, name, labeled),
        "spec": spec.to_wire(),
    }
