"""Skerry's own kinds, read as far as they can be read: one bad part does not cost the whole object.

What is left out is always a part that is reported again (by the device's agent) or is made again (by
the operator); what a decision can't do without is never left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api import EdgeModel, EdgeNode, HardwareClass, ModelRoute, ModelVariant
from skerry.api.placement import ANNOTATION_PLACEMENT, Placement
from skerry.controllers.reading import Fault, Partly, fault_of, without_faults
from skerry.render.daemonsets import identity_of

if TYPE_CHECKING:
    from skerry.cluster.client import Object
    from skerry.controllers.reading import Path


def edge_model_of(item: Object) -> EdgeModel | Partly[EdgeModel]:
    """Read an EdgeModel; leave out bad parts of its status that each reconcile finds again, and of its history.

    The spec is never left out, nor is what a rollout depends on: rejections, waves, attempts, digests.
    """
    return without_faults(EdgeModel, item, _of_edge_model)


def hardware_class_of(item: Object) -> HardwareClass | Partly[HardwareClass]:
    """Read a HardwareClass; leave out bad parts of its status, which each reconcile of the fleet finds again."""
    return without_faults(HardwareClass, item, _of_status)


def edge_node_of(item: Object) -> EdgeNode | Partly[EdgeNode]:
    """Read an EdgeNode; leave out bad fields of a report, and shard and labels, which the operator writes again.

    Those of a report count as not reported. What this process read of the same node before is not used in their
    place: an operator that has just started would decide otherwise, and the old state of a device must
    not pass for its present one.
    """
    return without_faults(EdgeNode, item, _of_edge_node)


def model_route_of(item: Object) -> ModelRoute | Partly[ModelRoute]:
    """Read a ModelRoute; leave out what each reconcile finds again.

    That is guard rules, which the EdgeModel's spec has, a wave, whose progress the placements show,
    and single placements, which the DaemonSets carry.
    """
    return without_faults(ModelRoute, item, _of_route)


def model_variant_of(item: Object) -> ModelVariant | Partly[ModelVariant]:
    """Read a ModelVariant; leave out bad parts of its status, which the job or the registry still has."""
    return without_faults(ModelVariant, item, _of_status)


@dataclass(frozen=True)
class Placed:
    """A DaemonSet: which revision it runs for which class, and where."""

    hardware_class: str
    revision: str
    placement: Placement


def daemonset_of(item: Object) -> Placed | Partly[Placed]:
    """Read a DaemonSet; a placement that can't be read counts as every node of the class.

    Its pods may be on any of them, so that no node loses what it serves by the misreading; the next write
    puts the annotation right.

    Raises:
        KeyError: neither selector nor template say whose it is.
    """
    hardware_class, revision = identity_of(item)
    try:
        carried = item["metadata"]["annotations"][ANNOTATION_PLACEMENT]
        return Placed(hardware_class, revision, Placement.model_validate_json(carried))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        cause = f"can't be read ({fault_of(error)})"
        fault = Fault(f"metadata.annotations[{ANNOTATION_PLACEMENT}]", cause)
        return Partly(Placed(hardware_class, revision, Placement()), fault)


def _of_edge_model(path: Path) -> Path | None:
    """Return the path below a target whose field reports state only, so that no decision depends on it."""
    match path:
        case ("status", "conditions" | "phase" | "address" | "awaitedSlot", *_):
            return path[:2]
        case ("status", "history", int(), *_):
            return path[:3]
        case (
            "status",
            "targets",
            int(),
            "phase" | "stalled" | "engines" | "constraints" | "build",
            *_,
        ):
            return path[:4]
        case ("status", "targets", int(), "rollout", "nodes" | "offenders", *_):
            return path[:5]
    return None


def _of_edge_node(path: Path) -> Path | None:
    match path:
        case ("status", "models", int(), "namespace" | "name", *_):
            return path[:3]
        case ("status", "models", int(), _, *_):
            return path[:4]
        case ("status", "models", int()) | ("status", "models"):
            return path
        case ("status", _, *_) | ("spec", "shard" | "labels", *_):
            return path[:2]
    return None


def _of_route(path: Path) -> Path | None:
    match path:
        case ("spec", "guard" | "wave", *_):
            return path[:2]
        case ("spec", "placements", int(), *_):
            return path[:3]
    return None


def _of_status(path: Path) -> Path | None:
    return path[:2] if path[:1] == ("status",) and len(path) > 1 else None
