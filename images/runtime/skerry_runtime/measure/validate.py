"""The stage Validation: certify the chosen candidate under the limits that will serve.

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

from skerry.engines import SOURCE
from skerry.jobs.files import MeasuredRecipe, ServedModel, Validation
from skerry.judging.choose import Choice, choose, nearest_miss
from skerry.judging.gates import evaluate, passes, shortfalls
from skerry.precision import Precision
from skerry_runtime.dataset import Split
from skerry_runtime.measure.answers import holds_quality, judge_to_certify
from skerry_runtime.measure.candidate import (
    Contest,
    certify_candidate,
    failed_recipe_result,
    shortfall_of_quality,
)
from skerry_runtime.measure.describe import describe
from skerry_runtime.measure.files import samples_of
from skerry_runtime.measure.goldens import write_golden
from skerry_runtime.measure.screening import MOST_CERTIFICATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from skerry.api.modelvariant import RecipeResult
    from skerry.jobs.files import BaselineFile, JudgedFile
    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.measure.bench import Bench
    from skerry_runtime.measure.files import Candidate, Samples

log = logging.getLogger("skerry_runtime.measure")


@dataclass(frozen=True)
class _Certified:
    """A candidate that was measured again, and whether it may be called certified."""

    measured: MeasuredRecipe
    holds: bool
    golden_runs: Sequence[Arrays] = ()


def validate(bench: Bench) -> str:
    """Certify the best of the race; writes validation.json (and golden.npz), returns the message.

    Raises:
        StageError: A stage before left nothing.
        WorkerError: The baseline can't be run any more.
        BaselineError: The baseline answers otherwise than before.
    """
    found = bench.workspace.read_baseline()
    screening = bench.workspace.read_screening()
    found = found.model_copy(update={"baseline_peaks": screening.baseline_peaks})
    candidates = {one.file.recipe: one for one in bench.candidates}
    screened = {one.result.recipe: one.result for one in screening.recipe_results}
    choice = choose(list(screened.values()), bench.plan.gates, bench.plan.weights)
    ranking = [(candidates[name], screened[name]) for name in choice.ranking]
    certified = _certify(bench, found, ranking)
    validation = _validation(bench, found, list(screening.recipe_results), choice, certified)
    if certified is not None and validation.chosen is not None:
        served = _served(bench, found, candidates[validation.chosen], certified)
        validation = validation.model_copy(update={"served": served})
    bench.workspace.write_validation(validation)
    return validation.message


@contextmanager
def _contest(bench: Bench, found: BaselineFile, samples: Samples) -> Iterator[Contest]:
    """Start a fresh baseline process on the samples to certify on."""
    with bench.started(bench.source) as baseline:
        seconds, memory = baseline.warm_up(samples.first())
        baseline.use(samples.files)
        peaks = (*found.baseline_peaks, memory.peak)
        found = found.model_copy(update={"baseline_peaks": peaks})
        yield Contest(bench, found, baseline, samples, bench.pace(seconds))


def _certify(
    bench: Bench, found: BaselineFile, ranking: list[tuple[Candidate, RecipeResult]]
) -> _Certified | None:
    """Measure the best again, then the next best while it does not hold."""
    certified = None
    samples = samples_of(bench.workspace, Split.CERTIFICATION, found.inputs)
    for candidate, screened in ranking[:MOST_CERTIFICATIONS]:
        judged = judge_to_certify(bench, candidate, samples)
        if holds_quality(bench, candidate, judged):
            tried = _measured(bench, found, candidate, samples)
        else:
            tried = _Certified(_refused(bench, candidate, screened, judged), holds=False)
        result = tried.measured.result
        log.info("%s: %s", "certified" if tried.holds else "refused", describe(result))
        # What came nearest is the best of the ranking, so the first refusal is the one to report.
        certified = certified if certified and not tried.holds else tried
        if tried.holds:
            break
    return certified


def _measured(
    bench: Bench, found: BaselineFile, candidate: Candidate, samples: Samples
) -> _Certified:
    """Time a candidate against a fresh baseline process."""
    golden = samples_of(bench.workspace, Split.GOLDEN, found.inputs)
    with _contest(bench, found, samples) as contest:
        measured, runs = certify_candidate(contest, candidate, golden)
    results = evaluate(measured.result, bench.plan.gates)
    holds = passes(results, allow_marginal=bench.plan.gates.allow_marginal)
    return _Certified(measured, holds, runs)


def _refused(
    bench: Bench, candidate: Candidate, screened: RecipeResult, judged: JudgedFile
) -> MeasuredRecipe:
    """Return the recipe result of a candidate that fails on other samples, its speed and memory from the race."""
    if judged.failure:
        return failed_recipe_result(candidate, judged.failure)
    found = {
        "quality": judged.quality,
        "cosine": judged.cosine,
        "movement": judged.movement,
        "batching": judged.batching,
        "message": shortfall_of_quality(bench, candidate, judged),
    }
    return MeasuredRecipe(result=screened.model_copy(update=found))


def _validation(
    bench: Bench,
    found: BaselineFile,
    recipe_results: list[MeasuredRecipe],
    choice: Choice,
    certified: _Certified | None,
) -> Validation:
    gates = bench.plan.gates
    reported = certified.measured.result if certified else None
    reported = reported or nearest_miss(
        [one.result for one in recipe_results], gates, bench.plan.weights
    )
    return Validation(
        recipe_results=tuple(recipe_results),
        baseline=(
            f"{bench.plan.baseline_engine} {found.engine_version}, {_precision(bench)}, the source as it came"
        ),
        chosen=certified.measured.result.recipe if certified and certified.holds else None,
        certified=certified.measured if certified and certified.holds else None,
        front=choice.front,
        gates=evaluate(reported, gates) if reported else (),
        message=_message(bench, choice, certified)[:1000],
    )


def _precision(bench: Bench) -> Precision:
    """Return what the source's weights are in; a job that builds no source leaves it unsaid, and it is Float32."""
    files = {one.recipe: one.precision for one in bench.workspace.read_candidates()}
    return files.get(SOURCE, Precision.FLOAT32)


def _message(bench: Bench, choice: Choice, certified: _Certified | None) -> str:
    if certified is None:
        return choice.explanation
    result = certified.measured.result
    if certified.holds:
        return f"{choice.explanation}; certified on other samples: {describe(result)}"
    results = evaluate(result, bench.plan.gates)
    short = shortfalls(results, allow_marginal=bench.plan.gates.allow_marginal)
    return (
        f"{result.recipe} passed on the samples that chose it and does not hold on others:"
        f" {', '.join(short) or result.message}"
    )


def _served(
    bench: Bench, found: BaselineFile, candidate: Candidate, certified: _Certified
) -> ServedModel:
    golden = samples_of(bench.workspace, Split.GOLDEN, found.inputs)
    result = certified.measured.result
    return ServedModel(
        engine=bench.plan.engine,
        engine_version=bench.plan.engine_version,
        recipe=result.recipe,
        precision=result.precision,
        batching=result.batching,
        inputs=found.inputs,
        outputs=found.outputs,
        whole=found.whole,
        tolerance=write_golden(bench, candidate, golden, certified.golden_runs),
        certified=result,
    )
