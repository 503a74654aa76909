"""The guard's evidence on one trial, and what of it ends with a trial, with a step, or with a set clock.

Answers are kept only while a revision is judged, and of the past only what the guard looks at: a node that
serves for months without a candidate remembers nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.edgenode import CandidateState, VerdictOutcome
from skerry.judging.guard import Evidence, Side, judge
from skerry.judging.guard.golden import Record
from skerry_agent.trial.machine import is_turn
from skerry_agent.trial.traffic import share_of_candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from skerry.api.attempt import Attempt
    from skerry.api.modelroute import ModelRouteSpec
    from skerry.judging.guard import Answer, Finding
    from skerry_agent.trial.memory import NodeTrial

_About = tuple["Attempt", bool]
"""The attempt, and whether it is promoted already."""


class TrialEvidence:
    """What was measured of one trial.

    Attributes:
        guard: what the guard judges; another object with each trial and each restarted step.
        smoke: the smoke check's finding, None before it ended.
    """

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self.guard = Evidence()
        self.smoke: Finding | None = None
        self._about: _About | None = None

    def add(
        self,
        route: ModelRouteSpec,
        trial: NodeTrial | None,
        answers: Mapping[str, Sequence[Answer]],
        now: float,
    ) -> None:
        """Add the answers of the revisions that are compared, and forget what is too old for the guard."""
        if trial is None or trial.state is CandidateState.FAILED:
            return
        self._add(Side.CANDIDATE, answers.get(trial.revision, ()))
        if route.stable is not None and route.stable.revision != trial.revision:
            self._add(Side.STABLE, answers.get(route.stable.revision, ()))
        for traffic in (self.guard.live, self.guard.replays):
            traffic.recent.forget(now)

    def _add(self, side: Side, answers: Iterable[Answer]) -> None:
        self.guard.live.add(side, sorted(answers, key=lambda answer: answer.answered))

    def judge(self, route: ModelRouteSpec, trial: NodeTrial | None, now: float) -> Finding | None:
        """Return the guard's finding; None while the trial has no traffic to judge."""
        if trial is None or not trial.has_traffic:
            return None
        alone = route.candidate is None or route.stable is None
        return judge(self.guard, route.guard, now, alone=alone)

    def follow(
        self, route: ModelRouteSpec, before: NodeTrial | None, trial: NodeTrial | None
    ) -> None:
        """Discard what the change from one trial, state or step to the next makes void."""
        if trial is None:
            self._begin(None)
            return
        self._follow_trial(route, trial)
        if before is None or is_turn(before, trial):
            self._follow_turn(route, trial)

    def restart_step(self, route: ModelRouteSpec, trial: NodeTrial) -> None:
        """Discard the step's answers: of an agent that ended, or from before the clock was set."""
        self._follow_trial(route, trial)
        self.guard = Evidence(golden=self.guard.golden, good_median=self.guard.good_median)
        self.guard.begin_step(share_of_candidate(route, trial))

    def take_smoke(self, trial: NodeTrial, finding: Finding) -> bool:
        """Take the finding of a smoke check; returns False when the trial that it is of has ended."""
        if self._about != (trial.key, False):
            return False
        self.smoke = finding
        if finding.outcome is VerdictOutcome.PASS:
            self.guard.golden.add(trial.step_since, None)
        return True

    def _follow_trial(self, route: ModelRouteSpec, trial: NodeTrial) -> None:
        """Begin new evidence for another trial, and for a candidate that has become stable."""
        about = (trial.key, route.candidate is None)
        if about == self._about:
            return
        promoted = self._about is not None and self._about[0] == trial.key
        self._begin(about, self.guard.golden if promoted else None)

    def _begin(self, about: _About | None, golden: Record | None = None) -> None:
        if about != self._about:
            self.guard, self.smoke = Evidence(golden=golden or Record()), None
        self._about = about

    def _follow_turn(self, route: ModelRouteSpec, trial: NodeTrial) -> None:
        if trial.state is CandidateState.WAITING:
            self.smoke = None
        if trial.state in {CandidateState.SHIFTING, CandidateState.SOAKING}:
            if self.guard.good_median is None:
                self.guard.good_median = self._median_of_stable(route.guard.min_samples)
            self.guard.begin_step(share_of_candidate(route, trial))

    def _median_of_stable(self, least: int) -> float | None:
        values = sorted(point[1] for point in self.guard.live.recent.stable.points)
        return values[len(values) // 2] if len(values) >= least else None
