"""What the traffic saw, and when: pure arithmetic over the load pods' records.

An answer is bad when it is an error, or when it took more than `SLOW_FACTOR` times the p95 that the
stable revision had on the same node while both answered there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SLOW_FACTOR = 1.5
SECONDS_BEFORE = 2.0
"""Of stable alone: at the last step it answers too seldom to be counted from there only."""
SECONDS_AROUND = 2.0
"""Of a switch: requests that were under way, and what a gateway had not heard of yet."""
HTTP_OK = 200


@dataclass(frozen=True)
class Answer:
    """One request of the load: times in Unix seconds, latency in milliseconds, status 0 for none."""

    sent: float
    milliseconds: float
    status: int
    revision: str
    node: str

    @property
    def received(self) -> float:
        """When the answer was there, in Unix seconds."""
        return self.sent + self.milliseconds / 1000

    @classmethod
    def from_record(cls, record: dict[str, object]) -> Answer:
        """Read a line of `load.py`."""
        return cls(
            float(str(record["t"])), float(str(record["ms"])), int(str(record["s"])),
            str(record["r"]), str(record["n"]),
        )  # fmt: skip


def p95(latencies: Sequence[float]) -> float:
    """Return the 95th percentile; of fewer than two values, the value itself or 0."""
    if len(latencies) < 2:
        return max(latencies, default=0.0)
    return quantiles(latencies, n=20)[-1]


@dataclass(frozen=True)
class NodeEvent:
    """Something that a node's agent logged, in Unix seconds; `idle`: it has no candidate any more."""

    at: float
    node: str
    event: str
    revision: str


@dataclass(frozen=True)
class Timeline:
    """A rollback as the traffic of one hardware class saw it; instants are Unix seconds.

    `spoiled` counts the bad answers that callers saw before the verdict. What a gateway asks of stable
    again, when the bad revision fails, is none of them.
    """

    first_met: float
    verdict: float
    node_back: float
    fleet_back: float
    spoiled: int
    bad_node: str
    bad_revision: str

    def milliseconds(self) -> dict[str, float]:
        """Return how long each step took: from the first answer to the verdict, and onward."""
        return {
            "first answer to verdict": (self.verdict - self.first_met) * 1000,
            "verdict to node back": (self.node_back - self.verdict) * 1000,
            "verdict to class back": (self.fleet_back - self.verdict) * 1000,
        }


def is_bad(answer: Answer, stable_p95: float) -> bool:
    """Return whether the answer is an error, or slower than `SLOW_FACTOR` times stable's p95."""
    return answer.status != HTTP_OK or answer.milliseconds > SLOW_FACTOR * stable_p95


def last_met(answers: Iterable[Answer], bad_revision: str, after: float) -> float:
    """Return when the last request that still met the bad revision was sent; `after` when none did."""
    return max(
        (a.sent for a in answers if a.revision == bad_revision and a.sent > after), default=after
    )


def flipped_at(events: Iterable[NodeEvent], bad_revision: str, after: float) -> float:
    """Return when the first node had switched its gateway back to stable."""
    flips = (e.at for e in events if e.event == "flipped" and e.revision == bad_revision)
    return min((at for at in flips if at >= after), default=after)


def acknowledged_at(events: Iterable[NodeEvent], after: float) -> float:
    """Return when the last of the nodes had reported that it has no candidate any more."""
    first: dict[str, float] = {}
    for event in events:
        if event.event == "idle" and event.at > after:
            first[event.node] = min(event.at, first.get(event.node, event.at))
    return max(first.values(), default=after)


def rollback_timeline(
    answers: Sequence[Answer],
    events: Sequence[NodeEvent],
    bad_revision: str,
    verdict_at: float,
    bad_node: str,
) -> Timeline | None:
    """Return when each step happened on the node of the first verdict and in the fleet (one class).

    A node is back when its gateway is and no request meets the bad revision any more, the fleet when
    every node of the class has said so. Returns None when the bad revision answered nobody: then there is
    nothing to time.
    """
    met = [a for a in answers if a.revision == bad_revision]
    if not met:
        return None
    first_seen = min(a.sent for a in met)
    of_others = [
        a.milliseconds
        for a in answers
        if a.node == bad_node
        and a.revision != bad_revision
        and a.status == HTTP_OK
        and first_seen - SECONDS_BEFORE <= a.sent <= verdict_at
    ]
    limit = p95(of_others)
    bad = [a for a in met if is_bad(a, limit)]
    on_node = [a for a in answers if a.node == bad_node]
    node_back = max(
        flipped_at(events, bad_revision, verdict_at), last_met(on_node, bad_revision, verdict_at)
    )
    return Timeline(
        first_met=min(a.received for a in met),
        verdict=verdict_at,
        node_back=node_back,
        fleet_back=max(
            node_back,
            last_met(answers, bad_revision, verdict_at),
            acknowledged_at(events, verdict_at),
        ),
        spoiled=sum(a.sent <= verdict_at for a in bad),
        bad_node=bad_node,
        bad_revision=bad_revision,
    )


def switches(answers: Iterable[Answer]) -> dict[str, list[tuple[float, float]]]:
    """Return when each node moved between revisions, by its good answers: from and to, Unix seconds.

    It moves from the first answer of a revision on for as long as an older one answers too; of one that is
    rolled back, until its last. `SECONDS_AROUND` is added on both sides.
    """
    spans: dict[str, dict[str, tuple[float, float]]] = {}
    for answer in sorted(answers, key=lambda a: a.sent):
        if answer.status == HTTP_OK:
            of_node = spans.setdefault(answer.node, {})
            first, _ = of_node.get(answer.revision, (answer.sent, 0.0))
            of_node[answer.revision] = (first, answer.sent)
    return {node: _moves(list(of_node.values())) for node, of_node in spans.items()}


def _moves(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the moves from the first and last answer of each revision of a node, in order of the first ones."""
    moves = []
    older_until = spans[0][1]
    for first, last in spans[1:]:
        end = max(first, min(last, older_until))
        moves.append((first - SECONDS_AROUND, end + SECONDS_AROUND))
        older_until = max(older_until, last)
    return moves


def is_within(answer: Answer, periods: dict[str, list[tuple[float, float]]]) -> bool:
    """Return whether it was sent in one of its node's periods."""
    return any(start <= answer.sent <= end for start, end in periods.get(answer.node, ()))


def lost(answers: Iterable[Answer]) -> Counter[str]:
    """Count requests without a good answer by what came instead (status or error), and where."""
    return Counter(
        f"{f'HTTP {a.status}' if a.status else a.revision} on {a.node}"
        for a in answers
        if a.status != HTTP_OK
    )
