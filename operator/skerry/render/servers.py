"""The containers of a serving pod, as the engine's or the class's `Server` value says.

A server that needs a layout has two helpers in Skerry's runtime image: an init container writes what it
needs next to the artifact (`skerry_runtime.repository`), its model repository and the golden samples among
it; a second container hands out the golden samples, which no other server does. The agent knows the ports
by their names: http, grpc and golden. It knows the protocol by the pod's annotation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.common import ANNOTATION_PROTOCOL
from skerry.api.units import parse_quantity
from skerry.engines.server import REPOSITORY
from skerry.render import parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.decide.decision import ServedRevision
    from skerry.engines.server import Server
    from skerry.render.parts import Object

GOLDEN_PORT = 8090
GOLDEN_FILE = f"{REPOSITORY}/golden.json"
HELPER_LIMITS = {"cpu": "100m", "memory": "64Mi"}
PREPARE_LIMITS = {"cpu": "500m", "memory": "256Mi"}
MODEL_DIRECTORY = "/model"
TMP_DIRECTORY = "/tmp"  # noqa: S108 - inside the container
PROBE_SECONDS = 2
STARTUP_SECONDS = 120

_MODEL_MOUNT = {"name": "model", "mountPath": MODEL_DIRECTORY, "readOnly": True}
_REPOSITORY_MOUNT = {"name": "repository", "mountPath": REPOSITORY, "readOnly": True}
_TMP_MOUNT = {"name": "tmp", "mountPath": TMP_DIRECTORY}


def pod_annotations(server: Server) -> dict[str, str]:
    """Return annotations by which agent and Prometheus ask the server, where a port's name is not enough."""
    found = {ANNOTATION_PROTOCOL: server.protocol}
    if server.metrics is not None:
        found["prometheus.io/port"] = str(server.metrics.port)
        found["prometheus.io/path"] = server.metrics.path
    return found


def containers(model: str, served: ServedRevision) -> Object:
    """Return the fields of the pod that depend on the server."""
    server = served.server
    pod: Object = {
        "terminationGracePeriodSeconds": server.drain.grace_seconds,
        "containers": [_server(model, served)],
        "volumes": [
            parts.image_volume("model", served.image),
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        ],
    }
    if server.layout is None:
        return pod
    return {
        **pod,
        "initContainers": [_prepare(model, served, server.layout)],
        "containers": [*pod["containers"], _golden(served)],
        "volumes": [*pod["volumes"], {"name": "repository", "emptyDir": {"sizeLimit": "64Mi"}}],
    }


def _server(model: str, served: ServedRevision) -> Object:
    server = served.server
    mounts = [_MODEL_MOUNT, *([_REPOSITORY_MOUNT] if server.layout else []), _TMP_MOUNT]
    ports = {"http": server.ports.http, "grpc": server.ports.grpc}
    return {
        "name": "runtime",
        "image": server.image or served.runtime_image,
        "imagePullPolicy": "IfNotPresent",
        **({"command": list(server.command)} if server.command else {}),
        **({"args": list(server.arguments)} if server.arguments else {}),
        "env": parts.environment(_environment(model, served)),
        "ports": [
            {"name": name, "containerPort": port, "protocol": "TCP"}
            for name, port in ports.items()
            if port is not None
        ],
        "resources": parts.serving_resources(served.limits),
        "securityContext": parts.container_security(),
        "startupProbe": _probe(server, STARTUP_SECONDS // PROBE_SECONDS),
        "readinessProbe": _probe(server, 2),
        **_lifecycle(server.drain.wait_seconds),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _environment(model: str, served: ServedRevision) -> dict[str, str]:
    """Return the variables of every server, then its own, which may refer to them."""
    return {
        "SKERRY_MODEL_NAME": model,
        "SKERRY_REVISION": served.revision,
        "SKERRY_MODEL_DIR": MODEL_DIRECTORY,
        "SKERRY_CPU_LIMIT": parts.cores(served.limits),
        "SKERRY_THREADS": str(max(1, int(parse_quantity(served.limits.cpu)))),
        "SKERRY_ARTIFACT_DIGEST": served.image.rpartition("@")[2],
        **({"HOME": TMP_DIRECTORY} if served.server.layout else {}),
        **dict(served.server.environment),
    }


def _probe(server: Server, failures: int) -> Object:
    return {
        "httpGet": {"path": server.ready, "port": "http"},
        "periodSeconds": PROBE_SECONDS,
        "timeoutSeconds": PROBE_SECONDS,
        "failureThreshold": failures,
    }


def _lifecycle(wait_seconds: int) -> Object:
    return {"lifecycle": {"preStop": {"sleep": {"seconds": wait_seconds}}}} if wait_seconds else {}


def _prepare(model: str, served: ServedRevision, layout: str) -> Object:
    """Return the init container that lays out what the server reads."""
    values = {"SKERRY_MODEL_NAME": model, "SKERRY_CPU_LIMIT": parts.cores(served.limits)}
    command = ["python3", "-m", "skerry_runtime.repository", layout, REPOSITORY]
    return {
        **_helper("prepare", served, command, PREPARE_LIMITS),
        "env": parts.environment(values),
        "volumeMounts": [_MODEL_MOUNT, {"name": "repository", "mountPath": REPOSITORY}],
    }


def _golden(served: ServedRevision) -> Object:
    """Return the container that hands out the golden samples."""
    command = ["python3", "-m", "skerry_runtime.golden_server", GOLDEN_FILE, str(GOLDEN_PORT)]
    return {
        **_helper("golden", served, command, HELPER_LIMITS),
        "ports": [{"name": "golden", "containerPort": GOLDEN_PORT, "protocol": "TCP"}],
        "volumeMounts": [_REPOSITORY_MOUNT],
    }


def _helper(
    name: str, served: ServedRevision, command: list[str], limits: Mapping[str, str]
) -> Object:
    return {
        "name": name,
        "image": served.runtime_image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": dict(limits)},
        "securityContext": parts.container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
