"""Lets agents see the pods of a namespace that holds an EdgeModel, and of no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.common import OWN_LABELS, SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from skerry.render.parts import Object

NAME = "skerry-agent"
CLUSTER_ROLE = "skerry-agent-pods"
_RBAC = "rbac.authorization.k8s.io"


def agent_role_binding(namespace: str) -> Object:
    """Return the RoleBinding; it belongs to all EdgeModels of the namespace, so no owner reference names one."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": NAME,
            "namespace": namespace,
            "labels": OWN_LABELS,
        },
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": CLUSTER_ROLE},
        "subjects": [
            {"kind": "ServiceAccount", "name": "skerry-agent", "namespace": SYSTEM_NAMESPACE}
        ],
    }
