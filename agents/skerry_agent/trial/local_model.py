"""One EdgeModel on this node: from what the node shows to what the gateway shall do.

Each second, or when something happens, the runner hands over health checks and instances. The model adds the
answers since then to the evidence, lets the guard judge, advances the trial, and discards evidence that the
change makes void. `backend` then is what the gateway shall do, and `next_work` what the runner has to start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skerry.api.edgenode import CandidateState
from skerry.judging.guard import Side
from skerry.judging.guard.errors import IN_A_ROW
from skerry_agent.gateway.state import Backend
from skerry_agent.trial import events, traffic
from skerry_agent.trial.evidence import TrialEvidence
from skerry_agent.trial.health import Health
from skerry_agent.trial.machine import Observation, advance, subject
from skerry_agent.trial.work import Replays, ReplaySchedule, SmokeCheck

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api.modelroute import ModelRoute
    from skerry.judging.guard import Answer, Finding
    from skerry_agent.times import Reading
    from skerry_agent.trial.events import Event
    from skerry_agent.trial.instance import Instance
    from skerry_agent.trial.memory import Memory, NodeTrial
    from skerry_agent.trial.work import Work

Answers = dict[str, list["Answer"]]
"""By revision."""


class Reconciled(NamedTuple):
    """What a reconcile did: the answers that it counted, and what is new in the trial."""

    answers: Answers
    events: tuple[Event, ...]


class LocalModel:
    """One EdgeModel on this node.

    Attributes:
        instances: its servers by revision.
        up: the revisions that answer.
        finding: what the guard found last; None while nothing is judged.
        no_samples: why the golden samples of a revision on trial are not there, by revision.
    """

    def __init__(self, route: ModelRoute, memory: Memory, clock: Reading) -> None:
        """Continue from what was stored; a step that was under way starts again, its answers are lost."""
        self.route = route
        self.memory = memory
        self.instances: Mapping[str, Instance] = {}
        self.up: frozenset[str] = frozenset()
        self.evidence = TrialEvidence()
        self.finding: Finding | None = None
        self.no_samples: dict[str, str] = {}
        self.replays = ReplaySchedule(clock.now)
        self._health = Health()
        self._answers: Answers = {}
        self._failures_in_a_row: dict[str, int] = {}
        self._jumps = clock.jumps
        self._had_failed: bool | None = None
        self._restart_step(clock.now)

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
        """All that are of interest here: those of the route, and those that have instances."""
        route = self.route.spec
        roles = (route.stable, route.candidate, route.previous)
        return {role.revision for role in roles if role} | self.instances.keys()

    @property
    def trouble(self) -> str:
        """What keeps the trial from its golden samples, for people; empty when nothing does."""
        found = sorted(self.no_samples.items())
        return "; ".join(
            f"can't fetch golden samples of {revision}: {why}" for revision, why in found
        )

    def take_route(self, route: ModelRoute) -> None:
        """Act on another version of the route from the next reconcile on."""
        self.route = route
        self.memory = self.memory.identified(route.spec.edge_model_uid)

    def record(self, revision: str, answer: Answer) -> bool:
        """Record an answer; returns whether failures in a row ask for a reconcile at once."""
        self._answers.setdefault(revision, []).append(answer)
        run = self._failures_in_a_row.get(revision, 0) + 1 if answer.failed else 0
        self._failures_in_a_row[revision] = run
        return run == IN_A_ROW

    def reconcile(
        self, clock: Reading, instances: Mapping[str, Instance], checks: Mapping[str, bool | None]
    ) -> Reconciled:
        """Take what the node shows now, and advance the trial."""
        restarted = self._note_jump(clock)
        self.instances = instances
        self._health.record(checks, instances.values())
        self.up = frozenset(r for r, one in instances.items() if self._health.answers(one))
        answers = self._take_answers()
        before = self.memory.trial
        judged = before if before and before.key == subject(self.route.spec) else None
        self.evidence.add(self.route.spec, judged, answers, clock.now)
        self.finding = self.evidence.judge(self.route.spec, judged, clock.now)
        self.memory = advance(self.route.spec, self.memory, self._observe(clock))
        turned = self._follow(before, self.memory.trial)
        return Reconciled(answers, restarted + turned)

    def _take_answers(self) -> Answers:
        """Return the answers since the last reconcile; failures of a server that is stopped are nobody's."""
        answers, self._answers = self._answers, {}
        serving = {revision for revision, one in self.instances.items() if not one.leaving}
        return {revision: found for revision, found in answers.items() if revision in serving}

    def _observe(self, clock: Reading) -> Observation:
        trial = self.memory.trial
        leaving = frozenset(r for r, one in self.instances.items() if one.leaving)
        leaving |= {trial.revision} - self.instances.keys() if trial else frozenset()
        return Observation(
            clock.now,
            self.up,
            leaving,
            self.evidence.smoke,
            self.finding,
            self.evidence.guard.samples(Side.CANDIDATE),
            clock.ahead,
        )

    def _follow(self, before: NodeTrial | None, trial: NodeTrial | None) -> tuple[Event, ...]:
        if (before and before.key) != (trial and trial.key):
            self.no_samples.clear()
        self.evidence.follow(self.route.spec, before, trial)
        return events.of_turn(self.key, self.route.spec, before, trial)

    def _note_jump(self, clock: Reading) -> tuple[Event, ...]:
        trial = self.memory.trial
        jumped, self._jumps = self._jumps != clock.jumps, clock.jumps
        if not jumped or trial is None or not trial.has_traffic:
            return ()
        self._restart_step(clock.now)
        by = round(clock.jumped_by, 3)
        state = trial.state.value
        return (
            events.of_trial(
                "step_restarted", self.key, trial, state=state, clock_set_by_seconds=by
            ),
        )

    def _restart_step(self, now: float) -> None:
        trial = self.memory.trial
        if trial is None:
            return
        trial = trial.model_copy(update={"step_since": now})
        self.memory = self.memory.with_trial(trial)
        if trial.has_traffic:
            self.evidence.restart_step(self.route.spec, trial)

    def backend(self) -> Backend:
        """Return what the gateway shall do with this model."""
        given = traffic.shares(self.route.spec, self.memory, self.up)
        servers = {
            revision: one.as_server(given.get(revision, 0))
            for revision, one in self.instances.items()
            if not one.leaving or given.get(revision)
        }
        return Backend(servers, traffic.message(self.route.spec, self.memory, self.up))

    def take_flip(self) -> Event | None:
        """Return that traffic left a failed revision, once; called when the gateway has the new weights."""
        trial = self.memory.trial
        failed = trial is not None and self.memory.vetoed(trial.key)
        flipped = failed and self._had_failed is False
        self._had_failed = failed
        return events.of_trial("flipped", self.key, trial) if trial and flipped else None

    def next_work(self, now: float) -> Work | None:
        """Return what the trial needs now; None when that is nothing, or when nobody answers."""
        trial = self.memory.trial
        if trial is None:
            return None
        candidate, stable = self._serving(trial.revision), self._compared()
        if trial.state is CandidateState.SMOKE_CHECK and self.evidence.smoke is None:
            return SmokeCheck(trial, candidate, stable) if candidate else None
        if not trial.has_traffic or not self.replays.is_due(now):
            return None
        sides = {Side.CANDIDATE: candidate, Side.STABLE: stable}
        serving = {side: one for side, one in sides.items() if one}
        if not serving:
            return None
        return Replays(self.evidence.guard, serving, self.replays.sample, self._begins())

    def _begins(self) -> bool:
        """Return whether a first revision has fewer answers than its rules need."""
        guard = self.route.spec.guard
        seen = self.evidence.guard.samples(Side.CANDIDATE)
        return self.route.spec.stable is None and seen < guard.min_samples

    def _serving(self, revision: str) -> Instance | None:
        return self.instances[revision] if revision in self.up else None

    def _compared(self) -> Instance | None:
        """Return the instance that a candidate is compared with: that of the route's stable."""
        route = self.route.spec
        return self._serving(route.stable.revision) if route.stable and route.candidate else None
