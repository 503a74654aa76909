"""The answers of candidates, judged by the baseline's, outside of the serving CPU limit.

What a model answers does not depend on how long it may compute. So the answers of the baseline and
of all candidates are made in the stage `quality`, with the builds' resources, by the session code and
thread count that serve; the stage after it compares the answers that it sees with those kept here.

Choice and certification use different samples. All candidates answer those to choose by, and only
the best of these the others.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.jobs.files import JudgedFile
from skerry.judging.gates import evaluate, failing, measured, passes
from skerry_runtime.dataset import Split
from skerry_runtime.measure import bench as bench_module
from skerry_runtime.measure.batches import Batches
from skerry_runtime.measure.files import write_judged
from skerry_runtime.measure.goldens import joined
from skerry_runtime.measure.hostile import hostile_finding
from skerry_runtime.measure.movement import interface_difference, movement
from skerry_runtime.measure.process import WorkerError
from skerry_runtime.measure.quality import Quality, QualityError, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from skerry.api.modelvariant import GateResult, Interval
    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.measure.bench import Bench
    from skerry_runtime.measure.files import Candidate, Samples
    from skerry_runtime.measure.process import Process

log = logging.getLogger("skerry_runtime.measure")

# A candidate that fails a required gate on so many samples is not judged on the rest. For neighbors
# fewer samples make an easier task, so this errs to the candidate's favor.
SCREENING_SAMPLES = 200
# Samples on which the outputs after the first are compared: each costs a call of its own, and memory.
COMPARED_SAMPLES = 100
COMPARED_BYTES = 64 * 2**20


def answer_baseline(samples: Samples, process: Process) -> None:
    """Compute the answers that all candidates are judged by."""
    process.use(samples.files)
    samples.write_baseline(process.block(range(samples.count))[1])
    samples.write_others(_others(process, _compared(process, samples.count)))


def _compared(process: Process, count: int) -> int:
    """Return on how many samples the outputs after the first are compared; two at least, also of great ones."""
    (first,) = process.outputs([0])
    size = sum(first[spec.name].nbytes for spec in process.loaded.outputs[1:])
    return min(count, COMPARED_SAMPLES, max(2, COMPARED_BYTES // max(size, 1)))


def _others(process: Process, count: int) -> Arrays:
    """Return the outputs after the first of the first samples, by name; nothing where there is one."""
    names = [spec.name for spec in process.loaded.outputs[1:]]
    if not names:
        return {}
    whole = joined(process.outputs(range(count)))
    return {name: whole[name] for name in names}


def judge_on(
    bench: Bench,
    candidate: Candidate,
    samples: Samples,
    process: Process,
    *,
    known: Mapping[int, NDArray[Any]] | None = None,
    is_enough: Callable[[JudgedFile], bool] | None = None,
) -> tuple[JudgedFile, NDArray[Any]]:
    """Judge a candidate on one split; returns what was found, and its answers.

    Args:
        bench: The plan and the mounts.
        candidate: It.
        samples: The split, with the baseline's answers.
        process: The candidate's, with the samples open.
        known: Answers by sample that the process has given while it was timed.
        is_enough: Asked after the first samples, whether the rest can't change the choice.

    Raises:
        WorkerError: It can't be run.
        QualityError: Its answers can't be judged.
    """
    judging = _Judging(bench, candidate, samples, process, known or {})
    judged, answers = judging.result(is_enough or (lambda _: False))
    differences = "; ".join(
        one.message for one in gates_of_quality(bench, candidate, judged) if one.required
    )
    log.info(
        "%s on %d samples to %s: %s",
        candidate.file.recipe,
        judged.seen,
        FOR[samples.split],
        differences,
    )
    return judged, answers


def judge_to_certify(bench: Bench, candidate: Candidate, samples: Samples) -> JudgedFile:
    """Judge a candidate on the other split in a fresh process, and keep what was found."""
    recipe = candidate.file.recipe
    if bench.workspace.has_judged(samples.split, recipe):
        return bench.workspace.read_judged(samples.split, recipe)
    answers = None
    try:
        peaks = [
            bench.memory_of(candidate.model, samples.first()).peak
            for _ in range(bench_module.MEMORY_PROCESSES - 2)
        ]
        with bench.started(candidate.model) as process:
            peaks.append(process.warm_up(samples.first())[1].peak)
            process.use(samples.files)
            judged, answers = judge_on(bench, candidate, samples, process)
            finding = hostile_finding(process, lambda: _source_on(bench, samples))
        if finding:
            judged = judged.model_copy(update={"failure": finding})
        judged = judged.model_copy(update={"peaks": tuple(peaks)})
    except (WorkerError, QualityError) as error:
        judged = JudgedFile(count=samples.count, failure=str(error))
        log.info("%s: %s", recipe, judged.failure)
    write_judged(bench.workspace, candidate, samples.split, (judged, answers))
    return judged


@contextmanager
def _source_on(bench: Bench, samples: Samples) -> Iterator[Process]:
    with bench.started(bench.source) as process:
        process.use(samples.files)
        yield process


FOR = {Split.CHOICE: "choose", Split.CERTIFICATION: "certify"}


def holds_quality(bench: Bench, candidate: Candidate, judged: JudgedFile) -> bool:
    """Return whether what was judged lets a candidate through."""
    results = gates_of_quality(bench, candidate, judged)
    allow = bench.plan.gates.allow_marginal
    return not judged.failure and passes(results, allow_marginal=allow)


def gates_of_quality(
    bench: Bench, candidate: Candidate, judged: JudgedFile
) -> tuple[GateResult, ...]:
    """Return the gates that are known before anything is timed: quality, cosine and size."""
    result = candidate.result(
        quality=judged.quality, cosine=judged.cosine, movement=judged.movement
    )
    return measured(evaluate(result, bench.plan.gates))


class _Judging:
    """The steps for one candidate on one split."""

    def __init__(
        self,
        bench: Bench,
        candidate: Candidate,
        samples: Samples,
        process: Process,
        known: Mapping[int, NDArray[Any]],
    ) -> None:
        self._known = dict(known)
        self._bench = bench
        self._candidate = candidate
        self._samples = samples
        self._process = process
        self._baseline = samples.baseline
        self._labels = samples.labels

    def result(self, is_enough: Callable[[JudgedFile], bool]) -> tuple[JudgedFile, NDArray[Any]]:
        """Judge the samples alone, and in full batches where that is not the same."""
        count = self._samples.count
        self._check_interface()
        answers = self._answers(range(min(SCREENING_SAMPLES, count)))
        screened = self._file(self._judge(np.concatenate(answers)), np.concatenate(answers))
        if self._fails(screened) or is_enough(screened):
            return screened, np.concatenate(answers)
        answers += self._answers(range(len(answers), count))
        alone = np.concatenate(answers)
        by_itself = self._file(self._judge(alone), alone)
        if self._fails(by_itself):
            return by_itself, alone
        quality, batching = self._in_batches(alone)
        return by_itself.model_copy(update=_figures(quality) | {"batching": batching}), alone

    def _fails(self, judged: JudgedFile) -> bool:
        return failing(gates_of_quality(self._bench, self._candidate, judged))

    def _answers(self, rows: range) -> list[NDArray[Any]]:
        """Return the answers to these samples, each alone; what was timed is not computed again."""
        missing = [row for row in rows if row not in self._known]
        if missing:
            self._known.update(zip(missing, self._process.block(missing)[1], strict=True))
        return [self._known[row] for row in rows]

    def _in_batches(self, alone: NDArray[Any]) -> tuple[Quality, bool]:
        """Return the worse quality of alone and in batches, and whether batches may be served."""
        by_itself = self._judge(alone)
        if self._bench.workspace.read_baseline().whole:
            return by_itself, False
        batches = Batches(self._process, {self._first: alone, **self._others})
        if not batches.are_taken or not batches.survive_hostile_mates():
            return by_itself, False
        if batches.are_like_alone():
            return by_itself, True
        quality = self._judge(batches.answers())
        return by_itself.or_worse(quality), quality.ratio.value >= by_itself.ratio.low

    def _judge(self, answers: NDArray[Any]) -> Quality:
        """Judge the answers to the first samples."""
        seen = len(answers)
        labels = None if self._labels is None else self._labels[:seen]
        return judge(self._bench.metric, self._baseline[:seen], answers, labels)

    def _check_interface(self) -> None:
        found, loaded = self._bench.workspace.read_baseline(), self._process.loaded
        difference = interface_difference(found.inputs, loaded.inputs)
        difference = difference or interface_difference(found.outputs, loaded.outputs)
        if difference:
            raise WorkerError(difference)

    @property
    def _first(self) -> str:
        return self._process.loaded.outputs[0].name

    @cached_property
    def _others(self) -> Arrays:
        asked = next(iter(self._samples.others.values()), ())
        return _others(self._process, len(asked))

    @cached_property
    def _movements_of_others(self) -> dict[str, Interval]:
        source = self._samples.others if self._others else {}
        return {
            name: movement(name, source[name], build).to_interval()
            for name, build in self._others.items()
        }

    def _movements(self, answers: NDArray[Any]) -> dict[str, Interval]:
        """Return how far each output moves, by name."""
        first = movement(self._first, self._baseline[: len(answers)], answers).to_interval()
        return {self._first: first, **self._movements_of_others}

    def _file(self, quality: Quality, answers: NDArray[Any]) -> JudgedFile:
        return JudgedFile(
            seen=len(answers),
            count=self._samples.count,
            movements=self._movements(answers),
            **_figures(quality),
        )


def _figures(quality: Quality) -> dict[str, Any]:
    return {
        "quality": quality.ratio.to_interval(),
        "cosine": quality.cosine.to_interval() if quality.cosine else None,
        "kept": quality.kept,
        "of": quality.of,
    }
