"""What the rendered objects share: metadata, security contexts, image volumes, node affinity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skerry.api.common import (
    API_VERSION,
    LABEL_CLASS,
    LABEL_COMPONENT,
    LABEL_MODEL,
    NODE_LABEL_CLASS,
    OWN_LABELS,
)
from skerry.api.units import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api.common import ResourceLimits
    from skerry.api.modelvariant import PinnedArtifact

Object = dict[str, Any]

USER = 65532  # "nonroot" of the distroless images; every image of Skerry runs as it
JOB_MILLICORES = 10
# Of a serving container; two revisions side by side and a job then fit a device of two cores.
CPU_LIMIT_TO_REQUEST = 4
COMPONENT_RUNTIME = "runtime"
COMPONENT_OPTIMIZER = "optimizer"
COMPONENT_ASSESSOR = "assessor"
COMPONENT_FETCHER = "fetcher"
JOB_COMPONENTS = (COMPONENT_OPTIMIZER, COMPONENT_ASSESSOR, COMPONENT_FETCHER)


@dataclass(frozen=True)
class Owner:
    """The EdgeModel that an object belongs to; the garbage collector takes the object with it."""

    name: str
    namespace: str
    uid: str

    def reference(self) -> Object:
        """Return the owner as an entry of metadata.ownerReferences."""
        return {
            "apiVersion": API_VERSION, "kind": "EdgeModel",
            "name": self.name, "uid": self.uid, "controller": True,
        }  # fmt: skip


def labels(owner: Owner, component: str = "", hardware_class: str = "") -> dict[str, str]:
    """Return the labels by which the operator and the agents find an object again."""
    every = {
        **OWN_LABELS,
        LABEL_MODEL: owner.name,
        LABEL_COMPONENT: component,
        LABEL_CLASS: hardware_class,
    }
    return {key: value for key, value in every.items() if value}


def metadata(owner: Owner, name: str, labeled: Mapping[str, str]) -> Object:
    """Return the metadata of a child of the EdgeModel."""
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": dict(labeled),
        "ownerReferences": [owner.reference()],
    }


def pod_security() -> Object:
    """Return the pod security context that the Pod Security Standard "restricted" requires."""
    return {
        "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip


def container_security() -> Object:
    """Return a container security context without privileges and with a read-only image."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def job_resources(limits: ResourceLimits) -> Object:
    """Return resources that reserve all the memory and hardly any CPU: a job uses what the node has to spare.

    With a request like its limit it took five sixths of a busy node's CPU from the pod that serves there.
    """
    request = min(JOB_MILLICORES, _millicores(limits))
    return {
        "requests": {"cpu": f"{request}m", "memory": limits.memory},
        "limits": {"cpu": limits.cpu, "memory": limits.memory},
    }


def serving_resources(limits: ResourceLimits) -> Object:
    """Return resources that reserve all the memory and a share of the CPU: the revisions share the traffic."""
    millicores = math.ceil(_millicores(limits) / CPU_LIMIT_TO_REQUEST)
    return {
        "requests": {"cpu": f"{millicores}m", "memory": limits.memory},
        "limits": {"cpu": limits.cpu, "memory": limits.memory},
    }


def _millicores(limits: ResourceLimits) -> int:
    """Return the CPU limit for the API server, in whole thousandths of a core; a request never exceeds it."""
    return max(1, math.floor(round(parse_quantity(limits.cpu) * 1000, 6)))


def cores(limits: ResourceLimits) -> str:
    """Return the CPU limit in cores, as a decimal string: 250m is "0.25"."""
    return f"{parse_quantity(limits.cpu):g}"


def image_volume(name: str, reference: str) -> Object:
    """Return a volume from an image, by digest: the kubelet pulls, verifies and caches it."""
    return {"name": name, "image": {"reference": reference, "pullPolicy": "IfNotPresent"}}


def pinned_reference(artifact: PinnedArtifact) -> str:
    """Return HOST/REPOSITORY@sha256:... of an oci:// uri, or of the image that another uri was fetched into."""
    if artifact.image is not None:
        return f"{artifact.image}@{artifact.digest}"
    host, _, rest = artifact.uri.removeprefix("oci://").partition("/")
    return f"{host}/{rest.partition(':')[0]}@{artifact.digest}"


def pull_secrets(*names: str | None) -> Object:
    """Return the pod's field for the Secrets that its images and image volumes are pulled with, if any."""
    given = sorted({name for name in names if name is not None})
    return {"imagePullSecrets": [{"name": name} for name in given]} if given else {}


def class_affinity(hardware_class: str, *terms: list[Object]) -> Object:
    """Return a node affinity for nodes of the class where all expressions of one of the terms hold."""
    of_class = {"key": NODE_LABEL_CLASS, "operator": "In", "values": [hardware_class]}
    alternatives = [{"matchExpressions": [of_class, *more]} for more in terms or ([],)]
    required = {"nodeSelectorTerms": alternatives}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def environment(values: Mapping[str, str]) -> list[Object]:
    """Return the environment variables of a container, in the order given."""
    return [{"name": name, "value": value} for name, value in values.items()]
