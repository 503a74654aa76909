"""The objects of a model, read once: what every command that looks at the cluster starts from."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import typer

from skerry.api.common import LABEL_CLASS, LABEL_MODEL, ConditionStatus
from skerry.api.reasons import ConditionType
from skerry.cli.errors import CliError
from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError
from skerry.controllers.partly import edge_model_of, edge_node_of, model_route_of, model_variant_of
from skerry.controllers.reading import read
from skerry.decide.conditions import condition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from skerry.api import EdgeModel, EdgeNode, ModelRoute, ModelVariant
    from skerry.api.edgemodel import Rejection, TargetStatus
    from skerry.api.edgenode import NodeModel
    from skerry.cli.connection import Connection
    from skerry.cluster.client import Object
    from skerry.controllers.reading import Partly

T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """One EdgeModel with all that is about it.

    Attributes:
        routes, variants: of the model.
        nodes: devices of its classes, by class; None where the user may not see devices.
    """

    model: EdgeModel
    routes: tuple[ModelRoute, ...] = ()
    variants: tuple[ModelVariant, ...] = ()
    nodes: dict[str, tuple[EdgeNode, ...]] | None = None

    @property
    def title(self) -> str:
        """Namespace and name."""
        return f"{self.model.metadata.namespace}/{self.model.metadata.name}"

    def route(self, hardware_class: str) -> ModelRoute | None:
        """Return the route of a class."""
        return next((r for r in self.routes if r.spec.hardware_class_name == hardware_class), None)

    def variant(self, name: str | None) -> ModelVariant | None:
        """Return a variant by its name."""
        return next((v for v in self.variants if v.metadata.name == name), None)

    def on(self, node: EdgeNode) -> NodeModel | None:
        """Return a device's status for this model."""
        metadata = self.model.metadata
        own = (metadata.namespace, metadata.name)
        return next((m for m in node.status.models if (m.namespace, m.name) == own), None)


def variants_of(target: TargetStatus) -> tuple[str, ...]:
    """Return the names of the variants that are built for a class now."""
    build = target.build
    named = tuple(one.variant_name for one in build.engine_builds)
    return named or ((build.variant_name,) if build.variant_name else ())


def rejection_of(model: EdgeModel, target: TargetStatus) -> Rejection | None:
    """Return the rejection that keeps the revision of the spec from this class, if there is one."""
    if target.rollout.desired == target.rollout.stable:
        return None
    wanted = (target.hardware_class_name, target.rollout.desired)
    found = (r for r in model.status.rejected if (r.hardware_class_name, r.revision) == wanted)
    return next((r for r in found if r.attempt >= target.rollout.attempt), None)


def has_failed(variant: ModelVariant | None) -> bool:
    """Return whether a build came to its end without a certificate."""
    found = (
        condition_of(variant.status.conditions, ConditionType.CERTIFIED)
        if variant is not None
        else None
    )
    return found is not None and found.status is ConditionStatus.FALSE


async def read_model(connection: Connection, name: str) -> EdgeModel:
    """Return the EdgeModel of this name.

    Raises:
        CliError: there is none; says which there are.
        ClusterError: it can't be read.
    """
    found = await connection.cluster.get(kinds.EDGE_MODEL, connection.namespace, name)
    if found is not None:
        model, unreadable = read(kinds.EDGE_MODEL.name, found, edge_model_of)
        if model is None and unreadable is not None:
            raise CliError(str(unreadable.fault), unreadable.title, unreadable.cure)
        if model is not None:
            return model
    others = await connection.cluster.list(kinds.EDGE_MODEL, connection.namespace)
    names = ", ".join(item["metadata"]["name"] for item in others[:8]) or "none"
    raise CliError(
        "there is no EdgeModel of this name",
        f"{connection.namespace}/{name}",
        f"namespace {connection.namespace} has: {names}; choose another namespace with -n",
    )


async def read_models(connection: Connection, *, everywhere: bool) -> list[EdgeModel]:
    """Return all EdgeModels of the namespace, or of the cluster."""
    namespace = None if everywhere else connection.namespace
    found = await connection.cluster.list(kinds.EDGE_MODEL, namespace)
    return readable("EdgeModel", found, edge_model_of)


def readable(
    kind: str, items: Iterable[Object], parse: Callable[[Object], T | Partly[T]]
) -> list[T]:
    """Return the objects that can be parsed; print the others' names on standard error."""
    found = [read(kind, item, parse) for item in items]
    for _, unreadable in found:
        if unreadable is not None:
            typer.echo(f"warning: {unreadable}", err=True)
    return [value for value, _ in found if value is not None]


async def picture(connection: Connection, model: EdgeModel, *, nodes: bool = True) -> Picture:
    """Return a model with its routes, variants and devices."""
    selector = f"{LABEL_MODEL}={model.metadata.name}"
    namespace = model.metadata.namespace
    routes, variants, devices = await asyncio.gather(
        connection.cluster.list(kinds.MODEL_ROUTE, namespace, selector),
        connection.cluster.list(kinds.MODEL_VARIANT, namespace, selector),
        _devices(connection, [t.hardware_class_name for t in model.spec.targets] if nodes else []),
    )
    return Picture(
        model,
        tuple(readable("ModelRoute", routes, model_route_of)),
        tuple(readable("ModelVariant", variants, model_variant_of)),
        devices,
    )


async def _devices(
    connection: Connection, classes: Sequence[str]
) -> dict[str, tuple[EdgeNode, ...]] | None:
    """Return the devices by class; None for a user who may read namespaces only."""
    if not classes:
        return {}
    selector = f"{LABEL_CLASS} in ({','.join(classes)})"
    try:
        found = await connection.cluster.list(kinds.EDGE_NODE, selector=selector)
    except ClusterError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return None
        raise
    nodes = readable("EdgeNode", found, edge_node_of)
    return {
        name: tuple(node for node in nodes if node.spec.hardware_class_name == name)
        for name in classes
    }
