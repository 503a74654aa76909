"""The Open Inference Protocol, version 2, over REST and gRPC: Skerry's own runtime and most others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skerry.engines import server
from skerry.judging.guard import golden
from skerry_agent.protocols.protocol import Question, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skerry.jobs.files import Tolerance
    from skerry_agent.protocols.protocol import Line

SERVICE = "/inference.GRPCInferenceService/"
SERVERS_FAULT = frozenset("sSPD")
"""First letter of HAProxy's termination state: server timed out (s), reset (S), sent nonsense (P), or
went down meanwhile (D). C and c are clients that left."""
SERVER_ERROR, CLIENT_ERROR = 500, 400
GRPC_FINE = frozenset({"0", "-"})
"""Absent where the call was answered: its code then comes behind the answer, out of the gateway's sight, and
is 0 for a call of one message."""
GRPC_CALLERS_FAULT = frozenset({"1", "3", "5", "6", "7", "9", "10", "11", "12", "16"})
"""gRPC's codes that are not the server's fault. The others are: UNKNOWN, DEADLINE_EXCEEDED,
RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, DATA_LOSS, and any text that is no code, which is UNKNOWN for
gRPC's own clients too."""


@dataclass(frozen=True)
class OpenInference:
    """The strategy; see `skerry_agent.protocols.Protocol`."""

    name: str = server.OPEN_INFERENCE
    ready: str = server.SKERRY_RUNTIME.ready
    # All methods but Triton's ModelStreamInfer.
    unary: tuple[str, ...] = tuple(
        SERVICE + method for method in ("Server", "ModelInfer", "ModelReady", "ModelMetadata")
    )

    def question(self, model: str, sample: Mapping[str, Any]) -> Question:
        """Return the sample as it is: it is a request of this protocol."""
        return Question(f"/v2/models/{model}/infer", sample)

    def difference(
        self, expected: Sequence[dict[str, Any]], answer: Any, tolerance: Tolerance
    ) -> str | None:
        """Compare the output tensors."""
        return golden.difference(expected, answer["outputs"], tolerance)

    def read(self, line: Line) -> Reading:
        """Judge one answer: a stream's length is no latency, and neither is what a client made wrong."""
        failed = (
            line.status >= SERVER_ERROR or line.ended[0] in SERVERS_FAULT or _is_failure(line.grpc)
        )
        measured = not (
            line.stream
            or line.ended[0] in "cC"
            or line.status >= CLIENT_ERROR
            or line.grpc not in GRPC_FINE
        )
        return Reading(failed, measured)


OPEN_INFERENCE = OpenInference()


def _is_failure(code: str) -> bool:
    return code not in GRPC_FINE and code not in GRPC_CALLERS_FAULT
