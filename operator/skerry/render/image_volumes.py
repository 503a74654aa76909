"""Pods for clusters whose kubelets mount no images: each image volume becomes a folder that is pulled into.

A rewriting of a finished workload, so that nothing else needs to know. An init container pulls the
image by its digest, verifies every blob, and unpacks it into an emptyDir. The kubelet then caches
nothing: each new pod pulls again, and the artifact is counted as the pod's ephemeral storage.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from skerry.api.config import Delivery
from skerry.render import parts

if TYPE_CHECKING:
    from skerry.api.config import OperatorConfig
    from skerry.render.parts import Object

PULLED = "/pulled"
SECRETS = "/pull-secrets"
PULLER_LIMITS = {"cpu": "500m", "memory": "128Mi"}


def delivered(workload: Object, config: OperatorConfig) -> Object:
    """A DaemonSet or Job with its images delivered as the configuration says."""
    if config.artifacts.delivery is Delivery.IMAGE_VOLUME:
        return workload
    changed = copy.deepcopy(workload)
    pod = changed["spec"]["template"]["spec"]
    images = [volume for volume in pod.get("volumes", ()) if "image" in volume]
    if not images:
        return workload
    secrets = _secrets(pod, config)
    pod["volumes"] = [
        {"name": volume["name"], "emptyDir": {}} if "image" in volume else volume
        for volume in pod["volumes"]
    ] + [_secret_volume(name) for name in secrets]
    pullers = [_puller(volume, secrets, _image(pod, config), config) for volume in images]
    pod["initContainers"] = [*pullers, *pod.get("initContainers", ())]
    return changed


def _image(pod: Object, config: OperatorConfig) -> str:
    """A runtime image that the pod uses anyway, or the first that is installed."""
    runtimes = [settings.runtime_image for _, settings in sorted(config.engines.items())]
    used = {
        container["image"] for container in (*pod.get("initContainers", ()), *pod["containers"])
    }
    return next((image for image in runtimes if image in used), runtimes[0])


def _secrets(pod: Object, config: OperatorConfig) -> list[str]:
    named = [secret["name"] for secret in pod.get("imagePullSecrets", ())]
    pushes = config.registry.push_secret
    return list(dict.fromkeys([*named, *([pushes] if pushes else [])]))


def _secret_volume(name: str) -> Object:
    items = [{"key": ".dockerconfigjson", "path": "config.json"}]
    secret = {"secretName": name, "items": items, "optional": True}
    return {"name": f"pull-{name}"[:63].rstrip("-"), "secret": secret}


def _puller(volume: Object, secrets: list[str], image: str, config: OperatorConfig) -> Object:
    mounts = [
        {"name": _secret_volume(name)["name"], "mountPath": f"{SECRETS}/{name}", "readOnly": True}
        for name in secrets
    ]
    insecure = {"SKERRY_INSECURE_REGISTRY": config.registry.address}
    return {
        "name": f"pull-{volume['name']}",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "skerry_runtime.pull", volume["image"]["reference"], PULLED],
        "env": parts.environment(
            {**(insecure if config.registry.insecure else {}), "SKERRY_PULL_SECRETS": SECRETS}
        ),
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": PULLER_LIMITS},
        "securityContext": parts.container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": volume["name"], "mountPath": PULLED}, *mounts],
    }
