"""A stage is one entry of a table: what the operator renders, shows and advises, and what images run, follows."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from dataclasses import replace
from pathlib import Path

import pytest

from skerry.api.config import Delivery
from skerry.decide.build import stages as diagnosis
from skerry.decide.snapshot import ContainerPhase, ContainerView, PodView
from skerry.jobs import stages
from skerry.jobs.results import MESSAGE_BYTES
from skerry.jobs.stages import (
    ASSESS_STAGES,
    CONTAINER_MESSAGE_BYTES,
    FETCH_STAGES,
    JOBS,
    OTHER_CONTAINERS,
    POD_MESSAGE_BYTES,
    STAGES,
    StageImage,
    StageLimits,
    StageSpec,
    memory_setting,
    message_bytes,
    stages_in,
)
from skerry.render import jobs as rendering
from skerry.render.image_volumes import delivered
from skerry.render.jobs import optimization_job
from skerry.stage import Stage
from tests.unit.decide.plan_world import CONFIG, NOW, ended
from tests.unit.render.test_objects import OWNER, build_job

OPERATOR = Path(__file__).parents[3] / "operator" / "skerry"
EVERY = [spec for job in JOBS for spec in job]
NEW = StageSpec(
    "profile", "profile", StageImage.RUNTIME, "skerry_runtime.measure.profile:profile",
    limits=StageLimits.SERVING, shown_as=Stage.VALIDATION,
)  # fmt: skip


@pytest.mark.parametrize("spec", EVERY, ids=lambda spec: spec.name)
def test_every_stage_has_a_function_in_the_package_that_runs_it(spec: StageSpec) -> None:
    module, _, name = spec.program.partition(":")
    assert module.startswith(f"{spec.image.value}.")
    function = pkgutil.resolve_name(spec.program)
    returned = inspect.signature(function).return_annotation
    assert (function.__name__, returned) == (name, "str")
    assert stages_in(spec.image)[spec.argument] is spec
    assert pkgutil.resolve_name(f"{spec.image.value}.__main__:main")


def test_names_and_arguments_tell_stages_apart() -> None:
    assert len({spec.name for spec in EVERY}) == len(EVERY)
    assert sum(len(stages_in(image)) for image in StageImage) == len(EVERY)


def test_every_stage_that_users_see_is_run_in_its_order() -> None:
    shown = [spec.shown_as for spec in STAGES if spec.shown_as is not None]
    assert list(dict.fromkeys(shown)) == list(Stage)


def test_the_containers_are_the_stages() -> None:
    pod = optimization_job(OWNER, build_job(), CONFIG)["spec"]["template"]["spec"]
    containers = [*pod["initContainers"], *pod["containers"]]
    assert [one["name"] for one in containers] == [spec.name for spec in STAGES]
    assert [tuple(one["command"]) for one in containers] == [spec.command for spec in STAGES]


@pytest.mark.parametrize("job", JOBS, ids=("assess", "optimize", "fetch"))
def test_the_kubelet_keeps_every_containers_message_with_one_container_more(
    job: tuple[StageSpec, ...],
) -> None:
    (limit,) = {message_bytes(spec) for spec in job}
    assert limit <= CONTAINER_MESSAGE_BYTES
    containers = len(job) + OTHER_CONTAINERS
    assert limit * containers <= POD_MESSAGE_BYTES
    assert (limit + 1) * containers > POD_MESSAGE_BYTES or limit == CONTAINER_MESSAGE_BYTES


def test_the_pods_that_pull_themselves_keep_every_message_whole() -> None:
    """With artifacts.delivery InitContainer two containers come before the stages."""
    pulled = CONFIG.model_copy(
        update={
            "artifacts": CONFIG.artifacts.model_copy(update={"delivery": Delivery.INIT_CONTAINER})
        }
    )
    rendered = delivered(optimization_job(OWNER, build_job(), pulled), pulled)
    pod = rendered["spec"]["template"]["spec"]
    containers = len(pod["initContainers"]) + len(pod["containers"])
    assert containers > len(STAGES)
    assert MESSAGE_BYTES * containers <= POD_MESSAGE_BYTES


def test_messages_have_the_room_that_they_had() -> None:
    """What a release may say to the operator of the same release does not shrink unseen."""
    found = [message_bytes(job[0]) for job in (ASSESS_STAGES, STAGES, FETCH_STAGES)]
    assert found == [3072, 1117, 2457]


def test_a_stage_that_is_added_to_the_table_is_rendered_shown_and_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One edit: no other table knows the stages. Modules that hold the tuple are given the longer one."""
    longer = (*STAGES[:-1], NEW, STAGES[-1])
    monkeypatch.setattr(stages, "JOBS", (ASSESS_STAGES, longer, FETCH_STAGES))
    for module in (rendering, diagnosis):
        monkeypatch.setattr(module, "STAGES", longer)

    pod = optimization_job(OWNER, build_job(), CONFIG)["spec"]["template"]["spec"]
    made = pod["initContainers"][-1]
    assert made["command"] == ["python3", "-m", "skerry_runtime.measure", "profile"]
    assert made["image"] == CONFIG.engines["ONNXRuntime"].runtime_image
    measuring = pod["initContainers"][1]["resources"]
    assert made["resources"] == measuring
    assert pod["containers"][0]["name"] == "pack"

    done = tuple(ended(spec.name, f"{spec.name} done") for spec in STAGES[:-1])
    running = ContainerView("profile", ContainerPhase.RUNNING, started_at=NOW)
    view = PodView("pod", NOW, "node", containers=(*done, running))
    assert diagnosis.stage_statuses(view)[-1].outcome == "Running"
    over = replace(view, containers=(*done, ended("profile", "profiled")))
    assert diagnosis.stage_statuses(over)[-1].message == "profiled"

    assert stages_in(StageImage.RUNTIME)["profile"] is NEW
    assert memory_setting("profile") == "spec.serving.resources.limits.memory"
    assert message_bytes(NEW) == POD_MESSAGE_BYTES // (len(STAGES) + 1 + OTHER_CONTAINERS)


def test_a_container_that_is_not_ours_is_advised_by_the_builds_limit() -> None:
    assert memory_setting("pull-source") == "the chart's builds.resources.memory"


def test_no_other_place_of_the_operator_names_a_stage() -> None:
    """A second list of stages would have to be kept equal by hand."""
    names = {spec.name for spec in STAGES} - {
        "quality",
        "validation",
        "pack",
    }  # words of other things too
    names |= {spec.program for spec in EVERY}
    found = [
        f"{file.relative_to(OPERATOR)}: {node.value}"
        for file in sorted(OPERATOR.rglob("*.py"))
        if file != OPERATOR / "jobs" / "stages.py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert found == []
