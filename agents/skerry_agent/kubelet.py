"""The kubelet's pods as the agent's workloads: which revision answers where, and who calls from where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from skerry.api.common import ANNOTATION_PROTOCOL, LABEL_MODEL, LABEL_REVISION, Model
from skerry.engines.server import OPEN_INFERENCE
from skerry_agent.protocols import known_protocols
from skerry_agent.trial.instance import Instance, Ports

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
    ports: Ports = Ports()
    protocol: str = OPEN_INFERENCE
    ready_path: str | None = None

    @staticmethod
    def of(item: dict[str, Any]) -> Pod:
        """Return a pod of the API server's object."""
        metadata, status = item["metadata"], item.get("status", {})
        labels = _trusted_labels(metadata)
        conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
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
            ports=_ports(item.get("spec", {})),
            protocol=(metadata.get("annotations") or {}).get(ANNOTATION_PROTOCOL, OPEN_INFERENCE),
            ready_path=_ready_path(item.get("spec", {})),
        )

    def instance(self) -> Instance | None:
        """Return the pod as a server of its revision; None when it is none, or has no address yet."""
        if not self.revision or not self.address:
            return None
        return Instance(
            revision=self.revision,
            address=self.address,
            ports=self.ports,
            ready=self.ready,
            leaving=self.leaving,
            protocol=self.protocol,
            check_path=self.ready_path or self._usual_path(),
        )

    def _usual_path(self) -> str:
        known = known_protocols().get(self.protocol)
        return "/" if known is None else known.ready


def _trusted_labels(metadata: dict[str, Any]) -> dict[str, str]:
    """Return the labels of a pod that its DaemonSet made; nothing of one that only claims it.

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


def _ports(spec: dict[str, Any]) -> Ports:
    """Return ports by name: Skerry's own runtime has `http` for all, a replaced one has its own for each."""
    named = {
        port["name"]: port["containerPort"]
        for container in spec.get("containers", ())
        for port in container.get("ports", ())
        if port.get("name") in Ports.model_fields
    }
    return Ports(**named)


def _ready_path(spec: dict[str, Any]) -> str | None:
    """Return the path of the kubelet's probe of readiness, which the gateway asks too.

    It becomes part of the gateway's configuration, so it is taken in plain letters only.
    """
    for container in spec.get("containers", ()):
        path = container.get("readinessProbe", {}).get("httpGet", {}).get("path", "")
        if re.fullmatch(_PLAIN_PATH, path):
            return str(path)
    return None


class Pods:
    """Workloads that a kubelet runs."""

    def __init__(self, pods: Iterable[Pod]) -> None:
        """Begin without pods; `Kubelet` reads those of this node."""
        # of two pods of a revision the last counts: one that stays, then the ready and newer one
        self._pods = sorted(pods, key=lambda pod: (not pod.leaving, pod.ready, pod.created))

    def instances(self, namespace: str, model: str) -> dict[str, Instance]:
        """Return the servers of a model by revision."""
        mine = (pod for pod in self._pods if (pod.namespace, pod.model) == (namespace, model))
        found = (pod.instance() for pod in mine)
        return {instance.revision: instance for instance in found if instance}

    def callers(self) -> dict[str, str]:
        """Return the namespaces of pods with an address of their own, by that address."""
        return {
            pod.address: pod.namespace
            for pod in self._pods
            if pod.own_network and pod.address and not pod.leaving
        }
