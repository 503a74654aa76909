"""The status of one ModelVariant: from its job, from what an earlier job left, or from new gates.

A finished variant keeps the results of its recipes. When only gates or weights change, they are applied to the
stored results; a new job runs only where another candidate wins or the certificate no longer holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.common import ConditionStatus
from skerry.api.modelvariant import Certificate, ModelVariantStatus
from skerry.api.reasons import BuildReason, Cause, ConditionType
from skerry.judging.choose import choose, nearest_miss, pareto_front
from skerry.decide.conditions import Finding, condition_of, conditions
from skerry.judging.gates import evaluate, passes, shortfalls, with_message
from skerry.judging.nearest import passing_gates
from skerry.decide.build.state import BuildState
from skerry.decide.build.stages import current_stage, failure, last_words, stage_statuses, trouble
from skerry.judging.gates import evaluate, passes, shortfalls, with_message
from skerry.judging.nearest import passing_gates
from skerry.judging.racing import leader, settled
from skerry.jobs.results import decode_summary
from skerry.jobs.stages import PACK

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.edgemodel import Gates, Weights
    from skerry.api.modelvariant import GateResult, ModelVariant
    from skerry.decide.snapshot import Finished, JobView
    from skerry.jobs.plans import JobPlan
    from skerry.jobs.results import JobSummary

_DEADLINE = "spec.optimization.search.timeLimit"


@dataclass(frozen=True)
class VariantState:
    """The status to write, and what it means for the target."""

    status: ModelVariantStatus
    state: BuildState
    cause: Cause


def from_job(variant: ModelVariant, job: JobView, gates: Gates, gates_key: str,
             now: datetime) -> VariantState:  # fmt: skip
    """Return the variant while its job runs, or when it has just ended."""
    pod = job.pods[-1] if job.pods else None
    seen = stage_statuses(pod)
    before = variant.status
    live = before.model_copy(
        update={
            "observed_generation": variant.metadata.generation or 0,
            "job_name": job.name,
            "node_name": (pod.node if pod else None) or before.node_name,
            "stages": seen if pod else (before.stages or seen),
        }
    )
    if job.succeeded:
        return _summarized(variant, live, job, gates, gates_key, now)
    if job.failure is not None:
        found = failure(job, _DEADLINE)
        return _state(variant, live, found.state, found.cause, now)
    cause = trouble(job) or _running(job)
    return _state(variant, live, BuildState.IN_PROGRESS, cause, now)


def regated(variant: ModelVariant, gates: Gates, weights: Weights, gates_key: str,
            now: datetime) -> VariantState | None:  # fmt: skip
    """Return a finished variant under other gates; None when that requires another job."""
    before = variant.status
    choice = choose(before.recipe_results, gates, weights)
    best = leader(before.recipe_results, gates, weights)
    if not settled(before.recipe_results, best, gates, weights):
        return None
    if choice.chosen is None:
        nearest = nearest_miss(before.recipe_results, gates, weights)
        results = evaluate(nearest, gates) if nearest else ()
        status = before.model_copy(update={"gates_key": gates_key, "gates": results})
        message = gates_message(results, gates, choice.explanation)
        return _without_build(variant, status, message, now)
    if choice.chosen != before.chosen or before.certificate is None or before.artifact is None:
        return None
    results = evaluate(before.certificate.certified, gates)
    if not passes(results, allow_marginal=gates.allow_marginal):
        return None
    status = before.model_copy(update={"gates_key": gates_key, "gates": results})
    return _certified(variant, status, choice.explanation, now)


def remembered(variant: ModelVariant) -> VariantState:
    """Return a finished variant from its status."""
    condition = condition_of(variant.status.conditions, ConditionType.CERTIFIED)
    message = condition.message if condition else ""
    holds = condition is not None and condition.status is ConditionStatus.TRUE
    if variant.status.artifact is not None and holds:
        cause = Cause(BuildReason.GATES_PASSED, message)
        return VariantState(variant.status, BuildState.CERTIFIED, cause)
    cause = Cause(BuildReason.GATES_NOT_MET, message)
    return VariantState(variant.status, BuildState.GATES_NOT_MET, cause)


def gates_message(results: tuple[GateResult, ...], gates: Gates, otherwise: str) -> str:
    """Return each shortfall by name and the gate that would pass; without any, the explanation of the choice."""
    missed = shortfalls(results, allow_marginal=gates.allow_marginal)
    if not missed:
        return otherwise
    nearest = passing_gates(results, gates)
    return "; ".join([*missed, *([f"it would pass with {nearest}"] if nearest else [])])


def from_finished(variant: ModelVariant, finished: Finished, plan: JobPlan, gates_key: str,
                  now: datetime) -> VariantState | None:  # fmt: skip
    """Return the variant from an earlier job's result in the registry; None when that can't be parsed.

    Args:
        variant: without anything finished under these keys.
        finished: what was found under the plan's evidence key.
        plan: of the job that would be started else.
        gates_key: names the current gates and weights.
        now: UTC; when the certificate is issued.
    """
    try:
        summary = decode_summary(finished.result).in_image(plan.registry, finished.digest)
    except ValueError:
        return None
    before = variant.status.model_copy(
        update={
            "observed_generation": variant.metadata.generation or 0,
            "gates_key": gates_key,
        }
    )
    summary = summary.model_copy(update={"reused": True})
    return _with_summary(variant, before, summary, plan.gates, now=now, issued_at=now)


def _summarized(variant: ModelVariant, live: ModelVariantStatus, job: JobView, gates: Gates,
                gates_key: str, now: datetime) -> VariantState:  # fmt: skip
    """Return the variant from the job's summary (its last container's termination message).

    One without a readable summary is judged by no gates: once the job is deleted, another one starts.
    """
    text = last_words(job.pods[-1].containers, PACK.name) if job.pods else ""
    try:
        summary = decode_summary(text)
    except ValueError as error:
        message = (
            f"job {job.name} ended without a readable summary ({_first_line(error)}):"
            " delete the job to run it again (its builds are kept in the registry)"
        )
        cause = Cause(BuildReason.SUMMARY_UNREADABLE, message)
        return _state(variant, live, BuildState.FAILED, cause, now)
    issued_at = job.finished_at or now
    live = live.model_copy(update={"gates_key": gates_key})
    return _with_summary(variant, live, summary, gates, now=now, issued_at=issued_at)


def _with_summary(variant: ModelVariant, live: ModelVariantStatus, summary: JobSummary, gates: Gates,
                  *, now: datetime, issued_at: datetime) -> VariantState:  # fmt: skip
    results = tuple(with_message(result) for result in summary.gates)
    status = live.model_copy(
        update={
            "recipe_results": summary.recipe_results,
            "chosen": summary.chosen,
            "front": pareto_front(summary.recipe_results),
            "gates": results,
            "artifact": summary.artifact,
            "certificate": _certificate(variant, summary, issued_at),
            "reused": summary.reused,
            "node_name": summary.node or live.node_name,
        }
    )
    said = "; ".join(filter(None, [summary.message, _measured_elsewhere(variant, summary)]))
    if summary.artifact is None:
        message = gates_message(results, gates, said)
        return _without_build(variant, status, message, now)
    return _certified(variant, status, said, now)


def _measured_elsewhere(variant: ModelVariant, summary: JobSummary) -> str:
    """Return where evidence comes from that another class has made; empty for the variant's own."""
    if summary.hardware_class in {"", variant.spec.hardware_class_name}:
        return ""
    return (
        f"measured on node {summary.node} of class {summary.hardware_class}, whose nodes have the same"
        " hardware"
    )


