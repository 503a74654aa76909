"""The I/O of one model on this node: its tasks, its metrics and its timeline. `trial` decides."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from skerry.api.rollout import ALL_PERCENT
from skerry.judging.guard import Side
from skerry_agent import metrics
from skerry_agent.golden import Target
from skerry_agent.timeline import emit
from skerry_agent.trial.local_model import LocalModel
from skerry_agent.trial.traffic import share_of_candidate
from skerry_agent.trial.work import BUDGET, RETRY_SECONDS, SmokeCheck

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api.modelroute import ModelRoute
    from skerry.judging.guard import Answer
    from skerry_agent.clock import Clock
    from skerry_agent.golden import Golden
    from skerry_agent.times import Reading
    from skerry_agent.trial.events import Event
    from skerry_agent.trial.instance import Instance
    from skerry_agent.trial.memory import Memory
    from skerry_agent.trial.work import Replays, Work

log = logging.getLogger(__name__)


class Runner:
    """Runs what one model's trial needs, one task at a time. `wake` asks for a reconcile at once.

    Attributes:
        fault: the unexpected error that ended the last reconcile; empty when none did.
    """

    def __init__(
        self, route: ModelRoute, memory: Memory, golden: Golden, wake: asyncio.Event, clock: Clock
    ) -> None:
        """Continue from what was stored."""
        self.model = LocalModel(route, memory, clock.read())
        self.golden, self.wake, self.clock = golden, wake, clock
        self.fault = ""
        self._task: asyncio.Task[None] | None = None

    def record(self, revision: str, answer: Answer) -> None:
        """Record an answer; a run of failures is judged without waiting for the next second."""
        if self.model.record(revision, answer):
            self.wake.set()

    def tick(
        self, clock: Reading, instances: Mapping[str, Instance], checks: Mapping[str, bool | None]
    ) -> None:
        """Reconcile the model, and start what its trial needs."""
        done = self.model.reconcile(clock, instances, checks)
        for revision, answers in done.answers.items():
            metrics.count(self.model.key, revision, answers)
        for event in done.events:
            _write(event)
        self._start(self.model.next_work(clock.now))
        self._observe()

    def _observe(self) -> None:
        model = self.model
        recent = model.evidence.guard.live.recent
        metrics.observe(
            model.key,
            traffic=share_of_candidate(model.route.spec, model.memory.trial) / ALL_PERCENT,
            window={
                Side.CANDIDATE: len(recent.candidate.points),
                Side.STABLE: len(recent.stable.points),
            },
            vetoes=len(model.memory.vetoes),
            outcome=model.finding.outcome if model.finding else None,
        )

    def note_flip(self) -> None:
        """Write the timeline when traffic has left a failed revision."""
        event = self.model.take_flip()
        if event is not None:
            _write(event)

    def stop(self) -> None:
        """End the task: the model left this node."""
        if self._task is not None:
            self._task.cancel()

    def _start(self, work: Work | None) -> None:
        if work is None or (self._task is not None and not self._task.done()):
            return
        begun = self._check(work) if isinstance(work, SmokeCheck) else self._replay(work)
        self._task = asyncio.create_task(begun)
        self._task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Count a task that failed unexpectedly; a later reconcile starts it again."""
        if not task.cancelled() and task.exception() is not None:
            metrics.FAULTS.labels("replay").inc()
            log.error("%s: a replay ended", self.model.key, exc_info=task.exception())
            self.model.replays.retry(self.clock.monotonic())

    async def _check(self, work: SmokeCheck) -> None:
        candidate = self._target(work.candidate)
        stable = self._target(work.stable) if work.stable else None
        try:
            finding = await self.golden.smoke(candidate, stable)
        except Exception as error:  # noqa: BLE001 - whatever its server makes of an answer
            self._note_no_samples(candidate.revision, error)
            await asyncio.sleep(RETRY_SECONDS)
            return
        self.model.no_samples.pop(candidate.revision, None)
        if self.model.evidence.take_smoke(work.trial, finding):
            self.wake.set()

    async def _replay(self, work: Replays) -> None:
        spent = 0.0
        for number in work.samples:
            for side, instance in work.sides.items():
                spent += await self._replay_one(work, number, side, self._target(instance))
        self.model.replays.record(spent, self.clock.monotonic(), work)

    async def _replay_one(self, work: Replays, number: int, side: Side, target: Target) -> float:
        """Replay one sample; returns the seconds that it took."""
        try:
            known = await self.golden.get(target)
        except Exception as error:  # noqa: BLE001 - as above
            self._note_no_samples(target.revision, error)
            return RETRY_SECONDS * BUDGET
        self.model.no_samples.pop(target.revision, None)
        sample = known.samples[number % len(known.samples)]
        replays = await self.golden.replay_twice(target, sample, known.tolerance)
        work.evidence.replays.add(side, [replay.answer for replay in replays])
        for replay in replays:
            if side is Side.CANDIDATE and not replay.answer.failed:
                work.evidence.golden.add(replay.answer.answered, replay.wrong)
        return sum(replay.milliseconds for replay in replays) / 1000

    def _note_no_samples(self, revision: str, error: Exception) -> None:
        """Say it once for each reason, in the log and to the operator."""
        why = str(error).partition("\n")[0][:200] or type(error).__name__
        if self.model.no_samples.get(revision) != why:
            log.warning("%s: can't fetch golden samples of %s: %s", self.model.key, revision, why)
        self.model.no_samples[revision] = why

    def _target(self, instance: Instance) -> Target:
        ports = instance.ports
        return Target(
            instance.revision,
            instance.address,
            self.model.route.spec.edge_model_name,
            ports.http,
            ports.golden or ports.http,
            self.model.owner,
            instance.protocol,
        )


def _write(event: Event) -> None:
    emit(event.name, at=event.at, **event.fields)
