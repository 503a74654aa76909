"""Finished work in the registry is looked up before a job does it again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skerry.api.edgemodel import Phase
from skerry.api.facts import ClassFacts, Share
from skerry.decide.conditions import condition_of
from skerry.decide.decision import AssessJob, BuildJob
from skerry.decide.snapshot import Finished
from skerry.jobs.results import JobSummary
from tests.unit.decide.plan_world import (
    ASSESSMENT,
    CONFIG,
    DATASET,
    SOURCE,
    World,
    assessed,
    recipe_result,
    summary,
    world,
)

DIGEST = "sha256:" + "e" * 64


def unasked(made: World) -> World:
    """Return the same, before anything was looked up."""
    return made.with_(finished={})


def answered(made: World, *results: str | None) -> World:
    """Return the world after its decision is written and its lookups are answered."""
    tags = made.decide().lookups
    assert len(tags) == len(results)
    found = [Finished(DIGEST, result) if result is not None else None for result in results]
    known = {**made.snapshot.finished, **dict(zip(tags, found, strict=True))}
    return made.step().with_(finished=known)


def result(*, passed: bool = True) -> str:
    """Return what a job leaves: an image can't name itself."""
    text = summary(recipe_result(), passed=passed).model_copy(update={"artifact": None})
    return text.model_dump_json(by_alias=True)


def test_a_source_that_was_read_before_is_not_read_again() -> None:
    decision = unasked(world()).decide()
    assert (len(decision.lookups), decision.jobs) == (1, ())
    assert {target.reason for target in decision.status.targets} == {"LookingUpResults"}
    known = answered(unasked(world()), ASSESSMENT.model_dump_json(by_alias=True))
    assert known.decide().status.assessment == ASSESSMENT


@pytest.mark.parametrize(
    "found",
    [
        None,
        "half a {",
        ASSESSMENT.model_copy(update={"source_digest": DATASET.digest}).model_dump_json(),
        ASSESSMENT.model_copy(update={"dataset": None}).model_dump_json(),
    ],
)
def test_without_a_right_assessment_a_job_reads_the_source(found: str | None) -> None:
    (job,) = answered(unasked(world()), found).decide().jobs
    assert isinstance(job, AssessJob)
    assert job.plan.source_digest == SOURCE.digest


def test_another_release_of_the_engine_asks_for_another_assessment() -> None:
    newer = CONFIG.engines["ONNXRuntime"].model_copy(update={"version": "1.33.0"})
    config = CONFIG.model_copy(update={"engines": {"ONNXRuntime": newer}})
    tags = {unasked(world()).with_(config=c).decide().lookups for c in (CONFIG, config)}
    assert len(tags) == 2


def test_what_was_built_and_certified_before_is_served_without_a_job() -> None:
    asked = unasked(assessed())
    assert (len(asked.decide().lookups), asked.decide().jobs) == (1, ())
    decision = answered(asked, result()).decide()
    assert decision.jobs == ()
    (status,) = decision.variant_statuses.values()
    assert status.reused
    assert status.artifact is not None
    assert status.artifact.image == f"reg.example:5000/skerry/builds@{DIGEST}"
    certified = condition_of(status.conditions, "Certified")
    assert certified is not None
    assert certified.status == "True"
    (plan,) = decision.daemonsets
    assert plan.served is not None
    assert plan.served.image == status.artifact.image


def test_gates_that_were_missed_before_are_missed_without_a_job() -> None:
    decision = answered(unasked(assessed()), result(passed=False)).decide()
    assert decision.jobs == ()
    assert decision.daemonsets == ()
    assert decision.status.phase is Phase.FAILED
    (status,) = decision.variant_statuses.values()
    assert (status.reused, status.artifact) == (True, None)


@pytest.mark.parametrize("found", [None, "half a {", "zlib:nonsense"])
def test_without_a_result_that_can_be_read_the_job_starts(found: str | None) -> None:
    (job,) = answered(unasked(assessed()), found).decide().jobs
    assert isinstance(job, BuildJob)


def test_an_answer_waits_for_the_variant_that_it_is_written_to() -> None:
    asked = unasked(assessed())
    (tag,) = asked.decide().lookups
    decision = asked.with_(finished={tag: Finished(DIGEST, result())}).decide()
    assert (decision.jobs, decision.variant_statuses, len(decision.variants)) == ((), {}, 1)


