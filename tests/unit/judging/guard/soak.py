"""Plays a soak to the guard: the same functions that the agent calls, at a coarser cadence.

The agent asks once a second. Soaks of equal builds are asked every ten virtual seconds, half of the
span that the shift statistic looks at: 6,000 soaks then fit into two minutes of one core. (The first 300
of each kind and share were run at the agent's cadence as well: no false verdict.) Faults are looked for
at the agent's own cadence from the moment when they begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skerry.api.edgenode import VerdictOutcome
from skerry.api.modelroute import RouteGuard
from skerry.judging.guard import Answer, Evidence, Finding, Side, judge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.unit.judging.guard.noise import Requests

AGENT_CADENCE_SECONDS = 1.0
COARSE_CADENCE_SECONDS = 10.0
GUARD = RouteGuard()


@dataclass(frozen=True)
class Soak:
    """What one soak hands to the guard."""

    candidate: Requests
    stable: Requests
    seconds: float
    share: float
    failing: tuple[NDArray[np.bool_], NDArray[np.bool_]]


def hear(soak: Soak) -> tuple[float, Finding] | None:
    """Play a soak, asking every ten seconds."""
    return play(
        soak.candidate,
        soak.stable,
        soak.seconds,
        share=soak.share,
        failing=soak.failing,
        cadence=COARSE_CADENCE_SECONDS,
    )


def play(
    candidate: Requests,
    stable: Requests,
    seconds: float,
    *,
    share: float = 0.5,
    failing: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    cadence: float = AGENT_CADENCE_SECONDS,
    onset: float = 0.0,
) -> tuple[float, Finding] | None:
    """Return when (seconds) and why the guard fails the candidate; None when it doesn't.

    Before `onset` the guard hears all the same and is asked every ten seconds.
    """
    evidence = Evidence()
    evidence.golden.add(0, None)
    evidence.begin_step(round(share * 100))
    failing = failing or (
        np.zeros(len(candidate.started), bool),
        np.zeros(len(stable.started), bool),
    )
    sides = [
        (
            side,
            _answers(requests, failed),
            np.searchsorted(requests.answered, np.arange(0, seconds + 1, cadence)),
        )
        for side, requests, failed in zip(Side, (candidate, stable), failing, strict=True)
    ]
    for step in range(1, int(seconds / cadence) + 1):
        for side, answers, cuts in sides:
            evidence.live.add(side, answers[cuts[step - 1] : cuts[step]])
        now = step * cadence
        if now < onset and now % COARSE_CADENCE_SECONDS:
            continue
        finding = judge(evidence, GUARD, now)
        if finding.outcome is VerdictOutcome.FAIL:
            return now, finding
    return None


def _answers(requests: Requests, failed: NDArray[np.bool_]) -> list[Answer]:
    columns = requests.started.tolist(), requests.answered.tolist(), failed.tolist()
    return [Answer(*row) for row in zip(*columns, strict=True)]
