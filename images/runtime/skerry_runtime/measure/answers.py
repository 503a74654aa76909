"""The stage `quality`: every answer that is judged, computed outside of the serving CPU limit.

What a model answers does not depend on how long it may compute. So the answers of the baseline and
of all candidates are made here, with the builds' resources, by the session code and thread count
that serve; the stage after this one only takes times and memory under the serving limit, and
compares the answers that it sees with those kept here.

Choice and certification use different samples. Which candidate is chosen is not known before they are
timed, so each that can still be is judged on both, in one process: to start one and to load the model
takes as long as dozens of answers.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.api.modelvariant import TrialOutcome
from skerry.jobs.files import JudgedFile
from skerry.judging.gates import evaluate, failing, measured, passes
from skerry_runtime.dataset import Split
from skerry_runtime.limits import MOST_ROWS
from skerry_runtime.measure.files import samples_of, write_judged
from skerry_runtime.measure.process import WorkerError
from skerry_runtime.measure.quality import Quality, QualityError, judge, same_answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from skerry.api.modelvariant import GateResult
    from skerry_runtime.measure.bench import Bench
    from skerry_runtime.measure.files import Candidate, Samples
    from skerry_runtime.measure.process import Process

log = logging.getLogger("skerry_runtime.measure")

# A candidate that fails a required gate on so many samples is not judged on the rest. For neighbours
# fewer samples make an easier task, so this errs to the candidate's favour.
SCREENING_SAMPLES = 200
# Full batches that are compared with the answers alone. When all agree but for rounding, the model
# computes rows independently, and the quality alone holds for batches too.
PROBE_BATCHES = 4


def judge_candidates(bench: Bench) -> str:
    """Judge every candidate on both splits; writes measure/quality/, returns the stage's message.

    Raises:
        StageError: The stage before is missing.
        WorkerError: The baseline can't be run.
    """
    found = bench.workspace.read_baseline()
    splits = [samples_of(bench.workspace, split, found.inputs) for split in _FOR]
    built = [one for one in bench.candidates if one.file.outcome is TrialOutcome.MEASURED]
    if built:
        _answer_baseline(bench, splits)
    passed = [_judged(bench, one, splits) for one in built]
    counts = [sum(count > place for count in passed) for place in range(len(splits))]
    told = "; ".join(
        f"{count} of {tried} candidates pass the gates of quality to {purpose}"
        for purpose, count, tried in zip(_FOR.values(), counts, [len(built), *counts], strict=False)
    )
    left = [
        one.file.recipe for one, count in zip(built, passed, strict=True) if count == len(splits)
    ]
    return f"{told}: {', '.join(left) or 'none'}"


_FOR = {Split.CHOICE: "choose", Split.CERTIFICATION: "certify"}


def _answer_baseline(bench: Bench, splits: Sequence[Samples]) -> None:
    """Compute the answers that all are judged by."""
    with bench.started(bench.source) as process:
        for samples in splits:
            process.use(samples.files)
            samples.write_baseline(process.block(range(samples.count))[1])


def _judged(bench: Bench, candidate: Candidate, splits: Sequence[Samples]) -> int:
    """Judge one candidate on the splits in turn; returns how many it passed before it failed one.

    One process serves all splits: an answer depends on the model and the sample alone, and that this
    holds is seen when the stage after this one compares them with those of other processes.
    """
    passed = 0
    try:
        with bench.started(candidate.model) as process:
            while passed < len(splits) and _holds(bench, candidate, splits[passed], process):
                passed += 1
    except (WorkerError, QualityError) as error:
        failed = JudgedFile(count=splits[passed].count, failure=str(error))
        write_judged(bench.workspace, candidate, splits[passed].split, (failed, None))
        log.info("%s: %s", candidate.file.recipe, failed.failure)
    return passed


def _holds(bench: Bench, candidate: Candidate, samples: Samples, process: Process) -> bool:
    """Judge a candidate on one split and keep what was found; returns whether it can be certified."""
    process.use(samples.files)
    judged, answers = _Judging(bench, candidate, samples, process).result()
    write_judged(bench.workspace, candidate, samples.split, (judged, answers))
    results = gates_of_quality(bench, candidate, judged)
    told = "; ".join(one.message for one in results if one.required)
    log.info(
        "%s on %d samples to %s: %s", candidate.file.recipe, judged.seen, _FOR[samples.split], told
    )
    return passes(results, allow_marginal=bench.plan.gates.allow_marginal)


def gates_of_quality(
    bench: Bench, candidate: Candidate, judged: JudgedFile
) -> tuple[GateResult, ...]:
    """Return the gates that are known before anything is timed: quality, cosine and size."""
    trial = candidate.trial(quality=judged.quality, cosine=judged.cosine)
    return measured(evaluate(trial, bench.plan.gates))


class _Judging:
    """The steps for one candidate on one split."""

    def __init__(
        self, bench: Bench, candidate: Candidate, samples: Samples, process: Process
    ) -> None:
        self._bench = bench
        self._candidate = candidate
        self._samples = samples
        self._process = process
        self._baseline = samples.baseline
        self._labels = samples.labels

    def result(self) -> tuple[JudgedFile, NDArray[Any]]:
        """Judge the samples alone, and in full batches where that is not the same."""
        count = self._samples.count
        answers = self._process.block(range(min(SCREENING_SAMPLES, count)))[1]
        screened = self._file(self._judge(np.concatenate(answers)), len(answers))
        if failing(gates_of_quality(self._bench, self._candidate, screened)):
            return screened, np.concatenate(answers)
        answers += self._process.block(range(len(answers), count))[1]
        alone = np.concatenate(answers)
        quality, batching = self._in_batches(alone)
        return self._file(quality, count, batching=batching), alone

    def _in_batches(self, alone: NDArray[Any]) -> tuple[Quality, bool]:
        """Return the worse quality of alone and in batches, and whether batches may be served."""
        by_itself = self._judge(alone)
        batches = list(full_batches(len(alone)))
        probe = self._batched(batches[:PROBE_BATCHES])
        rows = sorted(probe)
        if same_answers(np.concatenate([probe[row] for row in rows]), alone[rows]):
            return by_itself, True
        together = probe | self._batched(batches[PROBE_BATCHES:])
        quality = self._judge(np.concatenate([together[row] for row in sorted(together)]))
        return by_itself.or_worse(quality), quality.ratio.value >= by_itself.ratio.low

    def _batched(self, batches: Sequence[Sequence[int]]) -> dict[int, NDArray[Any]]:
        answers: dict[int, NDArray[Any]] = {}
        for rows in batches:
            together = self._process.batch(rows)
            answers |= {row: together[place : place + 1] for place, row in enumerate(rows)}
        return answers

    def _judge(self, answers: NDArray[Any]) -> Quality:
        """Judge the answers to the first samples."""
        seen = len(answers)
        labels = None if self._labels is None else self._labels[:seen]
        return judge(self._bench.metric, self._baseline[:seen], answers, labels)

    def _file(self, quality: Quality, seen: int, *, batching: bool = False) -> JudgedFile:
        return JudgedFile(
            seen=seen,
            count=self._samples.count,
            quality=quality.ratio.to_interval(),
            cosine=quality.cosine.to_interval() if quality.cosine else None,
            kept=quality.kept,
            of=quality.of,
            batching=batching,
        )


def full_batches(count: int) -> Iterator[list[int]]:
    """Yield full batches of shuffled samples; a last short one is filled up with others."""
    order = np.random.default_rng(count).permutation(count).tolist()
    size = min(MOST_ROWS, count)
    for start in range(0, count, size):
        rows = order[start : start + size]
        yield rows + order[: size - len(rows)]
