"""The whole plan: from nothing to a candidate, one write after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from skerry.api.common import ConditionStatus
from skerry.api.edgemodel import JobSlot, Phase, TargetStatus
from skerry.api.modelvariant import Interval
from skerry.api.reasons import Cause, RegistryReason
from skerry.decide.build.state import BuildState
from skerry.decide.conditions import condition_of
from skerry.decide.decision import AssessJob, BuildJob
from skerry.decide.rollout import NodeView
from skerry.decide.snapshot import BuildSlots, Pins, PodView
from tests.unit.decide.plan_world import (
    ASSESSMENT,
    DATASET,
    NOW,
    World,
    assessed,
    built,
    ended,
    recipe_result,
    summary,
    world,
)

EVALUATED = {"dataset": {"uri": DATASET.uri}, "metric": "Accuracy"}


def ready(made: World) -> tuple[ConditionStatus, str, str]:
    """Return status, reason and message of Ready after the current decision."""
    found = condition_of(made.decide().status.conditions, "Ready")
    assert found is not None
    return found.status, found.reason, found.message


def types(made: World) -> set[str]:
    """Return the types of the present conditions."""
    return {condition.type for condition in made.decide().status.conditions}


def test_first_the_source_is_assessed_once_for_all_targets() -> None:
    decision = world("x86", "arm").decide()
    (job,) = decision.jobs
    assert isinstance(job, AssessJob)
    assert decision.status.phase is Phase.OPTIMIZING
    assert {target.reason for target in decision.status.targets} == {"Assessing"}


def test_the_assessment_is_read_and_its_job_goes() -> None:
    made = world().step().job_ends(ASSESSMENT.model_dump_json(by_alias=True))
    decision = made.decide()
    assert decision.status.assessment == ASSESSMENT
    assert isinstance(decision.jobs[0], BuildJob)
    assert decision.deletions.jobs == (made.snapshot.jobs[0].name,)


def test_an_assessment_that_cannot_be_read_is_reported() -> None:
    assert ready(world().step().job_ends("half a {"))[1] == "AssessmentUnreadable"


@pytest.mark.parametrize(
    "change", [{"metric": "F1"}, {"calibrationSamples": 64}, {"goldenSamples": 2}]
)
def test_another_evaluation_is_assessed_again(change: dict[str, Any]) -> None:
    (job,) = assessed().model(evaluation={**EVALUATED, **change}).decide().jobs
    assert isinstance(job, AssessJob)


def test_a_data_set_that_does_not_fit_is_not_accepted_and_nothing_is_built() -> None:
    pod = PodView("pod-1", NOW, "node-1", containers=(ended("assess", "no labels", 4, "Error"),))
    failed = world().step().job(pods=(pod,), failure=("PodFailurePolicy", "exit code 4")).step()
    decision = failed.decide()
    assert ready(failed)[1] == "EvaluationUnusable"
    assert "no labels" in ready(failed)[2]
    accepted = condition_of(decision.status.conditions, "Accepted")
    assert accepted is not None
    assert accepted.status is ConditionStatus.FALSE
    assert not decision.jobs
    (again,) = failed.model(evaluation={**EVALUATED, "metric": "F1"}).decide().jobs
    assert isinstance(again, AssessJob)


def test_an_assessment_of_something_else_is_not_taken_for_this_one() -> None:
    other = ASSESSMENT.model_copy(update={"dataset": None})
    assert ready(world().step().job_ends(other.model_dump_json(by_alias=True)))[1] == (
        "AssessmentUnreadable"
    )


def test_waiting_for_the_registry_is_no_failure() -> None:
    waiting = world().with_(pins=Pins())
    assert ready(waiting)[1] == "ResolvingDigests"
    assert "Stalled" not in types(waiting)
    cause = Cause(RegistryReason.NOT_RESOLVED, "no such tag")
    refused = world().with_(pins=Pins(state=BuildState.REJECTED, cause=cause))
    assert ready(refused)[1:] == ("SourceNotResolved", "x86: no such tag")
    assert "Stalled" in types(refused)
    assert refused.decide().requeue_after is not None


def test_a_missing_class_is_named_and_the_others_continue() -> None:
    made = assessed("x86", "arm")
    made = made.with_(classes={"x86": made.snapshot.classes["x86"]})
    decision = made.decide()
    assert [job.plan.hardware_class for job in decision.jobs if isinstance(job, BuildJob)] == [
        "x86"
    ]
    status, reason, message = ready(made)
    assert (status, reason) == (ConditionStatus.FALSE, "HardwareClassNotFound")
    assert "no HardwareClass arm" in message


def test_a_class_without_nodes_starts_no_job_and_blocks_nobody() -> None:
    made = built("x86", "arm").with_(nodes={"x86": (NodeView("x86-1", 0, reachable=True),)})
    decision = made.decide()
    assert [target.reason for target in decision.status.targets][1] == "NoNodes"
    assert not decision.jobs
    assert "x86" in decision.routes


def test_slots_are_given_in_order_and_to_older_models_first() -> None:
    decision = assessed("x86", "arm").decide()
    assert [job.plan.hardware_class for job in decision.jobs if isinstance(job, BuildJob)] == [
        "x86"
    ]
    assert decision.status.targets[1].reason == "BuildQueued"
    assert decision.status.awaited_slot is JobSlot.BUILD
    full = assessed().with_(slots=BuildSlots(running=1))
    assert not full.decide().jobs
    behind = assessed().with_(slots=BuildSlots(waiting_before=1))
    assert not behind.decide().jobs


def test_a_certified_build_becomes_the_candidate_of_the_first_rollout() -> None:
    decision = built().decide()
    (target,) = decision.status.targets
    assert target.phase is Phase.ROLLING_OUT
    assert (target.build.recipe, target.build.quality, target.build.speedup) == (
        "dynamic-int8",
        "0.980",
        "1.900",
    )
    route = decision.routes["x86"]
    assert route.stable is None
    assert route.candidate is not None
    assert route.candidate.revision == target.rollout.desired
    assert [plan.revision for plan in built().step().decide().daemonsets] == [
        target.rollout.desired
    ]


@pytest.mark.parametrize(
    ("reported", "ratio", "share"),
    [
        ("1.23456", "1.235", "1.235"),
        ("-0.0", "0.000", "-0.000"),
        ("-5", "0.000", "-5.000"),
        ("9" * 24, "9999999.999", "9999999.999"),
        ("-" + "9" * 23, "0.000", "-9999999.999"),
    ],
)
def test_whatever_number_a_job_reports_the_status_takes_it(
    reported: str, ratio: str, share: str
) -> None:
    figure = Interval(value=reported, low=reported, high=reported)
    names = ("speedup", "quality", "memory_reduction")
    wild = recipe_result().model_copy(update=dict.fromkeys(names, figure))
    made = assessed().step().job_ends(summary(wild).model_dump_json(by_alias=True))
    (target,) = made.decide().status.targets
    shown = TargetStatus.model_validate(target.to_wire()).build
    assert (shown.speedup, shown.quality, shown.memory_reduction) == (ratio, ratio, share)
    (first,) = shown.front
    assert (first.speedup, first.quality, first.memory_reduction) == (ratio, ratio, share)


def test_a_route_carries_the_uid_of_its_edge_model_also_one_that_was_written_before() -> None:
    made = built().step()
    assert made.decide().routes["x86"].to_wire()["edgeModelUID"] == "u1"
    old = made.snapshot.routes["x86"]
    older = old.model_copy(update={"edge_model_uid": None})
    assert made.with_(routes={"x86": older}).decide().routes["x86"].edge_model_uid == "u1"


def test_gates_not_met_is_stalled_and_names_the_shortfall() -> None:
    made = (
        assessed()
        .step()
        .job_ends(summary(recipe_result(quality=0.9), passed=False).model_dump_json(by_alias=True))
    )
    # What the job had to cut is reported in full again.
    shortfall = (
        "x86: quality 0.900 (0.891 to 0.909) is below the required 0.950; it would pass with"
        ' spec.gates.quality: "0.89", as far as measured'
    )
    assert ready(made) == (ConditionStatus.FALSE, "GatesNotMet", shortfall)
    assert {"Stalled"} <= types(made)
    assert [target.stalled for target in made.decide().status.targets] == [True]
    certified = condition_of(made.decide().status.conditions, "Certified")
    optimized = condition_of(made.decide().status.conditions, "Optimized")
    assert certified is not None
    assert optimized is not None
    assert (certified.status, optimized.status) == (ConditionStatus.FALSE, ConditionStatus.TRUE)


def test_a_failed_job_stays_failed_until_the_spec_or_the_annotation_changes() -> None:
    failed = assessed().step().job(failure=("BackoffLimitExceeded", "too often"))
    assert ready(failed)[1] == "BackoffLimitExceeded"
    assert not failed.step().decide().jobs
    first = failed.snapshot.jobs[0].name
    (again,) = failed.annotated(retry="1").decide().jobs
    (changed,) = failed.model(rollout={"soak": "5s"}).decide().jobs
    assert len({first, again.made.name, changed.made.name}) == 3


def test_a_job_whose_summary_cannot_be_read_is_run_again_once_it_is_deleted() -> None:
    made = assessed().step().job_ends("half a summ").settle()
    (target,) = made.decide().status.targets
    assert (target.phase, target.reason) == (Phase.FAILED, "SummaryUnreadable")
    assert "delete the job to run it again" in target.message
    assert not made.decide().jobs
    assert len(made.with_(jobs=()).decide().jobs) == 1


def test_other_gates_are_applied_to_the_stored_recipe_results_without_a_job() -> None:
    made = built().settle()
    revision = made.snapshot.model.status.targets[0].rollout.desired
    stricter = made.model(gates={"quality": "0.96"})
    assert not stricter.decide().jobs
    assert stricter.decide().status.targets[0].rollout.desired == revision
    too_strict = made.model(gates={"quality": "0.99"})
    assert ready(too_strict)[1] == "GatesNotMet"
    assert not too_strict.decide().jobs
    back = too_strict.step().model(gates={"quality": "0.95"})
    assert back.decide().status.targets[0].rollout.desired == revision


def test_another_choice_under_new_gates_is_packed_by_another_job() -> None:
    quick, good = (
        recipe_result("quick", quality=0.96, speedup=3.0),
        recipe_result("good", quality=0.99, speedup=1.5),
    )
    made = assessed().step().job_ends(summary(quick, good).model_dump_json(by_alias=True)).settle()
    stricter = made.model(gates={"quality": "0.975"})
    (job,) = stricter.decide().jobs
    assert isinstance(job, BuildJob)
    assert job.plan.gates.quality == "0.975"
    assert job.plan.time_limit_seconds == job.deadline_seconds == 1800


def test_what_was_stopped_early_is_measured_again_before_new_gates_refuse_all() -> None:
    few = Interval(
        value="0.97", low="0.95", high="0.985"
    )  # of 200 samples: all of them may show more
    stopped = recipe_result("good", speedup=1.5).model_copy(
        update={"quality": few, "cut_short": True}
    )
    quick = recipe_result("quick", quality=0.96, speedup=3.0)
    made = (
        assessed().step().job_ends(summary(quick, stopped).model_dump_json(by_alias=True)).settle()
    )
    (job,) = made.model(gates={"quality": "0.965"}).decide().jobs
    assert isinstance(job, BuildJob)
    assert not made.model(gates={"quality": "0.99"}).decide().jobs


def test_other_limits_are_another_variant_and_the_running_job_goes() -> None:
    running = assessed().step()
    changed = running.model(serving={"resources": {"limits": {"cpu": "2", "memory": "1Gi"}}})
    decision = changed.decide()
    assert decision.deletions.jobs == (running.snapshot.jobs[0].name,)
    assert decision.variants.keys().isdisjoint(running.snapshot.variants)


@pytest.mark.parametrize("classes", [("x86",), ("x86", "arm")])
def test_deciding_twice_changes_nothing_more(classes: tuple[str, ...]) -> None:
    settled = built(*classes).settle()
    assert settled.step().snapshot == settled.snapshot


def test_a_transition_time_moves_only_with_the_status() -> None:
    made = built().settle()
    before = condition_of(made.snapshot.model.status.conditions, "Ready")
    after = condition_of(made.later(60).decide().status.conditions, "Ready")
    assert before is not None
    assert after is not None
    assert before.last_transition_time == after.last_transition_time == NOW


def test_a_target_that_leaves_the_spec_loses_its_route_before_its_daemonsets() -> None:
    made = built("x86").settle()
    leaving = made.model(targets=[{"hardwareClassName": "arm"}])
    decision = leaving.decide()
    assert decision.deletions.routes == ("x86",)
    assert not decision.deletions.daemonsets
    gone = leaving.step()
    assert gone.decide().deletions.daemonsets == tuple(made.snapshot.daemonsets["x86"])


def test_names_that_others_hold_are_reported_first() -> None:
    made = built().with_(conflicts=("Service intent",))
    status, reason, message = ready(made)
    assert (status, reason) == (ConditionStatus.FALSE, "NameConflict")
    assert "Service intent" in message


def test_a_retry_is_honored_once_the_tags_are_resolved() -> None:
    asked = built().settle().annotated(retry="7")
    assert asked.with_(pins=Pins()).decide().status.retry_nonce is None
    assert asked.decide().status.retry_nonce == "7"


@pytest.mark.parametrize("length", [1, 64, 65, 100_000])
def test_a_retry_of_any_length_is_honored_once(length: int) -> None:
    asked = built().settle().annotated(retry="x" * length).settle()
    honored = asked.snapshot.model.status.retry_nonce
    assert honored is not None
    assert len(honored) <= 64
    other = asked.annotated(retry="x" * (length - 1) + "y").settle()
    assert other.snapshot.model.status.retry_nonce != honored


def test_a_child_that_can_not_be_read_is_reported_and_what_serves_stays() -> None:
    made = built().settle()
    held = made.with_(unreadable=("ModelVariant t/old can't be read: spec.engine: is missing",))
    status, reason, message = ready(held)
    assert (status, reason) == (ConditionStatus.FALSE, "NotReadable")
    assert "ModelVariant t/old" in message
    assert held.decide().routes == made.decide().routes


def test_a_class_that_can_not_be_read_is_reported_and_what_serves_stays() -> None:
    made = built("x86").settle()
    held = made.with_(
        classes={}, unreadable_classes={"x86": "HardwareClass x86 can't be read: why"}
    )
    status, reason, message = ready(held)
    assert (status, reason) == (ConditionStatus.FALSE, "NotReadable")
    assert "HardwareClass x86 can't be read: why" in message
    assert held.decide().routes == made.decide().routes
    assert held.decide().deletions.daemonsets == ()


def test_the_address_has_the_ways_without_dns() -> None:
    made = world()
    gateway = replace(made.snapshot.gateway, cluster_ip="10.0.0.9", node_port=30080)
    address = made.with_(gateway=gateway).decide().status.address
    assert address is not None
    assert address.url == "http://intent.assist.svc"
    assert address.cluster_ip_url == "http://10.0.0.9/assist/intent"
    assert address.node_port_url == "http://NODE:30080/assist/intent"
