"""What Prometheus scrapes: requests, errors, latency, what is in flight, and what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT_TYPE = CONTENT_TYPE_LATEST
# From a CNN's 50 microseconds to a large model on a small core; seconds.
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The runtime's own registry of metrics."""

    def __init__(self, in_flight: Callable[[], int]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "skerry_runtime_requests",
            "Inference requests by form of the protocol and HTTP status (gRPC's as its equal).",
            ["protocol", "code"],
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "skerry_runtime_request_seconds",
            "Time of an inference request in the runtime, waiting included.",
            buckets=BUCKETS,
            registry=self._registry,
        )
        self.inference_seconds = Histogram(
            "skerry_runtime_inference_seconds",
            "Time in the engine alone.",
            buckets=BUCKETS,
            registry=self._registry,
        )
        self.batch_requests = Histogram(
            "skerry_runtime_batch_requests",
            "Requests that were computed together in one call of the engine.",
            buckets=(1, 2, 4, 8, 16),
            registry=self._registry,
        )
        Gauge(
            "skerry_runtime_in_flight",
            "Inference requests that run or wait.",
            registry=self._registry,
        ).set_function(in_flight)
        self._model = Gauge(
            "skerry_runtime_model_info",
            "What is served; the value is 1.",
            ["model", "revision", "recipe", "precision", "engine_version"],
            registry=self._registry,
        )

    def name_model(self, **labels: str) -> None:
        """Say what is served."""
        self._model.labels(**labels).set(1)

    def count(self, protocol: str, code: int, seconds: float) -> None:
        """Count an inference request.

        Args:
            protocol: Its form: rest or grpc.
            code: The HTTP status that it was answered with, or that says the same.
            seconds: From when it was read whole to its answer.
        """
        self._requests.labels(protocol, str(code)).inc()
        self._request_seconds.observe(seconds)

    def text(self) -> bytes:
        """Return the exposition."""
        return generate_latest(self._registry)
