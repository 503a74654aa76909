"""The server that answers for an engine's builds, as a value: what its pods are made of, and how it is asked.

Arguments and environment are as Kubernetes takes them: the kubelet puts the value of a variable in place
of `$(NAME)`. In addition to its own variables a server gets

    SKERRY_MODEL_NAME       the EdgeModel's name
    SKERRY_REVISION         the revision's name
    SKERRY_MODEL_DIR        where the artifact is mounted, read-only
    SKERRY_ARTIFACT_DIGEST  of the artifact's image
    SKERRY_CPU_LIMIT        in cores, such as 0.25
    SKERRY_THREADS          the CPU limit in whole threads, 1 at least
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HTTP_PORT, GRPC_PORT, METRICS_PORT = 8080, 8081, 8082
REPOSITORY = "/repository"
GOLDEN_PATH = "/skerry/golden"
"""Where a pod hands out its golden samples."""
OPEN_INFERENCE = "OpenInference"
"""The protocol of Skerry's own runtime: the Open Inference Protocol over REST and gRPC."""


class Layout(StrEnum):
    """What `skerry_runtime.repository` writes next to an artifact, before a server starts that needs it."""

    ARTIFACT = "Artifact"  # the golden samples alone
    MLSERVER = "MLServer"
    MODEL_VERSIONS = "ModelVersions"
    TRITON = "Triton"


@dataclass(frozen=True)
class Ports:
    """Ports of the server's container.

    Attributes:
        http: Answers requests and probes.
        grpc: Of its own, with HTTP/2; None where `http` takes gRPC too, or nothing does.
    """

    http: int = HTTP_PORT
    grpc: int | None = None


@dataclass(frozen=True)
class Metrics:
    """Where Prometheus finds the server's metrics."""

    port: int = HTTP_PORT
    path: str = "/metrics"


@dataclass(frozen=True)
class Drain:
    """How a pod of the server goes.

    Attributes:
        grace_seconds: Until the kubelet kills it.
        wait_seconds: Before the server is asked to stop, for one that does not let its callers leave first.
    """

    grace_seconds: int = 30
    wait_seconds: int = 0


@dataclass(frozen=True)
class Server:
    """A server.

    Attributes:
        protocol: How it is asked. The agent has a strategy for each (`skerry_agent.protocols`).
        image: By digest; empty for the engine's runtime image.
        command: Empty for the image's entry point.
        arguments: See above.
        environment: Name and value of each variable, see above.
        ports: Of the container.
        ready: Path of the probe on the port `http`, for kubelet and gateway.
        metrics: None where it has none.
        drain: How its pods go.
        layout: What is to be laid out for it in `REPOSITORY`, golden samples among it, which a container of
            Skerry's then hands out; None for a server that needs no more than the artifact and hands out
            its golden samples itself.
    """

    protocol: str = OPEN_INFERENCE
    image: str = ""
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    ports: Ports = Ports()
    ready: str = "/v2/health/ready"
    metrics: Metrics | None = None
    drain: Drain = Drain()
    layout: Layout | None = None


SKERRY_RUNTIME = Server(command=("python3", "-m", "skerry_runtime"), metrics=Metrics())
"""Skerry's own, which loads the engine's models in its process. It drains by itself."""
