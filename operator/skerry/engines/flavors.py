"""Servers that people bring for a class: one value for each that Skerry can start.

Sources of the arguments: Triton's `tritonserver --help`, OpenVINO Model Server's "Model Server
Parameters", MLServer's Settings (environment MLSERVER_*).
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from skerry.engines.server import (
    GRPC_PORT,
    HTTP_PORT,
    METRICS_PORT,
    REPOSITORY,
    Drain,
    Layout,
    Metrics,
    Ports,
    Server,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

WAIT_SECONDS = 5
"""A server of others closes its port at once: the pod waits while the gateways send elsewhere."""


class Flavor(StrEnum):
    """The server in a serving image, which decides the files, arguments and ports that it expects."""

    OPEN_INFERENCE = "OpenInference"
    MLSERVER = "MLServer"
    OPENVINO_MODEL_SERVER = "OpenVINOModelServer"
    TRITON = "Triton"


_THREADS = ("OMP_NUM_THREADS", "$(SKERRY_THREADS)")
_OF_OTHERS = Server(
    ports=Ports(HTTP_PORT, GRPC_PORT),
    drain=Drain(wait_seconds=WAIT_SECONDS),
    layout=Layout.ARTIFACT,
)

FLAVORS: Mapping[Flavor, Server] = {
    Flavor.OPEN_INFERENCE: replace(
        _OF_OTHERS,
        environment=(("SKERRY_PORT", str(HTTP_PORT)), ("SKERRY_GRPC_PORT", str(GRPC_PORT))),
        metrics=Metrics(),
    ),
    Flavor.MLSERVER: replace(
        _OF_OTHERS,
        arguments=("mlserver", "start", REPOSITORY),
        environment=(
            _THREADS,
            ("MLSERVER_HTTP_PORT", str(HTTP_PORT)),
            ("MLSERVER_GRPC_PORT", str(GRPC_PORT)),
            ("MLSERVER_METRICS_PORT", str(METRICS_PORT)),
            ("MLSERVER_PARALLEL_WORKERS", "0"),
            ("MLSERVER_MODEL_NAME", "$(SKERRY_MODEL_NAME)"),
        ),
        metrics=Metrics(METRICS_PORT),
        layout=Layout.MLSERVER,
    ),
    Flavor.OPENVINO_MODEL_SERVER: replace(
        _OF_OTHERS,
        arguments=(
            "--model_name", "$(SKERRY_MODEL_NAME)",
            "--model_path", f"{REPOSITORY}/$(SKERRY_MODEL_NAME)",
            "--rest_port", str(HTTP_PORT),
            "--port", str(GRPC_PORT),
            "--target_device", "CPU",
            "--plugin_config",
            '{"INFERENCE_NUM_THREADS": $(SKERRY_THREADS), "PERFORMANCE_HINT": "LATENCY"}',
            "--file_system_poll_wait_seconds", "0",
            "--metrics_enable",
        ),
        environment=(_THREADS,),
        metrics=Metrics(),
        layout=Layout.MODEL_VERSIONS,
    ),
    Flavor.TRITON: replace(
        _OF_OTHERS,
        arguments=(
            "tritonserver",
            f"--model-repository={REPOSITORY}",
            f"--http-port={HTTP_PORT}",
            f"--grpc-port={GRPC_PORT}",
            f"--metrics-port={METRICS_PORT}",
            "--model-control-mode=none",
            "--allow-gpu-metrics=false",
        ),
        environment=(_THREADS,),
        metrics=Metrics(METRICS_PORT),
        layout=Layout.TRITON,
    ),
}  # fmt: skip


def flavored(own: Server, flavor: Flavor, image: str, arguments: tuple[str, ...] = ()) -> Server:
    """Return the server that a class has in place of an engine's own.

    Args:
        own: The engine's; what its libraries read of the environment holds for any server.
        flavor: Which server the image holds.
        image: By digest.
        arguments: Behind those of the flavor.
    """
    other = FLAVORS[flavor]
    return replace(
        other,
        image=image,
        arguments=(*other.arguments, *arguments),
        environment=(*own.environment, *other.environment),
    )
