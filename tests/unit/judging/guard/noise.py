"""Traffic of two servers on one noisy machine, for the simulation: synthetic, and from a real trace."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Fault = Callable[[Floats, Floats, np.random.Generator], Floats]

TRACE = Path(__file__).parents[3] / "data" / "latency-trace.csv"
BLOCK_SECONDS = 10.0
BASE_MILLISECONDS = 8.0


@dataclass(frozen=True)
class Requests:
    """One server's requests in order: when they came and when they were answered, in seconds."""

    started: Floats
    answered: Floats


def healthy(_times: Floats, service: Floats, _rng: np.random.Generator) -> Floats:
    """Return latencies of an equal build."""
    return service


def queued(started: Floats, service_ms: Floats) -> Requests:
    """Return answers of a server that does one request at a time while others wait (Lindley's recursion)."""
    ends = np.cumsum(service_ms) / 1000
    before = ends - service_ms / 1000
    begun = np.maximum.accumulate(started - before) + before
    return Requests(started, begun + service_ms / 1000)


@dataclass(frozen=True)
class Machine:
    """The noise that both servers share: a level every 10 s, and stalls of about half a second."""

    levels: Floats
    stalls: list[tuple[float, float, float]]

    @staticmethod
    def make(rng: np.random.Generator, seconds: float) -> Machine:
        """Return a machine's noise for so many seconds."""
        count = int(seconds // 10) + 1
        busy = np.where(rng.random(count) < 0.1, rng.uniform(1, 1.5, count), 1)
        many = rng.poisson(seconds / 60)
        stalls = zip(
            rng.uniform(0, seconds, many),
            rng.exponential(0.5, many),
            rng.uniform(2, 6, many),
            strict=True,
        )
        return Machine(np.exp(rng.normal(0, 0.05, count)) * busy, list(stalls))

    def serve(
        self, rng: np.random.Generator, rate: float, seconds: float, fault: Fault
    ) -> Requests:
        """Return answers to Poisson arrivals at `rate` a second, with this machine's noise and `fault`."""
        many = rng.poisson(rate * seconds)
        times = np.sort(rng.uniform(0, seconds, many))
        level = self.levels[(times // 10).astype(int)]
        service = BASE_MILLISECONDS * level * np.exp(rng.normal(0, 0.12, many))
        slow = rng.random(many) < 0.03
        service[slow] *= rng.uniform(1.3, 4, slow.sum())
        for start, length, factor in self.stalls:
            service[(times >= start) & (times < start + length)] *= factor
        return queued(times, fault(times, service, rng))


def synthetic(
    rng: np.random.Generator, share: float, rate: float, seconds: float, fault: Fault = healthy
) -> tuple[Requests, Requests]:
    """Return a candidate's answers with `share` of `rate` requests a second, and stable's with the rest."""
    machine = Machine.make(rng, seconds)
    candidate = machine.serve(rng, rate * share, seconds, fault)
    return candidate, machine.serve(rng, rate * (1 - share), seconds, healthy)


class Trace:
    """330 s of two equal servers, ten requests a second each; blocks of time are drawn from it."""

    def __init__(self) -> None:
        """Read the recorded latencies."""
        with TRACE.open() as file:
            rows = list(csv.DictReader(file))
        self.servers = [
            np.array(
                [
                    (float(r["second"]), float(r["milliseconds"]))
                    for r in rows
                    if r["server"] == name
                ]
            )
            for name in "AB"
        ]
        self.seconds = min(float(server[-1, 0]) for server in self.servers)

    def draw(
        self, rng: np.random.Generator, share: float, seconds: float, fault: Fault = healthy
    ) -> tuple[Requests, Requests]:
        """Return blocks of both servers at the same time, thinned to 20 requests a second in all.

        A server of the trace has ten a second and no more: so many has the side with 90 % here.
        """
        starts = rng.uniform(0, self.seconds - BLOCK_SECONDS, int(seconds / BLOCK_SECONDS))
        sides = [self._side(server, starts) for server in rng.permutation([0, 1])]
        result = []
        for (times, values), part in zip(sides, (share, 1 - share), strict=True):
            kept = rng.random(len(times)) < 2 * part
            result.append((times[kept], values[kept]))
        (candidate, slow), (stable, usual) = result
        slow = fault(candidate, slow, rng)
        return _ended(candidate, slow), _ended(stable, usual)

    def _side(self, server: int, starts: Floats) -> tuple[Floats, Floats]:
        points = self.servers[server]
        times, values = [], []
        for number, start in enumerate(starts):
            first, last = np.searchsorted(points[:, 0], (start, start + BLOCK_SECONDS))
            times.append(points[first:last, 0] - start + number * BLOCK_SECONDS)
            values.append(points[first:last, 1])
        return np.concatenate(times), np.concatenate(values)


def _ended(started: Floats, milliseconds: Floats) -> Requests:
    """Return answers in the order of their ends, as a gateway logs them."""
    answered = started + milliseconds / 1000
    order = np.argsort(answered, kind="stable")
    return Requests(started[order], answered[order])
