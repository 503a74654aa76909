"""The node's pods as the agent needs them: which revision answers where, and who calls from where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from skerry.api.common import ANNOTATION_PROTOCOL, LABEL_MODEL, LABEL_REVISION, Model
from skerry.engines.server import OPEN_INFERENCE
from skerry_agent.gateway.state import SERVING_PORT, Server
from skerry_agent.protocols import known_protocols

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN_PATH = r"/[A-Za-z0-9._~/-]{0,200}"


class Pod(Model):
    """One pod on this node, in a namespace that has models."""

    namespace: str
    name: str
    model: str | None = None
    revision: str | None = None
    address: str = ""
    ready: bool = False
    leaving: bool = False
    own_network: bool = True
    created: str = ""
    http_port: int = SERVING_PORT
    grpc_port: int | None = None
    golden_port: int | None = None
    protocol: str = OPEN_INFERENCE
    ready_path: str | None = None

    @staticmethod
    def of(item: dict[str, Any]) -> Pod:
        """From the API server's object."""
        metadata, status = item["metadata"], item.get("status", {})
        labels = _trusted_labels(metadata)
        conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
        ports = _ports(item.get("spec", {}))
        return Pod(
            namespace=metadata["namespace"],
            name=metadata["name"],
            model=labels.get(LABEL_MODEL),
            revision=labels.get(LABEL_REVISION),
            address=status.get("podIP", ""),
            ready=conditions.get("Ready") == "True",
            leaving="deletionTimestamp" in metadata
            or status.get("phase") in {"Succeeded", "Failed"},
            own_network=not item.get("spec", {}).get("hostNetwork", False),
            created=metadata.get("creationTimestamp", ""),
            http_port=ports.get("http", SERVING_PORT),
            grpc_port=ports.get("grpc"),
            golden_port=ports.get("golden"),
            protocol=(metadata.get("annotations") or {}).get(ANNOTATION_PROTOCOL, OPEN_INFERENCE),
            ready_path=_ready_path(item.get("spec", {})),
        )

    def as_server(self, weight: int) -> Server:
        """The pod as the gateway's server, with its share of the traffic."""
        return Server(
            self.address,
            weight,
            self.http_port,
            self.grpc_port,
            check_path=self.ready_path or self._usual_path(),
            protocol=self.protocol,
        )

    def _usual_path(self) -> str:
        known = known_protocols().get(self.protocol)
        return "/" if known is None else known.ready


def _trusted_labels(metadata: dict[str, Any]) -> dict[str, str]:
    """The labels of a pod that its DaemonSet made; nothing of one that only says so.

    Who may create pods may give them any label, and would get a revision's traffic.
    """
    labels: dict[str, str] = metadata.get("labels") or {}
    wanted = (
        f"{labels.get(LABEL_MODEL)}-{labels.get(LABEL_REVISION)}"  # the operator's daemonset_name
    )
    for owner in metadata.get("ownerReferences") or ():
        found = owner.get("apiVersion"), owner.get("kind"), owner.get("name")
        if owner.get("controller") and found == ("apps/v1", "DaemonSet", wanted):
            return labels
    return {}


def _ports(spec: dict[str, Any]) -> dict[str, int]:
    """Ports by name: Skerry's own runtime has `http` for all, a replaced one has its own for each."""
    return {
        port["name"]: port["containerPort"]
        for container in spec.get("containers", ())
        for port in container.get("ports", ())
        if "name" in port
    }


def _ready_path(spec: dict[str, Any]) -> str | None:
    """Path of the kubelet's probe of readiness, which the gateway asks too.

    It becomes part of the gateway's configuration, so it is taken in plain letters only.
    """
    for container in spec.get("containers", ()):
        path = container.get("readinessProbe", {}).get("httpGet", {}).get("path", "")
        if re.fullmatch(_PLAIN_PATH, path):
            return str(path)
    return None


def of_model(pods: Iterable[Pod], namespace: str, model: str) -> dict[str, Pod]:
    """Pods of one model by revision. Of two, one that stays is taken, then the ready and newer one."""
    ordered = sorted(pods, key=lambda pod: (not pod.leaving, pod.ready, pod.created))
    return {
        pod.revision: pod
        for pod in ordered
        if pod.revision and pod.address and (pod.namespace, pod.model) == (namespace, model)
    }


def callers(pods: Iterable[Pod]) -> dict[str, str]:
    """Namespaces by address, of pods with an address of their own."""
    return {
        pod.address: pod.namespace
        for pod in pods
        if pod.own_network and pod.address and not pod.leaving
    }
