"""Candidates timed in fresh processes against the baseline's: speed and memory, as they will serve.

Used twice with different samples: to choose, at full speed and with as few blocks as decide (the race of
the stage `quality`), and to certify what was chosen, under the serving limits. The certified one's quality
is what the stage `quality` found on the same samples; the answers of the timed calls must be the same.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.api.modelvariant import RecipeOutcome
from skerry.jobs.files import Blocks, JudgedFile, MeasuredRecipe
from skerry.judging.gates import evaluate, shortfalls, undecided
from skerry.judging.racing import at_best_quality, beaten, is_open, said_beaten
from skerry_runtime.measure.answers import gates_of_quality, judge_on
from skerry_runtime.measure.blocks import (
    BLOCKS_TO_SCREEN,
    LEAST_BLOCKS,
    MORE_BLOCKS_TO_SCREEN,
    MOST_BLOCKS_TO_CERTIFY,
    MOST_BLOCKS_TO_CHOOSE,
    Pace,
    Timing,
    measure_blocks,
)
from skerry_runtime.measure.files import read_judged, write_judged
from skerry_runtime.measure.goldens import golden_runs
from skerry_runtime.measure.increments import increments, reduction
from skerry_runtime.measure.process import Process, WorkerError
from skerry_runtime.measure.quality import QualityError, differing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skerry.api.edgemodel import Gates, Weights
    from skerry.api.modelvariant import RecipeResult
    from skerry.jobs.files import BaselineFile
    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.measure.bench import Bench
    from skerry_runtime.measure.files import Candidate, Samples

log = logging.getLogger("skerry_runtime.measure")


class BaselineError(Exception):
    """What all candidates are compared with is not what it was; the message is for people."""


@dataclass(frozen=True)
class Contest:
    """What a candidate is measured against, and on what."""

    bench: Bench
    found: BaselineFile
    baseline: Process
    samples: Samples
    pace: Pace


def race_candidate(
    contest: Contest, candidate: Candidate, best: RecipeResult | None
) -> MeasuredRecipe:
    """Measure one candidate as far as the choice needs; one that can't be measured comes back as Failed.

    Args:
        contest: What it is measured against.
        candidate: It.
        best: The best so far of those that pass every required gate.

    Raises:
        BaselineError: The baseline answers otherwise than it did before.
    """
    file = candidate.file
    if file.outcome is not RecipeOutcome.MEASURED:
        return MeasuredRecipe(result=candidate.result(outcome=file.outcome, message=file.message))
    split = contest.samples.split
    try:
        with contest.bench.started(candidate.model) as process:
            return _Racing(contest, candidate, process).result(best)
    except (WorkerError, QualityError) as error:
        failed = JudgedFile(count=contest.samples.count, failure=str(error))
        write_judged(contest.bench.workspace, candidate, split, (failed, None))
        return failed_recipe_result(candidate, str(error))


def certify_candidate(
    contest: Contest, candidate: Candidate, golden: Samples
) -> tuple[MeasuredRecipe, list[Arrays]]:
    """Measure one candidate in a fresh process, its quality known; return its golden answers too.

    Raises:
        BaselineError: The baseline answers otherwise than it did in the stage `quality`.
        StageError: The stage `quality` did not run.
    """
    judged, answers = read_judged(contest.bench.workspace, candidate, contest.samples.split)
    try:
        with contest.bench.started(candidate.model) as process:
            measured = _Certifying(contest, candidate, process, judged, answers).result()
            return measured, golden_runs(process, golden)
    except WorkerError as error:
        return failed_recipe_result(candidate, str(error)), []


def untried(candidate: Candidate, message: str) -> MeasuredRecipe:
    """Return the recipe result of a candidate that there was no time for."""
    result = candidate.result(outcome=RecipeOutcome.FAILED, cut_short=True, message=message)
    return MeasuredRecipe(result=result)


def failed_recipe_result(candidate: Candidate, message: str) -> MeasuredRecipe:
    """Return the recipe result of a candidate that can't be measured."""
    return MeasuredRecipe(result=candidate.result(outcome=RecipeOutcome.FAILED, message=message))


