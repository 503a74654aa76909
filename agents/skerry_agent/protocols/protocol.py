"""What a protocol has to know for the agent: pure, so that a driver sends and a test needs no server."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skerry.jobs.files import Tolerance

FIELDS = 10


class Question(NamedTuple):
    """A request to a server: POST of JSON to a path."""

    path: str
    body: Mapping[str, Any]


class Line(NamedTuple):
    """A request as the gateway logged it.

    Attributes:
        pool: HAProxy's backend.
        revision: whose server answered last.
        status: HTTP status; -1 without an answer.
        ended: HAProxy's termination state, "--" for a normal end.
        retried: another revision's server failed before.
        started: the whole request was there, in seconds of the wall clock.
        answered: the answer's head came, or the request ended without one.
        grpc: the call's status; "-" for none.
        stream: a call of many messages.
    """

    pool: str
    revision: str
    status: int
    ended: str
    retried: bool
    started: float
    answered: float
    grpc: str
    stream: bool

    @staticmethod
    def of(text: str) -> Line | None:
        """Read a line; None for one that no server had a part in. Raises ValueError for what is none."""
        parts = text.split()
        if len(parts) != FIELDS or parts[1] == "<NOSRV>":
            return None
        pool, server, status, ended, retries, started, answered, now, grpc, stream = parts
        return Line(
            pool,
            server,
            int(status),
            ended,
            retries.startswith("+"),
            int(started) / 1e6,
            int(now if answered == "-" else answered) / 1e6,
            grpc,
            stream != "-",
        )


class Reading(NamedTuple):
    """What a line says of the server: whether it failed, and whether the time is a latency of its."""

    failed: bool
    measured: bool


class Protocol(typing.Protocol):
    """The strategy of one protocol."""

    @property
    def name(self) -> str:
        """As the annotation has it."""

    @property
    def ready(self) -> str:
        """The path that a ready server answers with 200, where its pod has no probe that says another."""

    @property
    def unary(self) -> Sequence[str]:
        """Beginnings of the paths of gRPC methods whose calls are one message each."""

    def question(self, model: str, sample: Mapping[str, Any]) -> Question:
        """Return the request that replays a golden sample."""

    def difference(
        self, expected: Sequence[dict[str, Any]], answer: Any, tolerance: Tolerance
    ) -> str | None:
        """Return what of an answer, parsed from JSON, is not as certified; None for nothing.

        Raises LookupError, TypeError or ValueError for an answer that is none.
        """

    def read(self, line: Line) -> Reading:
        """Judge one answer by the gateway's log."""
