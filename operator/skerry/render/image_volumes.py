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
_COMMAND = ["python3", "-m", "skerry_runtime.pull"]
_VOLUME_PREFIX = "pull-"


def delivered(workload: Object, config: OperatorConfig) -> Object:
    """Return a DaemonSet or Job with its images delivered as the configuration says."""
    if config.artifacts.delivery is Delivery.IMAGE_VOLUME:
        return workload
    changed = copy.deepcopy(workload)
    pod = changed["spec"]["template"]["spec"]
    images = [volume for volume in pod.get("volumes", ()) if "image" in volume]
    if not images:
        return workload
    pullers = [_puller(volume, _image(pod, config), config) for volume in images]
    pod["volumes"] = [
        {"name": volume["name"], "emptyDir": {}} if "image" in volume else volume
        for volume in pod["volumes"]
    ]
    pod["initContainers"] = [*pullers, *pod.get("initContainers", ())]
    mount_secrets(pod, config)
    return changed


def mount_secrets(pod: Object, config: OperatorConfig) -> None:
    """Give the init containers that pull the Secrets that the pod's images are pulled with, and no others."""
    pullers = [one for one in pod.get("initContainers", ()) if one["command"][:3] == _COMMAND]
    if not pullers:
        return
    secrets = _secrets(pod, config)
    others = [volume for volume in pod["volumes"] if not volume["name"].startswith(_VOLUME_PREFIX)]
    pod["volumes"] = [*others, *map(_secret_volume, secrets)]
    for one in pullers:
        own = [m for m in one["volumeMounts"] if not m["name"].startswith(_VOLUME_PREFIX)]
        one["volumeMounts"] = [*own, *map(_secret_mount, secrets)]


def _image(pod: Object, config: OperatorConfig) -> str:
    """Return a runtime image that the pod uses anyway, or the first that is installed."""
    runtimes = [settings.runtime_image for _, settings in sorted(config.engines.items())]
    used = {
        container["image"] for container in (*pod.get("initContainers", ()), *pod["containers"])
    }
    return next((image for image in runtimes if image in used), runtimes[0])


def _secrets(pod: Object, config: OperatorConfig) -> list[str]:
    named = [secret["name"] for secret in pod.get("imagePullSecrets", ())]
    reads = config.registry.reading_secret
    return list(dict.fromkeys([*named, *([reads] if reads else [])]))


def _secret_volume(name: str) -> Object:
    items = [{"key": ".dockerconfigjson", "path": "config.json"}]
    secret = {"secretName": name, "items": items, "optional": True}
    return {"name": f"{_VOLUME_PREFIX}{name}"[:63].rstrip("-"), "secret": secret}


def _secret_mount(name: str) -> Object:
    volume = _secret_volume(name)["name"]
    return {"name": volume, "mountPath": f"{SECRETS}/{name}", "readOnly": True}


def _puller(volume: Object, image: str, config: OperatorConfig) -> Object:
    insecure = {"SKERRY_INSECURE_REGISTRY": config.registry.address}
    return {
        "name": f"pull-{volume['name']}",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [*_COMMAND, volume["image"]["reference"], PULLED],
        "env": parts.environment(
            {**(insecure if config.registry.insecure else {}), "SKERRY_PULL_SECRETS": SECRETS}
        ),
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": PULLER_LIMITS},
        "securityContext": parts.container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": volume["name"], "mountPath": PULLED}],
    }
