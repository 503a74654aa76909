"""What the operator writes for a node: its EdgeNode and its two labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.common import (
    API_VERSION,
    LABEL_CLASS,
    NODE_LABEL_CLASS,
    NODE_LABEL_SHARD,
    OWN_LABELS,
)

if TYPE_CHECKING:
    from skerry.api import EdgeNodeSpec
    from skerry.render.parts import Object


def edge_node(name: str, node_uid: str, spec: EdgeNodeSpec) -> Object:
    """Return the EdgeNode of a cluster node; it is deleted with the Node."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}
    return {
        "apiVersion": API_VERSION,
        "kind": "EdgeNode",
        "metadata": {
            "name": name,
            "labels": {**OWN_LABELS, LABEL_CLASS: spec.hardware_class_name},
            "ownerReferences": [owner],
        },
        "spec": spec.to_wire(),
    }


def node_labels(name: str, hardware_class: str | None, shard: int | None) -> Object:
    """Return a Node with only Skerry's labels; applying it removes those that it no longer names."""
    wanted = {
        NODE_LABEL_CLASS: hardware_class,
        NODE_LABEL_SHARD: None if shard is None else str(shard),
    }
    said = {key: value for key, value in wanted.items() if value is not None}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": said}}
