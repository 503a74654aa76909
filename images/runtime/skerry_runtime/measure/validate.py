"""The stage Validation: time every candidate, choose, certify the chosen one afresh.

The best of several is biased upward on the samples and processes that chose it. So the chosen one
is timed again in new processes against a new baseline process, and counts by its quality on other
samples (answers.py); what that finds is what the gates judge and the certificate says. When it does
not hold, the next best gets a try, a few times at most: each try is another chance to pass by luck.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.units import say_bytes
from skerry.jobs.files import MeasuredTrial, ServedModel, Validation
from skerry.judging.choose import Choice, choose, nearest_miss
from skerry.judging.gates import evaluate, passes, shortfalls
from skerry_runtime.dataset import Split
from skerry_runtime.measure.bench import MEMORY_PROCESSES
from skerry_runtime.measure.blocks import (
    MOST_BLOCKS_TO_CERTIFY,
    MOST_BLOCKS_TO_CHOOSE,
    pace_for,
)
from skerry_runtime.measure.candidate import Contest, Effort, measure_candidate
from skerry_runtime.measure.files import samples_of
from skerry_runtime.measure.goldens import write_golden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.api.modelvariant import Interval, Trial
    from skerry.jobs.files import BaselineFile
    from skerry_runtime.measure.bench import Bench
    from skerry_runtime.measure.files import Candidate

log = logging.getLogger("skerry_runtime.measure")

MOST_CERTIFICATIONS = 3
# Peak memory repeats to a part in a thousand, so one process is enough to choose by.
TO_CHOOSE = Effort(memory_processes=1, most_blocks=MOST_BLOCKS_TO_CHOOSE)
TO_CERTIFY = Effort(memory_processes=MEMORY_PROCESSES, most_blocks=MOST_BLOCKS_TO_CERTIFY)


@dataclass(frozen=True)
class _Certified:
    """A candidate that was measured afresh, and whether it may be called certified."""

    measured: MeasuredTrial
    holds: bool


def validate(bench: Bench) -> str:
    """Measure, choose, certify; writes validation.json (and golden.npz), returns the message.

    Raises:
        StageError: A stage before left nothing.
        WorkerError: The baseline can't be run any more.
        BaselineError: The baseline answers otherwise than before.
    """
    found = bench.workspace.read_baseline()
    candidates = {one.file.recipe: one for one in bench.candidates}
    trials = _choosing_trials(bench, found, list(candidates.values()))
    gates, weights = bench.plan.gates, bench.plan.weights
    choice = choose([one.trial for one in trials], gates, weights)
    certified = _certify(bench, found, [candidates[name] for name in choice.ranking])
    validation = _validation(bench, found, trials, choice, certified)
    if validation.chosen is not None:
        served = _served(bench, found, candidates[validation.chosen], validation)
        validation = validation.model_copy(update={"served": served})
    bench.workspace.write_validation(validation)
    return validation.message


@contextmanager
def _contest(bench: Bench, found: BaselineFile, split: Split, effort: Effort) -> Iterator[Contest]:
    """Start a fresh baseline process on a split's samples."""
    samples = samples_of(bench.workspace, split, found.inputs)
    with bench.started(bench.source) as baseline:
        seconds, memory = baseline.warm_up(samples.first())
        baseline.use(samples.files)
        peaks = (*found.baseline_peaks, memory.peak)
        found = found.model_copy(update={"baseline_peaks": peaks})
        pace = pace_for(seconds, bench.cpu_limit)
        yield Contest(bench, found, baseline, samples, pace, effort)


def _choosing_trials(
    bench: Bench, found: BaselineFile, candidates: list[Candidate]
) -> list[MeasuredTrial]:
    trials = []
    with _contest(bench, found, Split.CHOICE, TO_CHOOSE) as contest:
        for candidate in candidates:
            measured = measure_candidate(contest, candidate)
            log.info("%s", describe(measured.trial))
            trials.append(measured)
    return trials


def _certify(bench: Bench, found: BaselineFile, ranking: list[Candidate]) -> _Certified | None:
    """Measure the best afresh, then the next best while it does not hold."""
    certified = None
    for candidate in ranking[:MOST_CERTIFICATIONS]:
        with _contest(bench, found, Split.CERTIFICATION, TO_CERTIFY) as contest:
            measured = measure_candidate(contest, candidate)
        results = evaluate(measured.trial, bench.plan.gates)
        holds = passes(results, allow_marginal=bench.plan.gates.allow_marginal)
        log.info("%s afresh: %s", "certified" if holds else "refused", describe(measured.trial))
        # What came nearest is the best of the ranking, so the first refusal is the one to tell.
        certified = certified if certified and not holds else _Certified(measured, holds)
        if holds:
            break
    return certified


def _validation(
    bench: Bench,
    found: BaselineFile,
    trials: list[MeasuredTrial],
    choice: Choice,
    certified: _Certified | None,
) -> Validation:
    gates = bench.plan.gates
    told = certified.measured.trial if certified else None
    told = told or nearest_miss([one.trial for one in trials], gates, bench.plan.weights)
    return Validation(
        trials=tuple(trials),
        baseline=(
            f"{bench.plan.baseline_engine} {found.engine_version}, Float32, the source as it came"
        ),
        chosen=certified.measured.trial.recipe if certified and certified.holds else None,
        certified=certified.measured if certified and certified.holds else None,
        front=choice.front,
        gates=evaluate(told, gates) if told else (),
        message=_message(bench, choice, certified)[:1000],
    )


def _message(bench: Bench, choice: Choice, certified: _Certified | None) -> str:
    if certified is None:
        return choice.explanation
    trial = certified.measured.trial
    if certified.holds:
        return f"{choice.explanation}; certified afresh: {describe(trial)}"
    results = evaluate(trial, bench.plan.gates)
    short = shortfalls(results, allow_marginal=bench.plan.gates.allow_marginal)
    return (
        f"{trial.recipe} passed on the samples that chose it and does not hold on others:"
        f" {', '.join(short) or trial.message}"
    )


def _served(
    bench: Bench, found: BaselineFile, candidate: Candidate, validation: Validation
) -> ServedModel | None:
    if validation.certified is None:
        return None
    golden = samples_of(bench.workspace, Split.GOLDEN, found.inputs)
    trial = validation.certified.trial
    return ServedModel(
        engine=bench.plan.engine,
        engine_version=bench.plan.engine_version,
        recipe=trial.recipe,
        precision=trial.precision,
        batching=trial.batching,
        inputs=found.inputs,
        outputs=found.outputs,
        tolerance=write_golden(bench, candidate, golden),
        certified=trial,
    )


def describe(trial: Trial) -> str:
    """Return a trial in one line, for the log and the stage's message."""
    if trial.speedup is None:
        return f"{trial.recipe}: {trial.outcome.value}: {trial.message}"
    text = (
        f"{trial.recipe}: {say_bytes(trial.bytes)}, {trial.p50_milliseconds} ms,"
        f" speed-up {_span(trial.speedup)}, memory saved {_span(trial.memory_reduction)},"
        f" quality {_span(trial.quality)}, cosine {_span(trial.cosine)},"
        f" batching {'on' if trial.batching else 'off'}"
    )
    return f"{text} ({trial.message})" if trial.message else text


def _span(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.value} ({interval.low} to {interval.high})"
