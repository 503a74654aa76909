"""Golden samples on the device: fetched once per revision from its pod, kept, replayed one by one.

They come out of the artifact that the pod mounts by digest, so they need no client of the registry.
The smoke check replays them before a candidate gets any traffic, side by side with stable's, and
also times them: a build that is far too slow here is stopped before a user meets it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from itertools import cycle, islice
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from skerry.api.common import Model
from skerry.api.edgenode import VerdictOutcome
from skerry.engines.server import GOLDEN_PATH
from skerry.jobs.files import Tolerance
from skerry.judging.guard import Answer, Finding
from skerry.judging.guard.golden import RULE
from skerry_agent import bounded
from skerry_agent.addresses import endpoint
from skerry_agent.files import set_aside, write_atomically
from skerry_agent.gateway.state import SERVING_PORT
from skerry_agent.protocols import OPEN_INFERENCE, protocol_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
FETCH_SECONDS = 30.0
PACE_TIMES = 4.0
PACE_SECONDS = 0.2
"""Between two samples of the smoke check: four times as long as the quickest took, 0.2 s at most, so that a
small model is checked within a tenth of a second. Where that was too slow, 0.2 s in the rounds that follow: a
CPU limit that is enough for traffic is enough for it."""
LEAST_TIMED = 8
MOST_CHECKED = 24
SLOWER_TIMES = 3.0
SLACK_MILLISECONDS = 20.0
"""The smoke check fails when the median is above 3 times stable's (or the certified) plus 20 ms: what
HTTP and a busy machine add to a small model's fraction of a millisecond is no fault."""
TIMED_ROUNDS = 4
ROUND_PAUSE_SECONDS = 8.0
"""A busy machine is slow for a while, a build that is too slow stays so: only a candidate that is slow
in every round fails, and other load can only have made a round longer."""
OK = 200


class Sample(Model):
    """A request of the Open Inference Protocol and the output tensors that are certified for it.

    A server of another protocol is asked the same in its own words.
    """

    request: dict[str, Any]
    outputs: list[dict[str, Any]]


class GoldenSet(Model):
    """What a pod serves at `GOLDEN_PATH`."""

    tolerance: Tolerance
    samples: list[Sample]
    p50_milliseconds: float | None = None


class Target(NamedTuple):
    """Where a revision answers. `owner` is the EdgeModel's identity: samples are kept for it alone."""

    revision: str
    address: str
    model: str
    port: int = SERVING_PORT
    golden_port: int = SERVING_PORT
    owner: str = ""
    protocol: str = OPEN_INFERENCE.name

    @property
    def key(self) -> str:
        """What its samples are kept under."""
        return key_of(self.owner, self.revision)

    def url(self, path: str) -> str:
        """An address below the server."""
        return f"http://{endpoint(self.address, self.port)}{path}"

    def golden_url(self) -> str:
        """Where the samples are: beside a replaced server, on a port of their own."""
        return f"http://{endpoint(self.address, self.golden_port)}{GOLDEN_PATH}"


class Replay(NamedTuple):
    """One sample's answer; `wrong` says what is not as certified."""

    answer: Answer
    wrong: str | None = None

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return (self.answer.answered - self.answer.started) * 1000


