"""The stage `quality`: a race of all candidates at full speed, and the finalist's answers on other samples.

Under a small CPU limit most of the time of measuring is waiting. Neither an answer nor a ratio of times
depends on the limit, so what is only needed to choose is measured here, with the builds' resources, by the
session code and thread count that serve. One process per candidate gives its memory, a few blocks of timed
calls and its answers; more blocks only while the choice or a required gate is open.

The best is biased upward by what chose it. So it answers the other half of the samples in fresh processes,
and the stage after this one times it again under the serving limits.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from skerry.api.modelvariant import RecipeOutcome
from skerry.jobs.files import Screening
from skerry.judging.choose import choose
from skerry.judging.racing import leader
from skerry_runtime.dataset import Split
from skerry_runtime.measure.answers import answer_baseline, holds_quality, judge_to_certify
from skerry_runtime.measure.candidate import Contest, race_candidate, untried
from skerry_runtime.measure.describe import describe
from skerry_runtime.measure.files import samples_of

if TYPE_CHECKING:
    from skerry.jobs.files import BaselineFile, MeasuredRecipe
    from skerry_runtime.measure.bench import Bench
    from skerry_runtime.measure.files import Candidate
    from skerry_runtime.measure.process import Process

log = logging.getLogger("skerry_runtime.measure")

MOST_CERTIFICATIONS = 3
# Of the job's time limit. Once it is over no more candidates are tried, and the best so far is certified.
SHARE_TO_SEARCH = 0.6


def screen(bench: Bench) -> str:
    """Race all candidates, judge the best on other samples; writes screening.json, returns the message.

    Raises:
        StageError: The stage before is missing.
        WorkerError: The baseline can't be run.
        BaselineError: The baseline answers otherwise than before.
    """
    found = bench.workspace.read_baseline()
    candidates = bench.candidates
    with bench.started(bench.source) as baseline:
        screening = _race(bench, found, baseline, candidates)
        bench.workspace.write_screening(screening)
        recipe_results = [one.result for one in screening.recipe_results]
        choice = choose(recipe_results, bench.plan.gates, bench.plan.weights)
        by_recipe = {one.file.recipe: one for one in candidates}
        ranking = [by_recipe[recipe] for recipe in choice.ranking[:MOST_CERTIFICATIONS]]
        finalist = _finalist(bench, found, baseline, ranking)
    message = (
        f"{len(choice.ranking)} of {len(recipe_results)} candidates pass the gates at full speed"
    )
    held = f"{finalist} holds on other samples" if finalist else "none holds on other samples"
    return f"{message}; {held}" if ranking else message


def _race(
    bench: Bench, found: BaselineFile, baseline: Process, candidates: list[Candidate]
) -> Screening:
    """Measure the candidates in turn, each against the best so far, until the time for it is over."""
    samples = samples_of(bench.workspace, Split.CHOICE, found.inputs)
    seconds, memory = baseline.warm_up(samples.first())
    found = found.model_copy(update={"baseline_peaks": (*found.baseline_peaks, memory.peak)})
    answer_baseline(samples, baseline)
    contest = Contest(bench, found, baseline, samples, bench.pace(seconds))
    recipe_results: list[MeasuredRecipe] = []
    for candidate in candidates:
        if recipe_results and _is_late(bench) and candidate.file.outcome is RecipeOutcome.MEASURED:
            recipe_results.append(untried(candidate, _not_tried(bench)))
            continue
        so_far = [one.result for one in recipe_results]
        best = leader(so_far, bench.plan.gates, bench.plan.weights)
        recipe_results.append(race_candidate(contest, candidate, best))
        log.info("%s", describe(recipe_results[-1].result))
    ordered = sorted(recipe_results, key=lambda one: one.result.recipe)
    return Screening(recipe_results=tuple(ordered), baseline_peaks=found.baseline_peaks)


def _is_late(bench: Bench) -> bool:
    limit = bench.plan.time_limit_seconds
    return limit is not None and bench.workspace.seconds_since_begun() > SHARE_TO_SEARCH * limit


def _not_tried(bench: Bench) -> str:
    return (
        f"not tried: {SHARE_TO_SEARCH:.0%} of the time limit of {bench.plan.time_limit_seconds} s was over; raise"
        " spec.optimization.search.timeLimit or lower spec.optimization.search.maxRecipes"
    )


def _finalist(
    bench: Bench, found: BaselineFile, baseline: Process, ranking: list[Candidate]
) -> str | None:
    """Judge the best on other samples, then the next best while it fails; returns which holds."""
    if not ranking:
        return None
    samples = samples_of(bench.workspace, Split.CERTIFICATION, found.inputs)
    answer_baseline(samples, baseline)
    for candidate in ranking:
        judged = judge_to_certify(bench, candidate, samples)
        if holds_quality(bench, candidate, judged):
            return candidate.file.recipe
    return None
