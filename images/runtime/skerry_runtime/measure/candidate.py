"""One candidate, timed in a fresh process against the baseline's: speed and memory, as it will serve.

Used twice with different samples: to choose, and to certify what was chosen. Its quality is what the
stage `quality` found on these samples; the answers of the timed calls must be the same. What can't
pass any more is not timed to the end (screened), which keeps a slow device's job short.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.api.modelvariant import TrialOutcome
from skerry.jobs.files import Blocks, MeasuredTrial
from skerry.judging.gates import evaluate, shortfalls, undecided
from skerry_runtime.measure.answers import gates_of_quality
from skerry_runtime.measure.blocks import (
    LEAST_BLOCKS,
    Pace,
    Timing,
    measure_blocks,
)
from skerry_runtime.measure.files import read_judged
from skerry_runtime.measure.increments import increments, reduction
from skerry_runtime.measure.process import Process, WorkerError
from skerry_runtime.measure.quality import differing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skerry.api.modelvariant import Trial
    from skerry.jobs.files import BaselineFile, JudgedFile
    from skerry_runtime.measure.bench import Bench
    from skerry_runtime.measure.files import Candidate, Samples
    from skerry_runtime.measure.memory import Memory

log = logging.getLogger("skerry_runtime.measure")


class BaselineError(Exception):
    """What all candidates are compared with is not what it was; the message is for people."""


@dataclass(frozen=True)
class Effort:
    """How much is measured: processes whose memory is read, and blocks of each side at most."""

    memory_processes: int
    most_blocks: int


@dataclass(frozen=True)
class Contest:
    """What a candidate is measured against, and on what."""

    bench: Bench
    found: BaselineFile
    baseline: Process
    samples: Samples
    pace: Pace
    effort: Effort


def measure_candidate(contest: Contest, candidate: Candidate) -> MeasuredTrial:
    """Measure one candidate; one that can't be loaded, run or judged comes back as Failed.

    Raises:
        BaselineError: The baseline answers otherwise than it did in the stage `quality`.
        StageError: The stage `quality` did not run.
    """
    file = candidate.file
    if file.outcome is not TrialOutcome.MEASURED:
        return MeasuredTrial(trial=candidate.trial(outcome=file.outcome, message=file.message))
    judged, answers = read_judged(contest.bench.workspace, candidate, contest.samples.split)
    if judged.failure:
        return _failed(candidate, judged.failure)
    try:
        with contest.bench.started(candidate.model) as process:
            return _Measuring(contest, candidate, process, (judged, answers)).result()
    except WorkerError as error:
        return _failed(candidate, str(error))


def _failed(candidate: Candidate, message: str) -> MeasuredTrial:
    return MeasuredTrial(trial=candidate.trial(outcome=TrialOutcome.FAILED, message=message))


class _Measuring:
    """The steps for one candidate, and what they have found so far."""

    def __init__(
        self,
        contest: Contest,
        candidate: Candidate,
        process: Process,
        found: tuple[JudgedFile, NDArray[Any]],
    ) -> None:
        self._contest = contest
        self._candidate = candidate
        self._process = process
        self._judged, self._answers = found
        self._timing = Timing()
        self._note = self._screening()

    def result(self) -> MeasuredTrial:
        """Run all steps in order."""
        memories = self._memories()
        self._peaks = tuple(memory.peak for memory in memories)
        self._process.use(self._contest.samples.files)
        self._measure_speed()
        return MeasuredTrial(trial=self._trial(), blocks=self._blocks())

    def _screening(self) -> str:
        """Say why this candidate can't be certified whatever its speed; an empty string if it can."""
        judged, gates = self._judged, self._contest.bench.plan.gates
        results = gates_of_quality(self._contest.bench, self._candidate, judged)
        missed = shortfalls(results, allow_marginal=gates.allow_marginal)
        if not missed:
            return ""
        return f"screened after {judged.seen} of {judged.count} samples: {missed[0]}"

    def _memories(self) -> list[Memory]:
        bench, sample = self._contest.bench, self._contest.samples.first()
        memories = [self._process.warm_up(sample)[1]]
        if memories[0].peak > bench.memory_limit:
            raise WorkerError(
                f"it needs {memories[0].peak / 1e6:.0f} MB at its peak, more than the serving limit"
                f" of {bench.plan.limits.memory} (spec.serving.resources.limits.memory)"
            )
        more = range(self._contest.effort.memory_processes - 1)
        return memories + [bench.memory_of(self._candidate.model, sample) for _ in more]

    def _measure_speed(self) -> None:
        """Measure the least blocks, then more while they can still decide a required gate.

        What was screened has the least blocks too: people read by how much it is faster.
        """
        self._add_blocks()
        most = self._contest.effort.most_blocks
        while len(self._timing.candidate) < most and self._speed_is_open():
            self._add_blocks()

    def _add_blocks(self) -> None:
        contest = self._contest
        sides = (contest.baseline, self._process)
        measure_blocks(self._timing, LEAST_BLOCKS, contest.samples.count, contest.pace, sides)
        self._check_answers()

    def _speed_is_open(self) -> bool:
        if self._note:
            return False
        return "speedup" in undecided(evaluate(self._trial(), self._contest.bench.plan.gates))

    def _check_answers(self) -> None:
        """Compare the answers of the timed calls with those that were judged."""
        row = _first_other(self._timing.baseline_answers, self._contest.samples.baseline)
        if row is not None:
            raise BaselineError(f"the source {_OTHERWISE.format(row=row)}")
        row = _first_other(self._timing.answers, self._answers)
        if row is not None:
            raise WorkerError(f"it {_OTHERWISE.format(row=row)}")

    def _blocks(self) -> Blocks:
        found, judged = self._contest.found, self._judged
        return Blocks(
            baseline_milliseconds=_rounded(self._timing.baseline),
            candidate_milliseconds=_rounded(self._timing.candidate),
            baseline_memory_bytes=increments(found.baseline_peaks, found.empty_peaks),
            candidate_memory_bytes=increments(self._peaks, found.empty_peaks),
            quality_kept=judged.kept,
            quality_of=judged.of,
        )

    def _trial(self) -> Trial:
        found, judged = self._contest.found, self._judged
        ours = increments(self._peaks, found.empty_peaks)
        saved = reduction(increments(found.baseline_peaks, found.empty_peaks), ours)
        return self._candidate.trial(
            quality=judged.quality,
            cosine=judged.cosine,
            speedup=self._timing.speedup.to_interval(),
            memory_reduction=saved.to_interval(),
            p50_milliseconds=f"{self._timing.p50_milliseconds:.4f}",
            memory_bytes=sorted(ours)[len(ours) // 2],
            batching=judged.batching,
            message=self._note,
        )


_OTHERWISE = (
    "answers sample {row} otherwise under the serving CPU limit than in the stage quality, so what was"
    " found there does not hold; a model whose answers change from call to call can't be certified"
)


def _first_other(seen: dict[int, NDArray[Any]], kept: NDArray[Any]) -> int | None:
    """Return the first sample that was answered otherwise; one that was screened has fewer kept."""
    rows = sorted(row for row in seen if row < len(kept))
    others = differing(np.concatenate([seen[row] for row in rows]), kept[rows])
    return rows[others[0]] if len(others) else None


def _rounded(blocks: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(call, 4) for call in block) for block in blocks)
