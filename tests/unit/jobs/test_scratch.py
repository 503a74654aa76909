"""The files between stages: read as they were written, in the folders that the operator mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.modelvariant import RecipeOutcome
from skerry.jobs import names
from skerry.jobs.ending import finished_before
from skerry.jobs.errors import StageError
from skerry.jobs.files import BaselineFile, CandidateFile, JudgedFile, Screening, Validation
from skerry.jobs.results import JobSummary
from skerry.jobs.scratch import Workspace
from skerry.precision import Precision
from skerry.render.fetch_jobs import fetch_job
from skerry.render.jobs import assess_job, optimization_job
from tests.unit.render.test_fetch_jobs import PUSHING
from tests.unit.render.test_objects import OWNER, a_fetch_job, build_job, the_assess_job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASELINE = BaselineFile(
    engine_version="1", inputs=(), outputs=(), p50_milliseconds=1.5,
    empty_peaks=(1,), baseline_peaks=(2,), anonymous_bytes=3,
)  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return an empty pod."""
    found = Workspace(*(tmp_path / name for name in ("source", "dataset", "scratch")))
    found.measure.mkdir(parents=True)
    return found


def test_what_a_stage_writes_another_reads(workspace: Workspace) -> None:
    judged, found = (
        JudgedFile(count=3, seen=2),
        Validation(recipe_results=(), message="none passed"),
    )
    candidate = CandidateFile(
        recipe="int8", precision=Precision.INT8, outcome=RecipeOutcome.MEASURED
    )
    workspace.write_baseline(BASELINE)
    workspace.write_judged("choice", "int8", judged)
    workspace.write_validation(found)
    raced = Screening(recipe_results=(), baseline_peaks=(4,))
    workspace.write_screening(raced)
    assert workspace.read_screening() == raced
    assert workspace.has_judged("choice", "int8")
    assert not workspace.has_judged("certification", "int8")
    workspace.write_candidate(candidate)
    workspace.write_found(JobSummary(chosen="int8"))
    assert workspace.read_baseline() == BASELINE
    assert workspace.read_judged("choice", "int8") == judged
    assert workspace.read_validation() == found
    assert workspace.read_candidates() == workspace.built_candidates() == [candidate]
    assert workspace.read_found().chosen == "int8"


def test_a_candidate_keeps_the_place_in_which_it_was_tried(workspace: Workspace) -> None:
    for recipe in ("source", "weights", "all"):
        workspace.add_candidate(
            CandidateFile(recipe=recipe, precision=Precision.INT8, outcome=RecipeOutcome.MEASURED)
        )
    places = {one.recipe: one.place for one in workspace.read_candidates()}
    assert places == {"source": 0, "weights": 1, "all": 2}


def test_time_counts_from_the_first_stage(workspace: Workspace) -> None:
    assert workspace.seconds_since_begun() == 0
    workspace.begin()
    assert 0 <= workspace.seconds_since_begun() < 60


@pytest.mark.parametrize(
    ("read", "stage"),
    [
        (lambda one: one.read_baseline(), "baseline-measurement"),
        (lambda one: one.read_screening(), "quality"),
        (lambda one: one.read_judged("choice", "int8"), "quality"),
        (lambda one: one.read_validation(), "validation"),
    ],
)
def test_a_missing_file_names_the_stage_that_writes_it(
    workspace: Workspace, read: Callable[[Workspace], Any], stage: str
) -> None:
    with pytest.raises(StageError, match=f"is missing: the stage {stage} has to run before"):
        read(workspace)


def test_a_broken_file_names_the_log_to_look_at(workspace: Workspace) -> None:
    workspace.write_baseline(BASELINE)
    (workspace.measure / "baseline.json").write_text("{")
    with pytest.raises(StageError, match="see the log of the stage baseline-measurement"):
        workspace.read_baseline()


def test_a_container_sees_finished_work_where_the_first_stage_writes_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(names.SCRATCH_VARIABLE, str(workspace.scratch))
    assert not finished_before()
    workspace.write_found(JobSummary())
    assert finished_before()


def test_the_environment_names_other_folders(tmp_path: Path) -> None:
    fields = ("source", "dataset", "scratch", "credentials", "claim")
    given = {f"SKERRY_{field.upper()}_DIR": str(tmp_path / field) for field in fields}
    assert Workspace.from_environment(given) == Workspace(*(tmp_path / field for field in fields))
    assert Workspace.from_environment({}) == Workspace()


def test_the_operator_mounts_what_the_stages_read() -> None:
    """Each folder of the workspace is a mount of one of the jobs, and no job mounts another."""
    jobs = [
        optimization_job(OWNER, build_job(), PUSHING),
        assess_job(OWNER, the_assess_job(), PUSHING),
        fetch_job(OWNER, a_fetch_job("pvc://claim/model.onnx"), PUSHING),
        fetch_job(
            OWNER, a_fetch_job("s3://bucket/model.onnx", credentialsSecretName="reader"), PUSHING
        ),
    ]
    mounts = {mount["mountPath"] for job in jobs for mount in _mounts(job)}
    here = Workspace()
    folders = {here.source, here.dataset, here.scratch, here.credentials, here.claim}
    assert mounts == {*map(str, folders), names.DOCKER_DIRECTORY}


def _mounts(job: dict[str, Any]) -> list[dict[str, Any]]:
    pod = job["spec"]["template"]["spec"]
    containers = [*pod.get("initContainers", ()), *pod["containers"]]
    return [mount for one in containers for mount in one["volumeMounts"]]
