"""A model that is applied again is served without a job: what was done for it lies in the real registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skerry.api.common import LABEL_COMPONENT
from skerry.cluster import kinds
from skerry.decide.build.identity import assessment_key
from skerry.jobs.plans import JobPlan
from skerry.jobs.registry import (
    ANNOTATION_PART,
    ANNOTATION_RESULT,
    PART_ASSESSMENT,
    PART_EVIDENCE,
    assessment_tag,
    evidence_tag,
)
from tests.cluster.devices import assessment_of
from tests.cluster.pod_states import environment
from tests.cluster.world import (
    CLASSES,
    NAME,
    ROLLOUT_SECONDS,
    manifest,
    push_image,
)
from tests.waiting import wait_for

if TYPE_CHECKING:
    from tests.cluster.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(200)]


def push_result(world: World, tag: str, part: str, result: str) -> None:
    """Push what a job leaves in the registry at its end."""
    annotations = {ANNOTATION_PART: part, ANNOTATION_RESULT: result}
    push_image(world.registry, "skerry/builds", tag, [(tag.encode(), annotations)])


def keep_results(world: World) -> None:
    """Push what the containers of the jobs, which are only played, would have pushed."""
    source = world.model().status.artifacts[0].digest
    assert source is not None
    for job in world.api.list(kinds.JOB, world.namespace, f"{LABEL_COMPONENT}=optimizer"):
        variables = environment(job["spec"]["template"]["spec"]["containers"][0])
        plan = JobPlan.model_validate_json(variables["SKERRY_PLAN"])
        summary = world.devices.summary(plan).model_copy(update={"artifact": None})
        text = summary.model_dump_json(by_alias=True)
        push_result(world, evidence_tag(plan.evidence_key), PART_EVIDENCE, text)
        key = assessment_key(
            source, plan.evaluation, engine=plan.engine, engine_version=plan.engine_version
        )
        assessment = assessment_of(source, plan.evaluation)
        push_result(world, assessment_tag(key), PART_ASSESSMENT, assessment)


def test_what_was_certified_before_is_served_again_without_a_job(world: World) -> None:
    world.kubectl.apply(manifest(world.registry, NAME))
    world.until_ready(1)
    first = {name: world.route(name).spec.stable for name in CLASSES}
    keep_results(world)

    world.kubectl("delete", "edgemodel", NAME, "--wait=true")
    wait_for(
        "all that was the model's to be gone",
        lambda: [
            item
            for kind in (kinds.JOB, kinds.MODEL_VARIANT, kinds.DAEMON_SET, kinds.MODEL_ROUTE)
            for item in world.api.list(kind, world.namespace)
        ],
        lambda items: not items,
        ROLLOUT_SECONDS,
    )
    world.kubectl.apply(manifest(world.registry, NAME))
    model = world.until_ready(1)
    assert world.api.list(kinds.JOB, world.namespace) == []
    variants = world.api.list(kinds.MODEL_VARIANT, world.namespace)
    assert [v["status"]["reused"] for v in variants] == [True, True]
    assert model.status.assessment is not None
    # Another image than the played jobs named, so other revisions, of the image that is there.
    for name, before in first.items():
        stable = world.route(name).spec.stable
        assert stable is not None
        assert stable != before
    images = {v["status"]["artifact"]["image"].partition("@")[0] for v in variants}
    assert images == {f"{world.registry}/skerry/builds"}


def test_other_limits_are_measured_by_a_job(world: World) -> None:
    generation = world.serve("600m")
    world.until_ready(generation)
    jobs = world.api.list(kinds.JOB, world.namespace, f"{LABEL_COMPONENT}=optimizer")
    assert len(jobs) == len(CLASSES)
