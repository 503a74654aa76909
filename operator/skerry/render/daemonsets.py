"""One DaemonSet per (target, revision): the serving pods.

`OnDelete`, and a template that never changes but for its node affinity and what `installed.py` sets: a
wave that grows gives new nodes pods and leaves the running ones alone. The affinity follows the placement
in the ModelRoute. An annotation says which placement that was: a DaemonSet may lag behind the route, and
outlive it.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from skerry.api.common import LABEL_CLASS, LABEL_REVISION, NODE_LABEL_SHARD
from skerry.api.placement import ANNOTATION_PLACEMENT, Placement, PlacementKind
from skerry.render import parts, servers

if TYPE_CHECKING:
    from skerry.decide.decision import ServedRevision
    from skerry.render.parts import Object, Owner

_OPERATORS = {PlacementKind.IN: "In", PlacementKind.NOT_IN: "NotIn"}


def daemonset_name(edge_model: str, revision: str) -> str:
    """Name of the DaemonSet of a revision."""
    return f"{edge_model}-{revision}"


def daemonset(owner: Owner, served: ServedRevision, placement: Placement) -> Object:
    """Return the DaemonSet of a revision, on the nodes of the placement."""
    labeled = {
        **parts.labels(owner, parts.COMPONENT_RUNTIME, served.hardware_class),
        LABEL_REVISION: served.revision,
    }
    selector = {key: labeled[key] for key in sorted(labeled)}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _metadata(
            owner, daemonset_name(owner.name, served.revision), labeled, placement
        ),
        "spec": {
            "selector": {"matchLabels": selector},
            "updateStrategy": {"type": "OnDelete"},
            "template": {
                "metadata": {
                    "labels": labeled,
                    "annotations": servers.pod_annotations(served.server),
                },
                "spec": _pod(owner, served, placement),
            },
        },
    }


def identity_of(found: Object) -> tuple[str, str]:
    """Return the class and revision of a DaemonSet.

    Its selector names them: nobody can change that, while anybody can remove a label.

    Raises:
        KeyError: the DaemonSet is not one of ours.
    """
    selected = found["spec"]["selector"]["matchLabels"]
    return selected[LABEL_CLASS], selected[LABEL_REVISION]


def with_placement(owner: Owner, found: Object, placement: Placement) -> Object:
    """Return the DaemonSet as found, with another placement.

    The template stays as it was made, also by another version of the operator: a pod that is replaced
    must be what its revision was certified with.
    """
    hardware_class, _ = identity_of(found)
    spec = copy.deepcopy(found["spec"])
    spec["template"]["metadata"].pop("creationTimestamp", None)
    spec["template"]["spec"]["affinity"] = parts.class_affinity(hardware_class, *_terms(placement))
    # A label that was taken away comes back: the selector is made of the same.
    labeled = {**found["metadata"].get("labels", {}), **found["spec"]["selector"]["matchLabels"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _metadata(owner, found["metadata"]["name"], labeled, placement),
        "spec": spec,
    }


def _metadata(owner: Owner, name: str, labels: dict[str, str], placement: Placement) -> Object:
    carried = json.dumps(placement.to_wire(), sort_keys=True, separators=(",", ":"))
    return {
        **parts.metadata(owner, name, labels),
        "annotations": {ANNOTATION_PLACEMENT: carried},
    }


def _pod(owner: Owner, served: ServedRevision, placement: Placement) -> Object:
    return {
        "affinity": parts.class_affinity(served.hardware_class, *_terms(placement)),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": parts.pod_security(),
        **servers.containers(owner.name, served),
    }


def _terms(placement: Placement) -> list[list[Object]]:
    """Return the terms of the node affinity without the class; no expression may have an empty list of values."""
    terms = [_of_shards(placement.kind, placement.shards)] if placement.shards else []
    for ring in placement.rings:
        labels = [{"key": k, "operator": "In", "values": [v]} for k, v in ring.node_selector]
        terms.append([*labels, *_of_shards(PlacementKind.IN, ring.shards)])
    return terms


def _of_shards(kind: PlacementKind, shards: frozenset[int]) -> list[Object]:
    values = [str(shard) for shard in sorted(shards)]
    return [{"key": NODE_LABEL_SHARD, "operator": _OPERATORS[kind], "values": values}]