def _certificate(
    variant: ModelVariant, summary: JobSummary, issued_at: datetime
) -> Certificate | None:
    if summary.certified is None or summary.model_digest is None:
        return None
    return Certificate(
        model_digest=summary.model_digest,
        dataset_digest=variant.spec.evaluation.dataset.digest,
        engine_version=summary.engine_version or variant.spec.engine_version,
        baseline=summary.baseline,
        certified=summary.certified,
        issue_time=issued_at,
    )


def _running(job: JobView) -> Cause:
    stage = current_stage(job.pods[-1] if job.pods else None)
    attempt = f", try {len(job.pods)}" if len(job.pods) > 1 else ""
    node = job.pods[-1].node if job.pods else None
    if not stage:
        return Cause(BuildReason.JOB_STARTING, f"job {job.name} is starting{attempt}")
    text = f"job {job.name} runs stage {stage} on node {node}{attempt}"
    return Cause(BuildReason.JOB_RUNNING, text)


def _certified(
    variant: ModelVariant, status: ModelVariantStatus, message: str, now: datetime
) -> VariantState:
    cause = Cause(BuildReason.GATES_PASSED, message)
    return _state(variant, status, BuildState.CERTIFIED, cause, now)


def _without_build(
    variant: ModelVariant, status: ModelVariantStatus, message: str, now: datetime
) -> VariantState:
    cause = Cause(BuildReason.GATES_NOT_MET, message)
    return _state(variant, status, BuildState.GATES_NOT_MET, cause, now)


def _state(variant: ModelVariant, status: ModelVariantStatus, state: BuildState, cause: Cause,
           now: datetime) -> VariantState:  # fmt: skip
    holds = {BuildState.IN_PROGRESS: None, BuildState.CERTIFIED: True}.get(state, False)
    findings = [Finding(ConditionType.CERTIFIED, holds, cause)]
    # kstatus' own words, there only while true.
    if state is not BuildState.CERTIFIED:
        runs = state is BuildState.IN_PROGRESS and not cause.stalls
        waits = ConditionType.RECONCILING if runs else ConditionType.STALLED
        findings.append(Finding(waits, True, cause))
    written = conditions(findings, variant.status.conditions, variant.metadata.generation or 0, now)
    return VariantState(status.model_copy(update={"conditions": written}), state, cause)


def _first_line(error: ValueError) -> str:
    return (str(error).splitlines() or ["empty"])[0]
