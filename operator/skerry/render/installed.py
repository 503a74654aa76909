"""What the installation says of every pod that the operator makes: tolerations, priority, pull Secrets.

None of it is part of a revision: it decides where a pod may run and what its images are pulled with,
not what answers. So a DaemonSet that is there takes it over in place. Its pods stay (`OnDelete`); the
next pod on each node has it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from skerry.render import image_volumes, parts

if TYPE_CHECKING:
    from skerry.api.config import OperatorConfig
    from skerry.render.parts import Object


def installed(workload: Object, config: OperatorConfig) -> Object:
    """Return a finished DaemonSet or Job with what the chart's values say of its pods now."""
    changed = copy.deepcopy(workload)
    pod = changed["spec"]["template"]["spec"]
    serves = workload["kind"] == "DaemonSet"
    _set(pod, "tolerations", [toleration.to_wire() for toleration in config.device.tolerations])
    _set(pod, "priorityClassName", _priority(config, serves=serves) or "")
    if serves:
        secrets = parts.pull_secrets(config.registry.reading_secret)
        _set(pod, "imagePullSecrets", secrets.get("imagePullSecrets", []))
        image_volumes.mount_secrets(pod, config)
    return changed


def _priority(config: OperatorConfig, *, serves: bool) -> str | None:
    settings = config.models if serves else config.builds
    return settings.priority_class_name


def _set(pod: Object, name: str, value: list[Object] | str) -> None:
    """Set a field; an empty one is written only over another value, which the comparison would miss."""
    if value or pod.get(name):
        pod[name] = value
