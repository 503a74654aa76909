"""What the cluster adds to a plan: the model as it is, classes, installed engines, the API server's check."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import yaml

from skerry.api.common import SYSTEM_NAMESPACE
from skerry.cli.plan.files import config_from
from skerry.cli.reading import readable
from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError
from skerry.controllers.partly import edge_model_of, hardware_class_of

if TYPE_CHECKING:
    from skerry.api import EdgeModel, HardwareClass
    from skerry.api.config import OperatorConfig
    from skerry.cli.connection import Connection
    from skerry.cli.plan.files import Manifests

CONFIG_MAP = "skerry-operator"
CONFIG_KEY = "config.yaml"
FORBIDDEN = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True)
class Found:
    """What the cluster says.

    Attributes:
        live: the models of the files as they are there, by name.
        classes: all, by name; None where they may not be listed.
        config: the operator's, where it may be read.
        notes: what could not be looked at, for people.
    """

    live: dict[str, EdgeModel] = field(default_factory=dict)
    classes: dict[str, HardwareClass] | None = None
    config: OperatorConfig | None = None
    notes: tuple[str, ...] = ()


async def look(connection: Connection, manifests: Manifests) -> Found:
    """Read, and let the API server check the manifests (a dry run).

    Raises:
        ClusterError: it refuses one of them, or can't be reached.
    """
    notes: list[str] = []
    live: dict[str, EdgeModel] = {}
    for model, raw in zip(manifests.models, manifests.raw, strict=True):
        namespace = model.metadata.namespace or connection.namespace
        found = await connection.cluster.get(kinds.EDGE_MODEL, namespace, model.metadata.name)
        known = readable("EdgeModel", [found] if found else [], edge_model_of)
        live |= {one.metadata.name: one for one in known}
        body = {**raw, "metadata": {**raw["metadata"], "namespace": namespace}}
        try:
            await connection.cluster.apply(kinds.EDGE_MODEL, body, dry_run=True)
        except ClusterError as error:
            if error.status not in FORBIDDEN:
                raise
            notes.append("not checked by the API server: your user can't write EdgeModels")
    classes = await _classes(connection, notes)
    return Found(live, classes, await installed(connection, notes), tuple(notes))


async def _classes(connection: Connection, notes: list[str]) -> dict[str, HardwareClass] | None:
    try:
        found = await connection.cluster.list(kinds.HARDWARE_CLASS)
    except ClusterError as error:
        if error.status not in FORBIDDEN:
            raise
        notes.append("HardwareClasses are unknown: your user can't list them (add them with -f)")
        return None
    classes = readable("HardwareClass", found, hardware_class_of)
    return {one.metadata.name: one for one in classes}


async def installed(connection: Connection, notes: list[str]) -> OperatorConfig | None:
    """Return the operator's configuration; None, with a note, where it is not there or may not be read."""
    place = f"ConfigMap {SYSTEM_NAMESPACE}/{CONFIG_MAP}"
    try:
        found = await connection.cluster.get(kinds.CONFIG_MAP, SYSTEM_NAMESPACE, CONFIG_MAP)
    except ClusterError as error:
        if error.status not in FORBIDDEN:
            raise
        notes.append(f"installed engines are unknown: your user can't read {place}")
        return None
    if found is None:
        notes.append(f"installed engines are unknown: there is no {place}")
        return None
    return config_from(yaml.safe_load(found["data"][CONFIG_KEY]), place)