class _Timed:
    """What one candidate has come to so far in its process, next to the baseline's."""

    def __init__(self, contest: Contest, candidate: Candidate, process: Process) -> None:
        self._contest = contest
        self._candidate = candidate
        self._process = process
        self._judged = JudgedFile(count=contest.samples.count)
        self._timing = Timing()
        self._peaks: tuple[int, ...] = ()
        self._note = ""

    def _start(self) -> None:
        """Read the memory of the process, then let it open the samples."""
        bench = self._contest.bench
        peak = self._process.warm_up(self._contest.samples.first())[1].peak
        if peak > bench.memory_limit:
            raise WorkerError(
                f"it needs {peak / 1e6:.0f} MB at its peak, more than the serving limit"
                f" of {bench.plan.limits.memory} (spec.serving.resources.limits.memory)"
            )
        self._peaks = (*self._peaks, peak)
        self._process.use(self._contest.samples.files)

    def _add_blocks(self, pairs: int) -> None:
        contest = self._contest
        sides = (contest.baseline, self._process)
        measure_blocks(self._timing, pairs, contest.samples.count, contest.pace, sides)
        row = _first_other(self._timing.baseline_answers, contest.samples.baseline)
        if row is not None:
            raise BaselineError(f"the source {_OTHERWISE.format(row=row)}")

    def _measured(self) -> MeasuredRecipe:
        return MeasuredRecipe(result=self._recipe_result(), blocks=self._blocks())

    def _blocks(self) -> Blocks:
        found, judged = self._contest.found, self._judged
        return Blocks(
            baseline_milliseconds=_rounded(self._timing.baseline),
            candidate_milliseconds=_rounded(self._timing.candidate),
            baseline_memory_bytes=increments(found.baseline_peaks, found.empty_peaks),
            candidate_memory_bytes=increments(self._peaks, found.empty_peaks),
            quality_kept=judged.kept,
            quality_of=judged.of,
            movements=judged.movements,
        )

    def _recipe_result(self) -> RecipeResult:
        found, judged = self._contest.found, self._judged
        ours = increments(self._peaks, found.empty_peaks)
        saved = reduction(increments(found.baseline_peaks, found.empty_peaks), ours)
        return self._candidate.result(
            quality=judged.quality,
            cosine=judged.cosine,
            movement=judged.movement,
            speedup=self._timing.speedup.to_interval(),
            memory_reduction=saved.to_interval(),
            p50_milliseconds=f"{self._timing.p50_milliseconds:.4f}",
            memory_bytes=sorted(ours)[len(ours) // 2],
            batching=judged.batching,
            cut_short=bool(self._note),
            message=self._note,
        )


class _Racing(_Timed):
    """The steps of the race for one candidate."""

    def result(self, best: RecipeResult | None) -> MeasuredRecipe:
        """Time a few blocks, judge the answers, then time more while something is open.

        What was timed is not answered again: the answers of the first blocks are judged with the others.
        """
        self._start()
        self._add_blocks(BLOCKS_TO_SCREEN)
        self._judge(best)
        self._note = self._note or self._screening()
        while not self._note and len(self._timing.candidate) < MOST_BLOCKS_TO_CHOOSE:
            if not is_open(self._recipe_result(), best, *self._rules):
                break
            left = MOST_BLOCKS_TO_CHOOSE - len(self._timing.candidate)
            self._add_blocks(min(MORE_BLOCKS_TO_SCREEN, left))
        if not self._note and best is not None:
            self._note = self._defeat(best)
        return self._measured()

    def _defeat(self, best: RecipeResult) -> str:
        """Say by what this candidate is beaten beyond doubt; an empty string if it is not."""
        judged, weights = self._judged, self._rules[1]
        result = self._recipe_result()
        if judged.seen < judged.count:
            result = at_best_quality(result)
        if not beaten(result, best, weights):
            return ""
        seen = f"{len(self._timing.candidate)} blocks and {judged.seen} of {judged.count} samples"
        return f"stopped after {seen}: {said_beaten(result, best, weights)}"

    @property
    def _rules(self) -> tuple[Gates, Weights]:
        plan = self._contest.bench.plan
        return plan.gates, plan.weights

    def _judge(self, best: RecipeResult | None) -> None:
        bench, samples = self._contest.bench, self._contest.samples

        def is_enough(first: JudgedFile) -> bool:
            self._judged = first
            self._note = self._defeat(best) if best is not None else ""
            return bool(self._note)

        found = judge_on(
            bench,
            self._candidate,
            samples,
            self._process,
            known=self._timing.answers,
            is_enough=is_enough,
        )
        write_judged(bench.workspace, self._candidate, samples.split, found)
        self._judged = found[0]

    def _screening(self) -> str:
        """Say why this candidate can't be certified whatever its speed; an empty string if it can."""
        return shortfall_of_quality(self._contest.bench, self._candidate, self._judged)


class _Certifying(_Timed):
    """The steps of the certification of one candidate."""

    def __init__(
        self,
        contest: Contest,
        candidate: Candidate,
        process: Process,
        judged: JudgedFile,
        answers: NDArray[Any],
    ) -> None:
        super().__init__(contest, candidate, process)
        self._judged, self._answers = judged, answers
        self._peaks = judged.peaks

    def result(self) -> MeasuredRecipe:
        """Time the least blocks, then more while they can still decide a required gate."""
        self._start()
        self._add_checked()
        while len(self._timing.candidate) < MOST_BLOCKS_TO_CERTIFY and self._speed_is_open():
            self._add_checked()
        return self._measured()

    def _speed_is_open(self) -> bool:
        return "speedup" in undecided(
            evaluate(self._recipe_result(), self._contest.bench.plan.gates)
        )

    def _add_checked(self) -> None:
        """Compare the answers of the timed calls with those that were judged."""
        self._add_blocks(LEAST_BLOCKS)
        row = _first_other(self._timing.answers, self._answers)
        if row is not None:
            raise WorkerError(f"it {_OTHERWISE.format(row=row)}")


def shortfall_of_quality(bench: Bench, candidate: Candidate, judged: JudgedFile) -> str:
    """Say why a candidate can't be certified whatever its speed; an empty string if it can."""
    results = gates_of_quality(bench, candidate, judged)
    missed = shortfalls(results, allow_marginal=bench.plan.gates.allow_marginal)
    return f"screened after {judged.seen} of {judged.count} samples: {missed[0]}" if missed else ""


_OTHERWISE = (
    "answers sample {row} otherwise than when it was judged, so what was found then does not hold;"
    " a model whose answers change from call to call can't be certified"
)


def _first_other(seen: dict[int, NDArray[Any]], kept: NDArray[Any]) -> int | None:
    """Return the first sample that was answered otherwise; one that was screened has fewer kept."""
    rows = sorted(row for row in seen if row < len(kept))
    others = differing(np.concatenate([seen[row] for row in rows]), kept[rows])
    return rows[others[0]] if len(others) else None


def _rounded(blocks: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(call, 4) for call in block) for block in blocks)
