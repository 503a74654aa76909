"""Serving pods whose server is not Skerry's own: what each known server is given.

One init container, in Skerry's runtime image, writes what the server needs beside the artifact: its
model repository and configuration (`skerry_runtime.repository`), and the golden samples. A second
container hands out the golden samples, which no other server does. The agent knows the ports by
their names: http, grpc and golden.

Sources of the arguments: Triton's `tritonserver --help`, OpenVINO Model Server's "Model Server
Parameters", MLServer's Settings (environment MLSERVER_*).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from skerry.api.hardwareclass import ServingProtocol
from skerry.api.units import parse_quantity
from skerry.render import parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api.hardwareclass import ReplacedRuntime
    from skerry.decide.decision import ServedRevision
    from skerry.render.parts import Object

HTTP_PORT, GRPC_PORT, METRICS_PORT, GOLDEN_PORT = 8080, 8081, 8082, 8090
REPOSITORY = "/repository"
GOLDEN_FILE = f"{REPOSITORY}/golden.json"
HELPER_LIMITS = {"cpu": "100m", "memory": "64Mi"}
PREPARE_LIMITS = {"cpu": "500m", "memory": "256Mi"}

MODEL_MOUNT = {"name": "model", "mountPath": "/model", "readOnly": True}
_TMP_MOUNT = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - inside the container


def volumes() -> list[Object]:
    """What a replaced server's pod has beside artifact and scratch."""
    return [{"name": "repository", "emptyDir": {"sizeLimit": "64Mi"}}]


def prepare(model: str, served: ServedRevision, runtime: ReplacedRuntime) -> Object:
    """The init container that lays out what the server reads."""
    values = {"SKERRY_MODEL_NAME": model, "SKERRY_CPU_LIMIT": parts.cores(served.limits)}
    command = ["python3", "-m", "skerry_runtime.repository", runtime.protocol.value, REPOSITORY]
    return {
        **_helper("prepare", served, command, PREPARE_LIMITS),
        "env": parts.environment(values),
        "volumeMounts": [MODEL_MOUNT, {"name": "repository", "mountPath": REPOSITORY}],
    }


def golden(served: ServedRevision) -> Object:
    """The container that hands out the golden samples."""
    command = ["python3", "-m", "skerry_runtime.golden_server", GOLDEN_FILE, str(GOLDEN_PORT)]
    return {
        **_helper("golden", served, command, HELPER_LIMITS),
        "ports": [{"name": "golden", "containerPort": GOLDEN_PORT, "protocol": "TCP"}],
        "volumeMounts": [_repository_mount()],
    }


def server(
    served: ServedRevision, runtime: ReplacedRuntime, environment: Mapping[str, str]
) -> Object:
    """The server's container but for its probes; `environment` is what Skerry's own would get."""
    model = environment["SKERRY_MODEL_NAME"]
    variables = {**environment, "HOME": "/tmp", **_environment(runtime, model, served)}  # noqa: S108
    return {
        "name": "runtime",
        "image": runtime.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [*_arguments(runtime, model, served), *runtime.args],
        "env": parts.environment(variables),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
        ],
        "resources": parts.serving_resources(served.limits),
        "securityContext": parts.container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [MODEL_MOUNT, _repository_mount(), _TMP_MOUNT],
    }


def _arguments(runtime: ReplacedRuntime, model: str, served: ServedRevision) -> list[str]:
    if runtime.protocol is ServingProtocol.TRITON:
        return [
            "tritonserver",
            f"--model-repository={REPOSITORY}",
            f"--http-port={HTTP_PORT}",
            f"--grpc-port={GRPC_PORT}",
            f"--metrics-port={METRICS_PORT}",
            "--model-control-mode=none",
            "--allow-gpu-metrics=false",
        ]
    if runtime.protocol is ServingProtocol.OPENVINO_MODEL_SERVER:
        plugin = {"INFERENCE_NUM_THREADS": _threads(served), "PERFORMANCE_HINT": "LATENCY"}
        return [
            "--model_name", model,
            "--model_path", f"{REPOSITORY}/{model}",
            "--rest_port", str(HTTP_PORT),
            "--port", str(GRPC_PORT),
            "--target_device", "CPU",
            "--plugin_config", json.dumps(plugin),
            "--file_system_poll_wait_seconds", "0",
        ]  # fmt: skip
    if runtime.protocol is ServingProtocol.MLSERVER:
        return ["mlserver", "start", REPOSITORY]
    return []


def _environment(runtime: ReplacedRuntime, model: str, served: ServedRevision) -> dict[str, str]:
    threads = {"OMP_NUM_THREADS": str(_threads(served))}
    if runtime.protocol is ServingProtocol.MLSERVER:
        return {
            **threads,
            "MLSERVER_HTTP_PORT": str(HTTP_PORT),
            "MLSERVER_GRPC_PORT": str(GRPC_PORT),
            "MLSERVER_METRICS_PORT": str(METRICS_PORT),
            "MLSERVER_PARALLEL_WORKERS": "0",
            "MLSERVER_MODEL_NAME": model,
        }
    if runtime.protocol is ServingProtocol.OPEN_INFERENCE:
        return {"SKERRY_PORT": str(HTTP_PORT), "SKERRY_GRPC_PORT": str(GRPC_PORT)}
    return threads


def _threads(served: ServedRevision) -> int:
    return max(1, int(parse_quantity(served.limits.cpu)))


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


def _repository_mount() -> Object:
    return {"name": "repository", "mountPath": REPOSITORY, "readOnly": True}
