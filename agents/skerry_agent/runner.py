"""One model on this node: gathers what is seen, asks `plan`, and starts what the plan needs."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from skerry.api.edgenode import CandidateState, VerdictOutcome
from skerry.judging.guard import Evidence, Side, judge
from skerry.judging.guard.errors import IN_A_ROW
from skerry_agent import metrics, plan
from skerry_agent.gateway.state import Backend, Server
from skerry_agent.golden import Target
from skerry_agent.plan import Seen
from skerry_agent.timeline import tell

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from skerry.api.attempt import Attempt
    from skerry.api.modelroute import ModelRoute
    from skerry.judging.guard import Answer, Finding
    from skerry_agent.clock import Clock
    from skerry_agent.golden import Golden
    from skerry_agent.plan import Memory, Trial
    from skerry_agent.pods import Pod

log = logging.getLogger(__name__)

BUDGET = 0.01
"""Golden replays may cost a hundredth of a core: the next comes after a hundred times their length."""
LEAST_PAUSE_SECONDS = 1.0
RETRY_SECONDS = 2.0
COSTS = 8


class Runner:
    """The trial of one model's revisions. `wake` asks for a pass at once."""

    def __init__(
        self, route: ModelRoute, memory: Memory, golden: Golden, wake: asyncio.Event, clock: Clock
    ) -> None:
        """Goes on from what was kept; a step that was under way begins anew (its answers are lost)."""
        self.route = route
        self.memory = memory
        self.clock = clock
        self.trouble = self.fault = ""
        self.golden = golden
        self.wake = wake
        self.evidence = Evidence()
        self.pods: dict[str, Pod] = {}
        self.up: frozenset[str] = frozenset()
        self._told: dict[str, bool] = {}
        self.finding: Finding | None = None
        self._kind: tuple[Attempt, bool] | None = None
        self._pending: dict[str, list[Answer]] = {}
        self._runs: dict[str, int] = {}
        self._smoke: Finding | None = None
        self._task: asyncio.Task[None] | None = None
        self._jumps = clock.jumps
        self._replay_at = clock.monotonic()
        # the shortest of the last replays: nearest to the CPU time, as the rest is waiting for others
        self._costs: deque[float] = deque(maxlen=COSTS)
        self._samples = 0
        self._begin_step_again(clock.monotonic())

    @property
    def key(self) -> str:
        """The gateway's name of the model."""
        return f"{self.route.metadata.namespace}.{self.route.spec.edge_model_name}"

    @property
    def owner(self) -> str:
        """The EdgeModel's identity; its name where an operator of an earlier version gives none."""
        return self.memory.uid or self.key

    @property
    def revisions(self) -> set[str]:
        """All that are of interest here: those of the route, and those that have pods."""
        route = self.route.spec
        roles = (route.stable, route.candidate, route.previous)
        return {role.revision for role in roles if role} | self.pods.keys()

    def _begin_step_again(self, now: float) -> None:
        """The evidence of the step is void: of an agent that ended, or from before the clock was set."""
        trial = self.memory.trial
        if trial is None:
            return
        trial = trial.model_copy(update={"step_since": now})
        self.memory = self.memory.model_copy(update={"trial": trial})
        if trial.state not in plan.WITH_TRAFFIC:
            return
        self._note_trial(trial)
        before = self.evidence
        self.evidence = Evidence(golden=before.golden, good_median=before.good_median)
        self.evidence.begin_step(plan.share_of_candidate(self.route.spec, trial))

    def _note_jump(self, now: float) -> None:
        if self._jumps == self.clock.jumps:
            return
        self._jumps = self.clock.jumps
        trial = self.memory.trial
        if trial is None or trial.state not in plan.WITH_TRAFFIC:
            return
        self._begin_step_again(now)
        tell(
            "step_again",
            model=self.key,
            revision=trial.revision,
            attempt=trial.attempt,
            state=trial.state.value,
            clock_set_by_seconds=round(self.clock.jumped_by, 3),
        )

    def hear(self, revision: str, answer: Answer) -> None:
        """Takes one answer; a run of failures is looked at without waiting for the next second."""
        self._pending.setdefault(revision, []).append(answer)
        run = self._runs[revision] = self._runs.get(revision, 0) + 1 if answer.failed else 0
        if run == IN_A_ROW:
            self.wake.set()

    def tick(self, now: float, pods: dict[str, Pod], checks: Mapping[str, bool | None]) -> None:
        """One pass: answers in, trial onward, tasks started."""
        self.pods = pods
        self._note_jump(now)
        self._take_checks(checks)
        self.up = frozenset(r for r, pod in pods.items() if self._answers(pod))
        self._take_answers()
        before = self.memory.trial
        self.finding = self._judge(now)
        leaving = frozenset(r for r, pod in pods.items() if pod.leaving)
        leaving |= {before.revision} - pods.keys() if before else frozenset()
        seen = Seen(
            now,
            self.up,
            leaving,
            self._smoke,
            self.finding,
            self.evidence.samples(Side.CANDIDATE),
            self.clock.ahead,
        )
        self.memory = plan.advance(self.route.spec, self.memory, seen)
        self._follow(before, self.memory.trial, now)
        metrics.observe(self)

    def _answers(self, pod: Pod) -> bool:
        """Whether the pod may get traffic: the gateway's own check says so, twice a second.

        The kubelet asks the same of the pod every two seconds, and its word comes by way of the API server:
        it counts only where no check has ever told.
        """
        return self._told.get(pod.address, pod.ready) and not pod.leaving

    def _take_checks(self, checks: Mapping[str, bool | None]) -> None:
        """What a check told of a pod's address holds while none tells: a gateway that begins anew."""
        told = self._told | {at: up for at, up in checks.items() if up is not None}
        addresses = {pod.address for pod in self.pods.values()}
        self._told = {at: told[at] for at in addresses & told.keys()}

    def backend(self) -> Backend:
        """What the gateway shall do with this model."""
        given = plan.shares(self.route.spec, self.memory, self.up)
        servers = {
            revision: Server(pod.address, given.get(revision, 0), pod.http_port, pod.grpc_port)
            for revision, pod in self.pods.items()
            if not pod.leaving or given.get(revision)
        }
        return Backend(servers, plan.message(self.route.spec, self.memory, self.up))

    def stop(self) -> None:
        """The model left this node."""
        if self._task is not None:
            self._task.cancel()

    def _take_answers(self) -> None:
        """Hands the answers since the last pass to the evidence."""
        pending, self._pending = self._pending, {}
        subject = plan.subject(self.route.spec)
        stable = self.route.spec.stable.revision if self.route.spec.stable else None
        for revision, answers in pending.items():
            pod = self.pods.get(revision)
            if pod is None or pod.leaving:
                continue  # failures of a pod that was told to go are nobody's fault
            metrics.count(self.key, revision, answers)
            answers.sort(key=lambda answer: answer.answered)
            if subject and revision == subject.revision:
                self.evidence.live.add(Side.CANDIDATE, answers)
            elif revision == stable:
                self.evidence.live.add(Side.STABLE, answers)

    def _judge(self, now: float) -> Finding | None:
        trial = self.memory.trial
        if trial is None or trial.state not in plan.WITH_TRAFFIC:
            return None
        alone = self.route.spec.candidate is None or self.route.spec.stable is None
        return judge(self.evidence, self.route.spec.guard, now, alone=alone)

    def _note_trial(self, trial: Trial) -> None:
        """Other evidence for another trial, and once the candidate has become stable."""
        kind = (trial.key, self.route.spec.candidate is None)
        if kind == self._kind:
            return
        golden = self.evidence.golden if self._kind and self._kind[0] == trial.key else None
        self.evidence, self._kind, self._smoke = Evidence(), kind, None
        self.trouble = ""
        if golden is not None:
            self.evidence.golden = golden

    def _follow(self, before: Trial | None, trial: Trial | None, now: float) -> None:
        if trial is None:
            self._kind = None
            return
        self._note_trial(trial)
        if before is None or (before.key, before.state, before.step) != (
            trial.key,
            trial.state,
            trial.step,
        ):
            self._turned(before, trial)
        if trial.state is CandidateState.SMOKE_CHECK and self._smoke is None:
            self._start(self._run_smoke(trial))
        elif trial.state in plan.WITH_TRAFFIC and now >= self._replay_at:
            self._start(self._replay())

    def _turned(self, before: Trial | None, trial: Trial) -> None:
        """What comes with a change of state."""
        fields: dict[str, Any] = {
            "model": self.key,
            "revision": trial.revision,
            "attempt": trial.attempt,
        }
        if trial.state is CandidateState.WAITING:
            self._smoke = None
        if (
            trial.state is CandidateState.FAILED
            and trial.verdict
            and before
            and before.state != trial.state
        ):
            self._tell_failure(trial, fields)
            return
        share = plan.share_of_candidate(self.route.spec, trial)
        if trial.state in {CandidateState.SHIFTING, CandidateState.SOAKING}:
            if self.evidence.good_median is None:
                self.evidence.good_median = self._median_of_stable()
            self.evidence.begin_step(share)
        tell("state", **fields, state=trial.state.value, traffic=share)

    def _tell_failure(self, trial: Trial, fields: dict[str, Any]) -> None:
        verdict = trial.verdict
        if verdict is None:
            return
        if verdict.first_bad_answer_time is not None:
            tell("first_bad", at=verdict.first_bad_answer_time.timestamp(), **fields)
        tell(
            "verdict",
            at=verdict.decision_time.timestamp(),
            **fields,
            outcome=verdict.outcome.value,
            rule=verdict.rule,
            observed=verdict.observed,
            bound=verdict.bound,
            samples=verdict.samples,
        )

    def _median_of_stable(self) -> float | None:
        values = sorted(point[1] for point in self.evidence.live.recent.stable.points)
        enough = len(values) >= self.route.spec.guard.min_samples
        return values[len(values) // 2] if enough else None

    def _target(self, revision: str | None) -> Target | None:
        pod = self.pods.get(revision) if revision else None
        if pod is None or pod.revision not in self.up:
            return None
        return Target(
            pod.revision or "",
            pod.address,
            self.route.spec.edge_model_name,
            pod.http_port,
            pod.golden_port or pod.http_port,
            self.owner,
        )

    def _stable(self) -> Target | None:
        """Who is compared with: the route's stable, beside a candidate."""
        route = self.route.spec
        return self._target(route.stable.revision) if route.stable and route.candidate else None

    def _start(self, work: Coroutine[None, None, None]) -> None:
        if self._task is not None and not self._task.done():
            work.close()
            return
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """A task that fails unexpectedly is counted and begun again by a later pass."""
        if not task.cancelled() and task.exception() is not None:
            metrics.FAULTS.labels("replay").inc()
            log.error("%s: a replay ended", self.key, exc_info=task.exception())
            self._replay_at = self.clock.monotonic() + RETRY_SECONDS

    async def _run_smoke(self, trial: Trial) -> None:
        target = self._target(trial.revision)
        if target is None:
            return
        try:
            finding = await self.golden.smoke(target, self._stable())
        except Exception as error:  # noqa: BLE001 - whatever its pod makes of an answer
            self._note_no_samples(trial.revision, error)
            await asyncio.sleep(RETRY_SECONDS)
            return
        self.trouble = ""
        if self._kind == (trial.key, False):
            self._smoke = finding
            if finding.outcome is VerdictOutcome.PASS:
                self.evidence.golden.add(trial.step_since, None)
            self.wake.set()

    def _note_no_samples(self, revision: str, error: Exception) -> None:
        """Says it once for each reason, in the log and to the operator."""
        why = str(error).partition("\n")[0][:200] or type(error).__name__
        trouble = f"can't fetch golden samples of {revision}: {why}"
        if trouble != self.trouble:
            log.warning("%s: %s", self.key, trouble)
        self.trouble = trouble

    async def _replay(self) -> None:
        """One golden sample to each side: the idle device's traffic, and the golden rule's data."""
        trial, evidence = self.memory.trial, self.evidence
        sides = {
            Side.CANDIDATE: self._target(trial.revision if trial else None),
            Side.STABLE: self._stable(),
        }
        spent = 0.0
        for side, target in sides.items():
            if target is not None:
                spent += await self._replay_one(evidence, side, target)
        self._samples += 1
        self._costs.append(spent)
        self._replay_at = self.clock.monotonic() + max(
            LEAST_PAUSE_SECONDS, min(self._costs) / BUDGET
        )

    async def _replay_one(self, evidence: Evidence, side: Side, target: Target) -> float:
        """Replays one sample; returns the seconds that it took."""
        try:
            known = await self.golden.get(target)
        except Exception as error:  # noqa: BLE001 - as above
            self._note_no_samples(target.revision, error)
            return RETRY_SECONDS * BUDGET
        self.trouble = ""
        sample = known.samples[self._samples % len(known.samples)]
        replays = await self.golden.replay_twice(target, sample, known.tolerance)
        evidence.replays.add(side, [replay.answer for replay in replays])
        for replay in replays:
            if side is Side.CANDIDATE and not replay.answer.failed:
                evidence.golden.add(replay.answer.answered, replay.wrong)
        return sum(replay.milliseconds for replay in replays) / 1000
