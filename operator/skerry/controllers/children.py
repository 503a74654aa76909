"""Children of an EdgeModel, as the API server holds them, to what its snapshot has of them. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from skerry.controllers.partly import daemonset_of, model_route_of, model_variant_of
from skerry.controllers.views import is_pod_of, job_view, pod_view

if TYPE_CHECKING:
    from skerry.api import ModelRouteSpec, ModelVariant
    from skerry.api.placement import Placement
    from skerry.cluster.client import Object
    from skerry.controllers.unlabeled import Children
    from skerry.controllers.unreadable import Reading
    from skerry.decide.snapshot import JobView


def of_kind(own: Children, kind: str) -> list[Object]:
    """Return the children of this kind."""
    return [item for (name, _), item in own.items() if name == kind]


def routes_of(own: Children, reading: Reading) -> dict[str, ModelRouteSpec]:
    """Return what the ModelRoutes say, by class."""
    routes = [
        reading.read("ModelRoute", item, model_route_of) for item in of_kind(own, "ModelRoute")
    ]
    return {route.spec.hardware_class_name: route.spec for route in routes if route is not None}


def daemonsets_of(own: Children, reading: Reading) -> dict[str, dict[str, Placement]]:
    """Return where the DaemonSets that stay are placed, by class and revision."""
    found: dict[str, dict[str, Placement]] = defaultdict(dict)
    for item in of_kind(own, "DaemonSet"):
        if item["metadata"].get("deletionTimestamp"):
            continue
        placed = reading.read("DaemonSet", item, daemonset_of)
        if placed is not None:
            found[placed.hardware_class][placed.revision] = placed.placement
    return dict(found)


def variants_of(own: Children, reading: Reading) -> dict[str, ModelVariant]:
    """Return the ModelVariants by name."""
    items = of_kind(own, "ModelVariant")
    variants = (reading.read("ModelVariant", item, model_variant_of) for item in items)
    return {variant.metadata.name: variant for variant in variants if variant is not None}


def jobs_of(own: Children, pods: list[Object], reading: Reading) -> tuple[JobView, ...]:
    """Return the Jobs, each with those of the pods that it made."""
    jobs = (_job(job, pods, reading) for job in of_kind(own, "Job"))
    return tuple(job for job in jobs if job is not None)


def _job(job: Object, pods: list[Object], reading: Reading) -> JobView | None:
    views = (reading.read("Pod", pod, pod_view) for pod in pods if is_pod_of(pod, job))
    own = [view for view in views if view is not None]
    return reading.read("Job", job, lambda item: job_view(item, own))
