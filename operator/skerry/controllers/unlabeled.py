"""Children of an EdgeModel that have lost the label by which they are listed.

Anybody who may edit an object can take a label away. A route or DaemonSet that is not found would count
as not there, and its rollout would begin again over what serves: so those that must be there are looked
up by name, and the next write gives the label back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from skerry.cluster import kinds
from skerry.render.daemonsets import daemonset_name
from skerry.render.routes import route_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from skerry.cluster.client import Cluster, Object
    from skerry.cluster.kinds import Kind

Children = dict[tuple[str, str], dict[str, Any]]
"""JSON by kind and name."""

ROLES = ("stable", "candidate", "previous")


async def unlabeled(cluster: Cluster, model: Object, present: Children) -> Children:
    """Return routes of classes in which something serves, and their DaemonSets, if not present.

    Args:
        cluster: to ask.
        model: the EdgeModel as JSON.
        present: children that are listed by their label.
    """
    name = model["metadata"]["name"]
    routes = [route_name(name, one) for one in serving_classes(model)]
    found = await _missing(cluster, kinds.MODEL_ROUTE, model, routes, present)
    known = [item for (kind, _), item in (present | found).items() if kind == "ModelRoute"]
    revisions = {revision for route in known for revision in revisions_of(route)}
    daemonsets = [daemonset_name(name, revision) for revision in sorted(revisions)]
    return found | await _missing(cluster, kinds.DAEMON_SET, model, daemonsets, present)


def is_owned(metadata: Mapping[str, Any], uid: str | None) -> bool:
    """Return whether the object was made for the EdgeModel of this uid."""
    return any(owner["uid"] == uid for owner in metadata.get("ownerReferences", ()))


def serving_classes(model: Object) -> list[str]:
    """Return the classes in which something serves, as far as the status can be read."""
    targets = _fields(model.get("status")).get("targets")
    entries = [_fields(target) for target in targets] if isinstance(targets, list) else []
    serving = [one for one in entries if any(map(_fields(one.get("rollout")).get, ROLES))]
    names = [one.get("hardwareClassName") for one in serving]
    return [name for name in names if isinstance(name, str)]


def revisions_of(route: Object) -> list[str]:
    """Return the revisions that have a role or a placement, as far as the route can be read."""
    spec = _fields(route.get("spec"))
    placements = spec.get("placements")
    parts = [spec.get(role) for role in ROLES]
    parts += placements if isinstance(placements, list) else []
    names = [_fields(part).get("revision") for part in parts]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _fields(value: object) -> dict[str, Any]:
    """Return a JSON object; what is none has no fields."""
    return value if isinstance(value, dict) else {}


async def _missing(
    cluster: Cluster, kind: Kind, model: Object, names: Iterable[str], present: Children
) -> Children:
    """Return those of the names that are not present and belong to the EdgeModel."""
    missing = [name for name in names if (kind.name, name) not in present]
    metadata = model["metadata"]
    found = await asyncio.gather(
        *(cluster.get(kind, metadata["namespace"], name) for name in missing)
    )
    return {
        (kind.name, name): item
        for name, item in zip(missing, found, strict=True)
        if item is not None and is_owned(item["metadata"], metadata["uid"])
    }