def test_classes_of_unknown_hardware_have_evidence_of_their_own() -> None:
    asked = unasked(assessed("x86", "arm"))
    half = answered(asked, result(), None)
    (job,) = half.decide().jobs
    assert isinstance(job, BuildJob)
    assert job.plan.hardware_class == "arm"
    assert [one.phase for one in half.decide().status.targets][1] is Phase.OPTIMIZING


FACTS = ClassFacts(
    reported=1, architectures=(Share(value="amd64", nodes=1),), cpus=(Share(value="Xeon", nodes=1),)
)


def alike(made: World, *, room: int = 2) -> World:
    """Return the same, where all classes have the same processor, with room for several jobs."""
    classes = {
        name: one.model_copy(update={"status": one.status.model_copy(update={"facts": FACTS})})
        for name, one in made.snapshot.classes.items()
    }
    builds = CONFIG.builds.model_copy(update={"max_concurrent": room})
    config = CONFIG.model_copy(update={"builds": builds})
    return made.with_(classes=classes, config=config)


def test_classes_of_the_same_hardware_are_measured_once() -> None:
    (job,) = alike(assessed("x86-a", "x86-b")).decide().jobs
    assert isinstance(job, BuildJob)
    assert job.plan.hardware_class == "x86-a"
    running = alike(assessed("x86-a", "x86-b")).step()
    assert running.decide().jobs == ()
    waiting = running.decide().status.targets[1]
    assert (waiting.phase, waiting.reason) == (Phase.OPTIMIZING, "BuildShared")
    assert "class x86-a" in waiting.message


def test_the_class_that_waited_takes_the_evidence_and_says_where_it_comes_from() -> None:
    running = alike(assessed("x86-a", "x86-b")).step()
    said = summary(recipe_result()).model_copy(update={"hardware_class": "x86-a", "node": "node-1"})
    done = unasked(running.job_ends(said.model_dump_json(by_alias=True)))
    left = said.model_copy(update={"artifact": None}).model_dump_json(by_alias=True)
    decision = answered(done, left).decide()
    assert decision.jobs == ()
    statuses = {
        name: status for name, status in decision.variant_statuses.items() if "x86-b" in name
    }
    (status,) = statuses.values()
    assert (status.reused, status.node_name) == (True, "node-1")
    certified = condition_of(status.conditions, "Certified")
    assert certified is not None
    assert certified.message.endswith(
        "node node-1 of class x86-a, whose nodes have the same hardware"
    )


def test_the_class_that_waited_builds_when_the_job_has_failed() -> None:
    running = alike(assessed("x86-a", "x86-b")).step()
    (job,) = running.job(failure=("BackoffLimitExceeded", "it failed")).decide().jobs
    assert isinstance(job, BuildJob)
    assert job.plan.hardware_class == "x86-b"


def test_a_namespace_finds_what_another_has_measured() -> None:
    made = alike(unasked(assessed()))
    metadata = made.snapshot.model.metadata.model_copy(
        update={"namespace": "other", "name": "copy", "uid": "u2"}
    )
    other = made.with_(model=made.snapshot.model.model_copy(update={"metadata": metadata}))
    assert made.decide().lookups == other.decide().lookups


def test_a_running_job_is_waited_for_whatever_the_registry_holds() -> None:
    running = assessed().step()
    (job,) = running.snapshot.jobs
    known = unasked(running)
    assert (known.decide().lookups, known.decide().jobs) == ((), ())
    assert job.name in {one.name for one in known.step().snapshot.jobs}


def test_a_suspended_model_asks_for_nothing_new() -> None:
    suspended = unasked(world(suspend=True))
    assert (suspended.decide().lookups, suspended.decide().jobs) == ((), ())


def test_a_class_without_nodes_waits_for_one_first() -> None:
    bare = unasked(assessed()).with_(nodes={})
    assert (bare.decide().lookups, bare.decide().jobs) == ((), ())


def test_what_a_job_would_say_and_what_is_looked_up_come_to_the_same_revision() -> None:
    text = JobSummary.model_validate_json(result())
    by_job = assessed().step().job_ends(summary(recipe_result()).model_dump_json(by_alias=True))
    looked_up = answered(unasked(assessed()), text.model_dump_json(by_alias=True))
    image = summary(recipe_result()).artifact
    assert image is not None
    found = {
        tag: replace(one, digest=image.digest)
        for tag, one in looked_up.snapshot.finished.items()
        if one
    }
    same = looked_up.with_(finished=found)
    assert {p.revision for p in same.decide().daemonsets} == {
        p.revision for p in by_job.decide().daemonsets
    }
