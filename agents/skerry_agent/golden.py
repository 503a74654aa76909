"""Golden samples on the device: fetched once per revision from its pod, kept, replayed one by one.

They come out of the artifact that the pod mounts by digest, so they need no client of the registry.
The smoke check (`trial.smoke`) replays them before a candidate gets any traffic, and the guard's golden rule
while it is on trial.
"""

from __future__ import annotations

import asyncio
import json
import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from skerry.api.common import Model
from skerry.engines.server import GOLDEN_PATH
from skerry.jobs.files import Tolerance
from skerry.judging.guard import Answer, Side
from skerry_agent import bounded
from skerry_agent.addresses import endpoint
from skerry_agent.files import set_aside, write_atomically
from skerry_agent.gateway.state import SERVING_PORT
from skerry_agent.protocols import OPEN_INFERENCE, protocol_of
from skerry_agent.trial import smoke
from skerry_agent.trial.smoke import Replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from skerry.judging.guard import Finding

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
FETCH_SECONDS = 30.0
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
        """Return an address below the server."""
        return f"http://{endpoint(self.address, self.port)}{path}"

    def golden_url(self) -> str:
        """Return the URL of the samples; a replaced server has a separate port for them."""
        return f"http://{endpoint(self.address, self.golden_port)}{GOLDEN_PATH}"


class Golden:
    """Golden samples of the revisions on this device. `now` is the clock of the replays' times."""

    def __init__(
        self, directory: Path, client: httpx.AsyncClient, now: Callable[[], float] = monotonic
    ) -> None:
        """Keep the samples in `directory`/state/golden."""
        self.directory = directory / "state" / "golden"
        self.client, self.now = client, now
        self._sets: dict[str, GoldenSet] = {}
        self._remembered: frozenset[str] | None = None

    async def get(self, target: Target) -> GoldenSet:
        """Return the revision's samples.

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
        """Drop the samples of revisions that are gone, in memory and on disk; keys are `key_of`'s."""
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
        """Ask the pod itself, by the route that every request takes."""
        protocol = protocol_of(target.protocol)
        asked = protocol.question(target.model, sample.request)
        started = self.now()
        try:
            answer = await bounded.fetch(
                self.client,
                "POST",
                target.url(asked.path),
                seconds=TIMEOUT_SECONDS,
                # Not httpx' own JSON, which refuses the tokens that some servers want for NaN.
                content=json.dumps(asked.body).encode(),
                headers={"Content-Type": "application/json"},
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
        """Replay once, and once more at once when the answer was wrong."""
        first = await self.replay(target, sample, tolerance)
        return (
            [first]
            if first.wrong is None
            else [first, await self.replay(target, sample, tolerance)]
        )

    async def smoke(self, candidate: Target, stable: Target | None) -> Finding:
        """Return whether the candidate answers right and fast enough to be given traffic.

        Sends the probes of `trial.smoke`. Raises httpx.HTTPError, OSError or ValueError when the candidate's
        golden samples can't be had yet.
        """
        mine, theirs = await self.get(candidate), None
        check = smoke.check(len(mine.samples), mine.p50_milliseconds, compared=stable is not None)
        probe = next(check)
        while True:
            await asyncio.sleep(probe.pause_seconds)
            if probe.opens_round:
                theirs = await self._reference(stable)
            side = (candidate, mine) if probe.side is Side.CANDIDATE else (stable, theirs)
            replay = await self._probe(*side, probe.sample)
            try:
                probe = check.send(replay)
            except StopIteration as end:
                return cast("Finding", end.value)

    async def _probe(self, target: Target | None, known: GoldenSet | None, number: int) -> Replay:
        if target is None or known is None:
            now = self.now()
            return Replay(Answer(now, now, failed=True), "no golden samples")
        return await self.replay(
            target, known.samples[number % len(known.samples)], known.tolerance
        )

    async def _reference(self, stable: Target | None) -> GoldenSet | None:
        if stable is None:
            return None
        try:
            return await self.get(stable)
        except Exception as error:  # noqa: BLE001 - the certified figures stand in for it
            log.warning("no golden samples of stable %s: %s", stable.revision, error)
            return None


def key_of(owner: str, revision: str) -> str:
    """Return what the samples of a revision are kept under, also as a file's name."""
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