class Golden:
    """Golden samples of the revisions on this device. `now` is the clock of the replays' times."""

    def __init__(
        self, directory: Path, client: httpx.AsyncClient, now: Callable[[], float] = monotonic
    ) -> None:
        """Keeps the samples in `directory`/state/golden."""
        self.directory = directory / "state" / "golden"
        self.client, self.now = client, now
        self._sets: dict[str, GoldenSet] = {}
        self._remembered: frozenset[str] | None = None

    async def get(self, target: Target) -> GoldenSet:
        """The revision's samples.

        Raises httpx.HTTPError, OSError or ValueError when they can't be had, or replayed by this agent.
        """
        protocol_of(target.protocol)
        if target.key not in self._sets:
            path = self.directory / f"{target.key}.json"
            self._sets[target.key] = _read(path) or await self._fetch(target, path)
        return self._sets[target.key]

    async def _fetch(self, target: Target, path: Path) -> GoldenSet:
        answer = await bounded.fetch(
            self.client,
            "GET",
            target.golden_url(),
            seconds=FETCH_SECONDS,
            timeout=TIMEOUT_SECONDS,
        )
        answer.head.raise_for_status()
        bounded.check_size(answer.body)
        found = GoldenSet.model_validate_json(answer.body)
        if not found.samples:
            raise ValueError(f"revision {target.revision} has no golden samples")
        try:
            write_atomically(path, answer.body.decode())
        except OSError as error:
            log.warning("%s can't be kept, and is fetched again after a restart: %s", path, error)
        return found

    def forget(self, kept: frozenset[str]) -> None:
        """Drops the samples of revisions that are gone, in memory and on disk; keys are `key_of`'s."""
        if kept == self._remembered:
            return
        self._sets = {key: samples for key, samples in self._sets.items() if key in kept}
        try:
            for path in self.directory.glob("*.json*"):
                if path.name.partition(".json")[0] not in kept:
                    path.unlink()
        except OSError as error:
            log.warning("golden samples of what is gone stay on disk for now: %s", error)
            return
        self._remembered = kept

    async def replay(self, target: Target, sample: Sample, tolerance: Tolerance) -> Replay:
        """Asks the pod itself, by the route that every request takes."""
        protocol = protocol_of(target.protocol)
        asked = protocol.question(target.model, sample.request)
        started = self.now()
        try:
            answer = await bounded.fetch(
                self.client,
                "POST",
                target.url(asked.path),
                seconds=TIMEOUT_SECONDS,
                json=asked.body,
                timeout=TIMEOUT_SECONDS,
            )
            answered = self.now()
            if answer.head.status_code != OK:
                failed = f"status {answer.head.status_code}: {answer.text[:80]}"
                return Replay(Answer(started, answered, failed=True), failed)
            wrong = protocol.difference(sample.outputs, bounded.parse(answer.body), tolerance)
        except Exception as error:  # noqa: BLE001 - whatever a server on trial makes of an answer is its fault
            failed = f"no answer: {type(error).__name__}"
            return Replay(Answer(started, self.now(), failed=True), failed)
        return Replay(Answer(started, answered), wrong)

    async def replay_twice(
        self, target: Target, sample: Sample, tolerance: Tolerance
    ) -> list[Replay]:
        """Once, and once more at once when it was wrong."""
        first = await self.replay(target, sample, tolerance)
        return (
            [first]
            if first.wrong is None
            else [first, await self.replay(target, sample, tolerance)]
        )

    async def smoke(self, candidate: Target, stable: Target | None) -> Finding:
        """Whether the candidate answers right and fast enough to be given traffic.

        Raises httpx.HTTPError, OSError or ValueError when its golden samples can't be had yet.
        """
        mine = await self.get(candidate)
        await self.replay(candidate, mine.samples[0], mine.tolerance)  # wakes it up: not timed
        finding = await self._round(candidate, mine, stable, PACE_TIMES)
        for _ in range(TIMED_ROUNDS - 1):
            if finding.outcome is VerdictOutcome.PASS or finding.first_bad_at is not None:
                break
            await asyncio.sleep(ROUND_PAUSE_SECONDS)
            finding = await self._round(candidate, mine, stable)
        return finding

    async def _round(
        self,
        candidate: Target,
        mine: GoldenSet,
        stable: Target | None,
        pace_times: float = math.inf,
    ) -> Finding:
        """Each sample once, or some again for enough times; a wrong answer ends it."""
        theirs = await self._reference(stable)
        samples = mine.samples[:MOST_CHECKED]
        times: list[float] = []
        reference: list[float] = []
        for number, sample in enumerate(islice(cycle(samples), max(len(samples), LEAST_TIMED))):
            replays = await self.replay_twice(candidate, sample, mine.tolerance)
            if replays[-1].wrong is not None:
                return _wrong(replays[-1], len(times) + 1)
            times.append(replays[-1].milliseconds)
            if stable is not None and theirs is not None:
                other = theirs.samples[number % len(theirs.samples)]
                replay = await self.replay(stable, other, theirs.tolerance)
                reference += [] if replay.answer.failed else [replay.milliseconds]
            await asyncio.sleep(min(PACE_SECONDS, pace_times * min(times) / 1000))
        certified = [] if mine.p50_milliseconds is None else [mine.p50_milliseconds]
        return _timed(times, reference or certified)

    async def _reference(self, stable: Target | None) -> GoldenSet | None:
        if stable is None:
            return None
        try:
            return await self.get(stable)
        except Exception as error:  # noqa: BLE001 - the certified figures stand in for it
            log.warning("no golden samples of stable %s: %s", stable.revision, error)
            return None


def key_of(owner: str, revision: str) -> str:
    """What the samples of a revision are kept under, also as a file's name."""
    return f"{owner}_{revision}" if owner else revision


def _read(path: Path) -> GoldenSet | None:
    try:
        if path.stat().st_size > bounded.LIMIT_BYTES:
            raise ValueError("it is too large")  # noqa: TRY301
        return GoldenSet.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        set_aside(path, str(error).partition("\n")[0])
        return None


def _wrong(replay: Replay, count: int) -> Finding:
    return Finding(
        VerdictOutcome.FAIL,
        RULE,
        observed=(replay.wrong or "")[:128],
        bound="the certified outputs, within their tolerance",
        samples=count,
        message=f"smoke check: {replay.wrong}",
        first_bad_at=replay.answer.answered,
    )


def _timed(times: list[float], reference: list[float]) -> Finding:
    mine = median(times)
    if not reference:
        return Finding(
            VerdictOutcome.PASS, RULE, observed=f"median {mine:.1f} ms", samples=len(times)
        )
    limit = SLOWER_TIMES * median(reference) + SLACK_MILLISECONDS
    slow = mine > limit
    return Finding(
        VerdictOutcome.FAIL if slow else VerdictOutcome.PASS,
        RULE,
        observed=f"median {mine:.1f} ms, expected {median(reference):.1f} ms",
        bound=f"{limit:.1f} ms",
        samples=len(times),
        message=f"smoke check: golden samples take {mine:.1f} ms, more than the accepted {limit:.1f} ms"
        if slow
        else "golden samples match the certified outputs",
    )
