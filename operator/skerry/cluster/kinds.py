"""Where each kind lives in the API: group, version, plural, scope.

Skerry reads and writes a dozen kinds, all known beforehand, so that no discovery is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from skerry.api import KINDS
from skerry.api.common import API_VERSION


@dataclass(frozen=True)
class Kind:
    """A kind of object and the path it is served under."""

    api_version: str
    name: str
    plural: str
    namespaced: bool

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str = ""
    ) -> str:
        """Return the URL path of the collection, of one object, or of its subresource."""
        root = (
            f"/api/{self.api_version}"
            if "/" not in self.api_version
            else f"/apis/{self.api_version}"
        )
        parts = [root]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        return "/".join(part for part in (*parts, name, subresource) if part)


NODE = Kind("v1", "Node", "nodes", namespaced=False)
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps", namespaced=True)
POD = Kind("v1", "Pod", "pods", namespaced=True)
SERVICE = Kind("v1", "Service", "services", namespaced=True)
JOB = Kind("batch/v1", "Job", "jobs", namespaced=True)
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets", namespaced=True)
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases", namespaced=True)
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", namespaced=True)
CRD = Kind(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
EVENT = Kind("events.k8s.io/v1", "Event", "events", namespaced=True)
CORE_EVENT = Kind("v1", "Event", "events", namespaced=True)
"""The same Events as kubelets and Kubernetes' controllers write them."""

OURS = {
    model.__name__: Kind(
        API_VERSION, model.__name__, model.info.plural, namespaced=model.info.scope == "Namespaced"
    )
    for model in KINDS
}
EDGE_MODEL = OURS["EdgeModel"]
HARDWARE_CLASS = OURS["HardwareClass"]
MODEL_VARIANT = OURS["ModelVariant"]
MODEL_ROUTE = OURS["ModelRoute"]
EDGE_NODE = OURS["EdgeNode"]
