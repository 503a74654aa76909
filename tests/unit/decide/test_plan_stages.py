"""What the states of a job's containers tell people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skerry.api.modelvariant import StageOutcome
from skerry.decide.snapshot import ContainerPhase, ContainerView, JobView, PodView
from skerry.decide.stages import failure, stage_statuses, trouble
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
    assert stages[0].started_at == stages[0].finished_at == NOW


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
        (
            ended("validation", "", 137, "OOMKilled"),
            "OOMKilled",
            "spec.serving.resources.limits.memory",
        ),
        (ended("pack", "", 3, "Error"), "StageFailed", "exit code 3"),
    ],
)
def test_a_failed_job_names_stage_pod_node_and_what_to_do(
    container: ContainerView, reason: str, words: str
) -> None:
    pod = replace(POD, containers=(container,))
    job = replace(JOB, pods=(pod,), failure=("BackoffLimitExceeded", "too often"))
    found = failure(job, "spec.optimization.search.timeLimit")
    assert found.reason == reason
    assert words in found.message
    for name in (container.name, POD.name, "edge-7"):
        assert name in found.message


def test_a_deadline_says_what_to_raise_and_what_it_hung_on() -> None:
    pod = replace(POD, unschedulable="Insufficient memory")
    job = replace(JOB, pods=(pod,), failure=("DeadlineExceeded", ""))
    found = failure(job, "spec.optimization.search.timeLimit")
    assert found.reason == "DeadlineExceeded"
    assert "raise spec.optimization.search.timeLimit" in found.message
    assert "Insufficient memory" in found.message
