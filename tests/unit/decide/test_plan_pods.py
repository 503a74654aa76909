"""What an EdgeModel's conditions say of pods that are not there: of jobs, and of revisions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from skerry.api.edgemodel import Phase
from skerry.decide.conditions import condition_of
from skerry.decide.pods.absent import GRACE
from skerry.decide.rollout import NodeView
from skerry.decide.snapshot import Absence, ContainerPhase, ContainerView, EventView, PodView
from tests.unit.decide.plan_world import NOW, World, assessed, built, world

if TYPE_CHECKING:
    from skerry.decide.decision import Decision

QUOTA = EventView(
    "FailedCreate",
    'Error creating: pods "x-z" is forbidden: exceeded quota: full, requested: pods=1, used: pods=5',
    NOW,
)
MOUNT = EventView(
    "FailedMount", 'MountVolume.SetUp failed for volume "docker" : secret "push" not found', NOW
)
CREATING = ContainerView("assess", ContainerPhase.WAITING, "ContainerCreating")


def said(decision: Decision, kind: str) -> tuple[str, str]:
    """Return reason and message of a condition; empty texts without it."""
    found = condition_of(decision.status.conditions, kind)
    return (found.reason, found.message) if found else ("", "")


def stuck_pod(*events: EventView) -> PodView:
    return PodView("p", NOW, "x86-1", containers=(CREATING,), uid="p", events=events)


STAGES = {
    "assess": lambda: world().step(),
    "build": lambda: assessed().step(),
    "fetch": lambda: world(source={"uri": "https://models.example/m.onnx"}).step(),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_whose_pod_is_refused_stalls_with_the_reason(stage: str) -> None:
    made = STAGES[stage]()
    decision = made.job(namespace="assist", events=(QUOTA,)).decide()
    assert decision.status.phase in {Phase.OPTIMIZING, Phase.PENDING}
    for kind in ("Ready", "Stalled"):
        reason, message = said(decision, kind)
        assert reason == "PodsForbidden"
        assert "exceeded quota: full" in message
        assert "ResourceQuota full of namespace assist must have room for it" in message
    assert said(decision, "Reconciling") == ("", "")


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_whose_pod_waits_for_a_secret_stalls_with_its_name(stage: str) -> None:
    decision = STAGES[stage]().job(namespace="assist", pods=(stuck_pod(MOUNT),)).decide()
    reason, message = said(decision, "Stalled")
    assert reason == "VolumeNotMounted"
    assert 'secret "push" not found; create that secret in namespace assist' in message


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_without_a_running_pod_does_nothing_yet(stage: str) -> None:
    """It says that it starts, and is looked at again: Events are not watched."""
    made = STAGES[stage]()
    for pods in ((), (stuck_pod(),)):
        decision = made.job(pods=pods).decide()
        _, message = said(decision, "Ready")
        assert " is starting" in message
        assert " reads " not in message
        assert " checks " not in message
        assert said(decision, "Stalled") == ("", "")
        assert decision.requeue_after == GRACE.total_seconds()


def test_a_job_that_runs_does_what_it_says() -> None:
    running = ContainerView("assess", ContainerPhase.RUNNING, started_at=NOW)
    decision = (
        world().step().job(pods=(PodView("p", NOW, "x86-1", containers=(running,)),)).decide()
    )
    assert "reads the source" in said(decision, "Ready")[1]
    assert decision.requeue_after is None


def test_a_variant_stalls_with_its_job() -> None:
    decision = assessed().step().job(events=(QUOTA,)).decide()
    (status,) = decision.variant_statuses.values()
    stalled = condition_of(status.conditions, "Stalled")
    assert stalled is not None
    assert stalled.reason == "PodsForbidden"


def rolling_out() -> World:
    """Return a world where the first revision's wave is open on x86-1, whose pod does not come."""
    return built().settle()


def absence(made: World, **more: object) -> Absence:
    (target,) = made.snapshot.model.status.targets
    revision = target.rollout.candidate or target.rollout.stable or ""
    found = Absence("x86-1", revision, f"intent-{revision}", NOW - GRACE)
    return replace(found, **more)  # type: ignore[arg-type]


def test_a_refused_pod_of_a_revision_is_in_every_condition_that_waits_for_it() -> None:
    made = rolling_out()
    decision = made.with_(absences={"x86": (absence(made, events=(QUOTA,)),)}).decide()
    for kind in ("Ready", "RolledOut", "Stalled"):
        reason, message = said(decision, kind)
        assert reason == "PodsForbidden"
        assert "x86-1: its pod was refused" in message
        assert "ResourceQuota full of namespace assist must have room for it" in message
    reason, message = said(decision, "Available")
    assert reason == "NotAnswering"
    assert "0 of 1 reachable nodes answer; x86-1: its pod was refused" in message
    (target,) = decision.status.targets
    assert target.rollout.offenders == ("x86-1",)
    assert target.rollout.wave is not None
    assert "exceeded quota: full" in target.rollout.wave.message
    assert len(target.message) < 400


def test_one_device_that_cannot_pull_does_not_stall_the_model_before_the_deadline() -> None:
    made = rolling_out()
    waits = ContainerView("runtime", ContainerPhase.WAITING, "ImagePullBackOff", "not found")
    pod = PodView("p", NOW, "x86-1", containers=(waits,))
    decision = made.with_(absences={"x86": (absence(made, pod=pod),)}).decide()
    assert said(decision, "Ready")[0] == "ImagePullFailed"
    assert said(decision, "Reconciling")[0] == "ImagePullFailed"
    assert said(decision, "Stalled") == ("", "")


def test_a_pod_that_is_not_there_is_looked_at_again_and_rarely_later() -> None:
    made = rolling_out()
    young, old = absence(made, since=NOW), absence(made, since=NOW - 10 * GRACE)
    times = [made.with_(absences={"x86": (one,)}).decide().requeue_after for one in (young, old)]
    assert times[0] == GRACE.total_seconds()
    assert times[1] is None or times[1] > GRACE.total_seconds()


def test_a_class_with_a_node_that_is_left_out_is_ready_and_names_it() -> None:
    made = built().with_(
        nodes={"x86": (NodeView("x86-2", 1, reachable=True, left_out="taint a:NoSchedule"),)}
    )
    decision = made.settle().decide()
    reason, message = said(decision, "Ready")
    assert reason == "NodesLeftOut"
    assert "x86-2: taint a:NoSchedule" in message
    assert said(decision, "Stalled")[0] == "NodesLeftOut"
    assert said(decision, "Available")[0] == "NoReachableNodes"
