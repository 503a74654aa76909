"""ModelRoutes as the agent acts on them: the last one of each that it can read.

A newer operator may write a value that this agent does not know. Its model then keeps serving as before;
the others are not touched. Fields that are not known are ignored.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from skerry.api.edgenode import EdgeNodeSpec, NodeModel
from skerry.api.mistakes import mistakes
from skerry.api.modelroute import ModelRoute
from skerry_agent import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

Raw = dict[str, Any]


class Routes:
    """Raw routes by namespace/name, and what was read of them."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._read: dict[str, tuple[Raw, ModelRoute | str]] = {}
        self.unreadable: dict[str, str] = {}

    def take(self, found: Mapping[str, Raw], kept: Mapping[str, Raw]) -> dict[str, Raw]:
        """Return the raw routes to act on: those found, or as kept where one found can't be read."""
        chosen: dict[str, Raw] = {}
        unreadable: dict[str, str] = {}
        read = dict(self._read)
        for key, raw in found.items():
            route = self._parse(key, raw, read)
            if isinstance(route, ModelRoute):
                chosen[key] = raw
                continue
            unreadable[key] = route
            if route != self.unreadable.get(key):
                log.warning(
                    "ModelRoute %s can't be read, the last one stays in force: %s", key, route
                )
            if key in kept and not _of_another(kept[key], raw):
                chosen[key] = kept[key]
        self._read = {key: entry for key, entry in read.items() if key in found}
        self.unreadable = unreadable
        metrics.UNREADABLE.set(len(unreadable))
        return chosen

    def parsed(self, raws: Mapping[str, Raw]) -> dict[str, ModelRoute]:
        """Return routes by `namespace.model`; of kept ones that can't be read, none."""
        found: dict[str, ModelRoute] = {}
        cache: dict[str, tuple[Raw, ModelRoute | str]] = dict(self._read)
        for key, raw in raws.items():
            route = self._parse(key, raw, cache)
            if isinstance(route, ModelRoute):
                found[f"{route.metadata.namespace}.{route.spec.edge_model_name}"] = route
        return found

    def _parse(
        self, key: str, raw: Raw, cache: dict[str, tuple[Raw, ModelRoute | str]]
    ) -> ModelRoute | str:
        known = cache.get(key)
        if known is not None and known[0] == raw:
            return known[1]
        route = read(raw)
        cache[key] = (raw, route)
        return route

    def strangers(self, known: Mapping[str, ModelRoute]) -> list[NodeModel]:
        """Return what to report of routes that can't be read and that no earlier one stands in for."""
        found = []
        for key, why in sorted(self.unreadable.items()):
            namespace, model = _model_of(key, self._read[key][0])
            if f"{namespace}.{model}" not in known:
                try:
                    found.append(
                        NodeModel(namespace=namespace, name=model, message=sentence(key, why))
                    )
                except ValidationError:
                    log.debug("the route %s has no name that can be reported", key)
        return found


def models_of(raws: Mapping[str, Raw]) -> set[str]:
    """Return the models of routes, readable or not, by `namespace.model`."""
    return {".".join(_model_of(key, raw)) for key, raw in raws.items()}


def read(raw: Raw) -> ModelRoute | str:
    """Return a route, or what in it can't be read: the field and the value."""
    try:
        return ModelRoute.model_validate(raw)
    except ValidationError as error:
        return mistakes(error)[0]


def place_of(edge_node: Raw) -> EdgeNodeSpec | None:
    """Return the device's place in the placements of routes; None when this agent can't read it."""
    with suppress(ValidationError):
        return EdgeNodeSpec.model_validate(edge_node.get("spec"))
    return None


def sentence(key: str, why: str) -> str:
    """Return the words for people."""
    return (
        f"ModelRoute {key} has a value that this agent does not know: {why}. Upgrade the agent to the"
        " operator's version"
    )


def _model_of(key: str, raw: Raw) -> tuple[str, str]:
    """Return namespace and name of a route's EdgeModel."""
    namespace, _, name = key.partition("/")
    return namespace, str((raw.get("spec") or {}).get("edgeModelName") or name.partition(".")[0])


def _of_another(kept: Raw, raw: Raw) -> bool:
    """Return whether a kept route belongs to an EdgeModel that was deleted and created again since."""
    before, now = ((route.get("spec") or {}).get("edgeModelUID") for route in (kept, raw))
    return bool(before and now and before != now)
