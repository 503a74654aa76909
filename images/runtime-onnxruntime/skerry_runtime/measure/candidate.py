"""One candidate, measured in a fresh process against the baseline's: speed, memory and quality.

Used twice with different samples: to choose, and to certify what was chosen. What can't pass any
more is not measured to the end (screened), which keeps a slow device's job short.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.api.job import Blocks, CandidateFile, MeasuredTrial
from skerry.api.modelvariant import GateOutcome, Trial, TrialOutcome
from skerry.decide.gates import evaluate, undecided
from skerry_runtime.limits import MOST_ROWS
from skerry_runtime.measure.blocks import (
    LEAST_BLOCKS,
    Pace,
    Timing,
    measure_blocks,
)
from skerry_runtime.measure.memory import Memory, increments, reduction
from skerry_runtime.measure.process import Process, WorkerError, started
from skerry_runtime.measure.quality import Quality, QualityError, judge, same_answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry_runtime.measure.bench import Bench
    from skerry_runtime.measure.files import BaselineFile, Samples

log = logging.getLogger("skerry_runtime.measure")

# Full batches that are compared with the answers alone. When all agree but for rounding, the model
# computes rows independently, and the quality alone holds for batches too.
PROBE_BATCHES = 4


@dataclass(frozen=True)
class Candidate:
    """A built candidate on disk."""

    file: CandidateFile
    model: Path


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
    """Measure one candidate; one that can't be loaded, run or judged comes back as Failed."""
    file = candidate.file
    if file.outcome is not TrialOutcome.MEASURED:
        return MeasuredTrial(trial=_named(file, outcome=file.outcome, message=file.message))
    try:
        with started(candidate.model, contest.bench.threads) as process:
            return _Measuring(contest, candidate, process).result()
    except (WorkerError, QualityError) as error:
        failed = _named(file, outcome=TrialOutcome.FAILED, message=str(error))
        return MeasuredTrial(trial=failed)


class _Measuring:
    """The steps for one candidate, and what they have found so far."""

    def __init__(self, contest: Contest, candidate: Candidate, process: Process) -> None:
        self._contest = contest
        self._candidate = candidate
        self._process = process
        self._timing = Timing()
        self._batching = False
        self._note = ""
        self._quality: Quality | None = None

    def result(self) -> MeasuredTrial:
        """Run all steps in order."""
        memories = self._memories()
        self._peaks = tuple(memory.peak for memory in memories)
        self._process.use(self._contest.samples.files)
        self._measure_speed()
        if not self._is_hopeless():
            self._measure_quality()
        return MeasuredTrial(trial=self._trial(), blocks=self._blocks())

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
        """Measure the least blocks, then more while they can still decide a required gate."""
        self._add_blocks()
        most = self._contest.effort.most_blocks
        while len(self._timing.candidate) < most and self._speed_is_open():
            self._add_blocks()

    def _add_blocks(self) -> None:
        contest = self._contest
        sides = (contest.baseline, self._process)
        measure_blocks(self._timing, LEAST_BLOCKS, contest.samples.count, contest.pace, sides)
        self._quality = self._judge(self._timing.answers)

    def _speed_is_open(self) -> bool:
        return "speedup" in undecided(evaluate(self._trial(), self._contest.bench.plan.gates))

    def _is_hopeless(self) -> bool:
        """Tell whether a required gate has failed on the samples that the blocks went through."""
        results = evaluate(self._trial(), self._contest.bench.plan.gates)
        failed = [one for one in results if one.required and one.outcome is GateOutcome.FAIL]
        if failed:
            seen, count = len(self._timing.answers), self._contest.samples.count
            self._note = f"screened after {seen} of {count} samples: {failed[0].message}"
        return bool(failed)

    def _measure_quality(self) -> None:
        """Judge all samples alone, and in full batches where that is not the same."""
        answers = dict(self._timing.answers)
        rest = [row for row in range(self._contest.samples.count) if row not in answers]
        answers |= zip(rest, self._process.block(rest)[1], strict=True)
        alone = self._judge(answers)
        batches = list(_batches(self._contest.samples.count))
        probe = self._in_batches(batches[:PROBE_BATCHES])
        if same_answers(_stack(probe), _stack({row: answers[row] for row in probe})):
            self._quality, self._batching = alone, True
            return
        together = self._judge(probe | self._in_batches(batches[PROBE_BATCHES:]))
        self._quality = alone.or_worse(together)
        self._batching = together.ratio.value >= alone.ratio.low

    def _in_batches(self, batches: Sequence[Sequence[int]]) -> dict[int, NDArray[Any]]:
        answers: dict[int, NDArray[Any]] = {}
        for rows in batches:
            together = self._process.batch(rows)
            answers |= {row: together[place : place + 1] for place, row in enumerate(rows)}
        return answers

    def _judge(self, answers: dict[int, NDArray[Any]]) -> Quality:
        samples = self._contest.samples
        rows = sorted(answers)
        labels = samples.labels
        return judge(
            self._contest.bench.metric,
            samples.baseline[rows],
            _stack(answers),
            None if labels is None else labels[rows],
        )

    def _blocks(self) -> Blocks:
        found, quality = self._contest.found, self._quality
        return Blocks(
            baseline_milliseconds=_rounded(self._timing.baseline),
            candidate_milliseconds=_rounded(self._timing.candidate),
            baseline_memory_bytes=increments(found.baseline_peaks, found.empty_peaks),
            candidate_memory_bytes=increments(self._peaks, found.empty_peaks),
            quality_kept=quality.kept if quality else 0,
            quality_of=quality.of if quality else 0,
        )

    def _trial(self) -> Trial:
        found, quality = self._contest.found, self._quality
        ours = increments(self._peaks, found.empty_peaks)
        saved = reduction(increments(found.baseline_peaks, found.empty_peaks), ours)
        return _named(
            self._candidate.file,
            quality=quality.ratio.to_interval() if quality else None,
            cosine=quality.cosine.to_interval() if quality and quality.cosine else None,
            speedup=self._timing.speedup.to_interval(),
            memory_reduction=saved.to_interval(),
            p50_milliseconds=f"{self._timing.p50_milliseconds:.4f}",
            memory_bytes=sorted(ours)[len(ours) // 2],
            batching=self._batching,
            message=self._note,
        )


def _named(file: CandidateFile, **figures: Any) -> Trial:
    return Trial(recipe=file.recipe, precision=file.precision, bytes=file.bytes, **figures)


def _batches(count: int) -> Iterator[list[int]]:
    """Yield full batches of shuffled samples; a last short one is filled up with others."""
    order = np.random.default_rng(count).permutation(count).tolist()
    size = min(MOST_ROWS, count)
    for start in range(0, count, size):
        rows = order[start : start + size]
        yield rows + order[: size - len(rows)]


def _stack(answers: dict[int, NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([answers[row] for row in sorted(answers)])


def _rounded(blocks: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(call, 4) for call in block) for block in blocks)
