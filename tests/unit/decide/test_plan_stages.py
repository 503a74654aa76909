"""What the states of a job's containers tell people."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from skerry.api.modelvariant import StageOutcome
from skerry.decide.build.stages import current_stage, failure, stage_statuses, trouble
from skerry.decide.snapshot import ContainerPhase, ContainerView, JobView, PodView
from skerry.stage import Stage
from tests.unit.decide.plan_world import NOW, ended

JOB = JobView("intent-1", "work", "1/", NOW)
POD = PodView("intent-1-x", NOW, "edge-7")


def waiting(reason: str, message: str = "") -> ContainerView:
    return ContainerView("quantization", ContainerPhase.WAITING, reason, message)


def test_stages_follow_their_containers() -> None:
    running = ContainerView("format-conversion", ContainerPhase.RUNNING, started_at=NOW)
    containers = (ended("find-finished", ""), ended("baseline-measurement", "12 ms"), running)
    stages = stage_statuses(replace(POD, containers=containers))
    assert [stage.outcome for stage in stages] == [
        StageOutcome.SUCCEEDED, StageOutcome.RUNNING,
        StageOutcome.PENDING, StageOutcome.PENDING, StageOutcome.PENDING,
    ]  # fmt: skip
    assert stages[0].message == "12 ms"
    assert stages[0].start_time == stages[0].completion_time == NOW


PENDING, RUNNING = StageOutcome.PENDING, StageOutcome.RUNNING
SUCCEEDED, FAILED = StageOutcome.SUCCEEDED, StageOutcome.FAILED


def container(name: str, state: str) -> ContainerView | None:
    """Return a container; quality runs from minute 0 to 1, validation from 2 to 3."""
    begins = NOW + timedelta(minutes=0 if name == "quality" else 2)
    ends = begins + timedelta(minutes=1)
    views = {
        "waits": ContainerView(name, ContainerPhase.WAITING, "PodInitializing"),
        "runs": ContainerView(name, ContainerPhase.RUNNING, started_at=begins),
        "is done": replace(ended(name, f"{name} done"), started_at=begins, finished_at=ends),
        "fails": replace(ended(name, f"{name} broke\n", 1), started_at=begins, finished_at=ends),
    }
    return views.get(state)


@pytest.mark.parametrize(
    ("quality", "validation", "outcome", "minutes", "message"),
    [
        ("is missing", "is missing", PENDING, (None, None), ""),
        ("waits", "waits", PENDING, (None, None), ""),
        ("runs", "waits", RUNNING, (0, None), ""),
        ("is done", "waits", RUNNING, (0, None), "quality done"),
        ("is done", "runs", RUNNING, (0, None), ""),
        ("is done", "is done", SUCCEEDED, (0, 3), "validation done"),
        ("is done", "fails", FAILED, (0, 3), "validation: validation broke"),
        # A job of a release that had one container for both.
        ("is missing", "is done", SUCCEEDED, (2, 3), "validation done"),
        ("fails", "waits", FAILED, (0, 1), "quality: quality broke"),
        ("fails", "is missing", FAILED, (0, 1), "quality: quality broke"),
    ],
)
def test_validation_spans_what_judges_and_what_times(
    quality: str,
    validation: str,
    outcome: StageOutcome,
    minutes: tuple[int | None, int | None],
    message: str,
) -> None:
    views = (container("quality", quality), container("validation", validation))
    pod = replace(POD, containers=tuple(view for view in views if view))
    stages = stage_statuses(pod)
    assert [stage.name for stage in stages] == list(Stage)
    found = stages[-1]
    assert (found.outcome, found.message) == (outcome, message)
    expected = [None if m is None else NOW + timedelta(minutes=m) for m in minutes]
    assert [found.start_time, found.completion_time] == expected


@pytest.mark.parametrize(
    ("quality", "validation", "said"),
    [
        ("waits", "waits", ""),
        ("runs", "waits", "quality"),
        ("is done", "waits", "validation"),
        ("fails", "waits", "quality"),
        ("is done", "runs", "validation"),
        ("is done", "is done", "validation"),
    ],
)
def test_a_pod_is_at_a_stage_also_between_two(quality: str, validation: str, said: str) -> None:
    """Containers take seconds to start; a job that is at its end does not seem to begin again."""
    views = (container("quality", quality), container("validation", validation))
    assert current_stage(replace(POD, containers=tuple(view for view in views if view))) == said


def test_without_a_pod_there_is_no_stage() -> None:
    assert current_stage(None) == ""


def test_a_stage_of_one_container_does_not_repeat_its_name() -> None:
    pod = replace(POD, containers=(ended("quantization", "no MatMul", 1),))
    assert stage_statuses(pod)[2].message == "no MatMul"


def test_without_a_pod_all_stages_are_pending() -> None:
    assert {stage.outcome for stage in stage_statuses(None)} == {StageOutcome.PENDING}


@pytest.mark.parametrize(
    ("pod", "reason", "words"),
    [
        (replace(POD, unschedulable="0/2 nodes: Insufficient cpu"), "Unschedulable", "Insufficient cpu"),
        (
            replace(POD, containers=(waiting("ImagePullBackOff", "manifest unknown"),)),
            "ImagePullFailed", "manifest unknown",
        ),
        (
            replace(POD, containers=(waiting("CreateContainerConfigError", "no secret x"),)),
            "ContainerNotCreated", "no secret x",
        ),
    ],
)  # fmt: skip
def test_what_keeps_a_job_from_getting_on(pod: PodView, reason: str, words: str) -> None:
    found = trouble(replace(JOB, pods=(pod,)))
    assert found is not None
    assert found.reason == reason
    assert words in found.message


def test_a_container_that_waits_its_turn_is_no_trouble() -> None:
    pod = replace(POD, containers=(waiting("PodInitializing"),))
    assert trouble(replace(JOB, pods=(pod,))) is None


@pytest.mark.parametrize(
    ("container", "reason", "words"),
    [
        (
            ended("quantization", "no MatMul in /source", 1, "Error"),
            "StageFailed",
            "no MatMul in /source",
        ),
        (ended("quantization", "", 137, "OOMKilled"), "OOMKilled", "builds.resources.memory"),
        (ended("quality", "", 137, "OOMKilled"), "OOMKilled", "builds.resources.memory"),
        (
            ended("validation", "", 137, "OOMKilled"),
            "OOMKilled",
            "spec.serving.resources.limits.memory",
        ),
        (ended("pack", "", 3, "Error"), "StageFailed", "exit code 3"),
        (ended("baseline-measurement", "no labels", 4, "Error"), "EvaluationUnusable", "no labels"),
        (ended("assess", "damaged", 5, "Error"), "SourceUnusable", "damaged"),
    ],
)
def test_a_failed_job_names_stage_pod_node_and_what_to_do(
    container: ContainerView, reason: str, words: str
) -> None:
    pod = replace(POD, containers=(container,))
    job = replace(JOB, pods=(pod,), failure=("BackoffLimitExceeded", "too often"))
    found = failure(job, "spec.optimization.search.timeLimit").cause
    assert found.reason == reason
    assert words in found.message
    for name in (container.name, POD.name, "edge-7"):
        assert name in found.message


def test_a_deadline_says_what_to_raise_and_what_it_hung_on() -> None:
    pod = replace(POD, unschedulable="Insufficient memory")
    job = replace(JOB, pods=(pod,), failure=("DeadlineExceeded", ""))
    found = failure(job, "spec.optimization.search.timeLimit").cause
    assert found.reason == "DeadlineExceeded"
    assert "raise spec.optimization.search.timeLimit" in found.message
    assert "Insufficient memory" in found.message
