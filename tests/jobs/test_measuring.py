"""The measuring stages as the job runs them: real models in real processes, files in scratch.

A stage runs in this process, as its program's `main`; the processes that it measures are its own. The
first stage, and one that fails, run as the commands that the job's containers run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import psutil
import pytest
from onnx import helper, numpy_helper

from skerry.api.common import ResourceLimits
from skerry.api.modelvariant import RecipeOutcome
from skerry.jobs.errors import EXIT_EVALUATION
from skerry.jobs.stages import QUALITY, VALIDATION
from skerry.tasks import Metric
from skerry_runtime.artifact import read_artifact, read_golden
from skerry_runtime.engine import load_model
from skerry_runtime.measure.bench import Bench
from skerry_runtime.measure.blocks import BLOCKS_TO_SCREEN
from skerry_runtime.measure.process import WorkerError
from skerry_runtime.session import Session
from tests.jobs.stage_job import WIDTH, Job, new_job, plan
from tests.unit.runtime import measuring
from tests.unit.runtime.conftest import encoder_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)  # dozens of processes


@pytest.fixture(scope="module", autouse=True)
def short_blocks() -> Iterator[None]:
    """Shorten the blocks: their precision is not what these tests are about."""
    with pytest.MonkeyPatch.context() as patched:
        measuring.with_short_blocks(patched)
        yield


@pytest.fixture(autouse=True)
def few_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use few processes: only the test of a certificate checks whether memory repeats."""
    measuring.with_one_memory_process(monkeypatch)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Return a job before its first stage."""
    return new_job(tmp_path / "job")


@pytest.fixture(scope="module")
def baseline_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a job's mounts after its first stage, which is measured once for all tests."""
    done = new_job(tmp_path_factory.mktemp("baseline") / "job")
    code, message = done.run_command("baseline")
    assert code == 0, message
    assert "MB over the empty runtime" in message
    return done.root


@pytest.fixture
def measured(tmp_path: Path, baseline_root: Path) -> Job:
    """Return a job after its first stage."""
    shutil.copytree(baseline_root, tmp_path / "job")
    return Job(tmp_path / "job", plan())


@pytest.fixture(scope="module")
def judged_root(baseline_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a job's mounts after the source itself was judged, which is done once for all tests."""
    root = tmp_path_factory.mktemp("judged") / "job"
    shutil.copytree(baseline_root, root)
    job = Job(root, plan())
    job.add("source", (root / "source/model.onnx").read_bytes())
    with pytest.MonkeyPatch.context() as patched:
        measuring.with_one_memory_process(patched)
        assert job.run("quality")[0] == 0
    return root


@pytest.fixture
def judged(tmp_path: Path, judged_root: Path) -> Job:
    """Return a job after its second stage, with the source as the one candidate."""
    shutil.copytree(judged_root, tmp_path / "job")
    return Job(tmp_path / "job", plan())


@pytest.fixture(scope="module")
def certified(baseline_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Return a job after its last stage, which chose the source; for the tests that change nothing."""
    root = tmp_path_factory.mktemp("certified") / "job"
    shutil.copytree(baseline_root, root)
    job = Job(root, plan())
    job.add("source", (job.root / "source/model.onnx").read_bytes())
    job.add("spoiled", encoder_model(depth=1, width=WIDTH, noise=0.5))
    job.add("broken", b"no model")
    job.add("float16", b"", RecipeOutcome.NOT_SUPPORTED)
    assert job.run("quality") == (
        0,
        "1 of 4 candidates pass the gates at full speed; source holds on other samples",
    )
    code, message = job.run("validate")
    assert code == 0, message
    return job


def test_the_best_that_passes_is_chosen_and_certified_on_other_samples(certified: Job) -> None:
    validation = certified.validation()
    recipe_results = {one.result.recipe: one for one in validation.recipe_results}
    assert validation.chosen == "source", validation.message
    assert validation.message.startswith("source is the best of 1 that pass")
    assert recipe_results["broken"].result.outcome is RecipeOutcome.FAILED
    assert "can't load" in recipe_results["broken"].result.message
    assert recipe_results["float16"].result.message == "the CPU can't"
    assert recipe_results["spoiled"].result.message.startswith(
        "screened after 200 of 500 samples: "
    )
    assert recipe_results["spoiled"].result.speedup is not None
    assert len(recipe_results["spoiled"].blocks.candidate_milliseconds) == BLOCKS_TO_SCREEN
    assert set(validation.front) >= {"spoiled"}

    found = validation.certified
    assert found is not None
    assert len(found.blocks.baseline_milliseconds) >= 10
    assert all(len(block) >= 20 for block in found.blocks.candidate_milliseconds)
    assert len(found.blocks.candidate_memory_bytes) == 3
    assert found.blocks.quality_of == 541
    assert found.result.quality is not None
    assert found.result.quality.value == "1"
    assert found.result.batching


def test_what_is_certified_can_be_served_as_it_is(certified: Job, tmp_path: Path) -> None:
    served = certified.validation().served
    assert served is not None
    folder = tmp_path / "artifact"
    shutil.copytree(certified.root / "scratch/candidates/source", folder)
    shutil.copy(certified.root / "scratch/measure/golden.npz", folder)
    (folder / "skerry.json").write_text(served.model_dump_json(by_alias=True, exclude_none=True))
    artifact = read_artifact(folder)
    inputs, outputs, _ = read_golden(folder)
    assert len(inputs["x"]) == 3
    answers = Session(load_model(artifact.engine, folder / "model.onnx", 1)).run(
        {"x": inputs["x"][:1]}
    )
    limit = artifact.tolerance["absolute"]
    assert limit is not None
    assert np.abs(answers["embedding"] - outputs["embedding"][:1]).max() <= limit


def test_when_none_passes_nothing_is_chosen_and_each_shortfall_is_reported(measured: Job) -> None:
    job = measured
    job.add("spoiled", encoder_model(depth=4, width=WIDTH, noise=0.5))
    assert job.run("quality") == (0, "0 of 1 candidates pass the gates at full speed")
    assert not (job.root / "scratch/measure/quality/certification").exists()
    code, message = job.run("validate")
    assert code == 0
    assert message.startswith("none of 1 recipes passes: spoiled: quality 0.")
    validation = job.validation()
    assert (validation.chosen, validation.certified, validation.served) == (None, None, None)
    assert {gate.name for gate in validation.gates if gate.outcome == "Fail"} >= {
        "quality",
        "cosine",
    }


def test_a_candidate_over_the_serving_memory_limit_fails(measured: Job) -> None:
    small = plan(limits=ResourceLimits(cpu="1", memory="16Mi"))
    tight = Job(measured.root, small)
    tight.add("source", (tight.root / "source/model.onnx").read_bytes())
    assert tight.validate()[0] == 0
    (result,) = [one.result for one in tight.validation().recipe_results]
    assert result.outcome is RecipeOutcome.FAILED
    assert "more than the serving limit of 16Mi" in result.message


def test_accuracy_with_labels(job: Job) -> None:
    labeled = Job(job.root, plan(Metric.ACCURACY))
    source = job.root / "source/model.onnx"
    with np.load(job.root / "dataset/dataset.npz") as archive:
        rows = archive["x"]
    labels = (
        Session(load_model("ONNXRuntime", source, 1)).run({"x": rows})["embedding"].argmax(axis=1)
    )
    np.savez(job.root / "dataset/dataset.npz", x=rows, labels=labels)
    labeled.add("source", source.read_bytes())
    assert labeled.run("baseline")[0] == 0
    code, message = labeled.validate()
    assert code == 0, message
    certified = labeled.validation().certified
    assert certified is not None
    assert certified.result.cosine is None
    assert certified.result.quality is not None
    assert certified.result.quality.value == "1"


def test_all_are_raced_at_full_speed_and_only_the_best_answers_the_other_samples(
    certified: Job,
) -> None:
    kept = certified.root / "scratch/measure/quality"
    assert [len(np.load(kept / f"choice/{name}.npy")) for name in ("source", "spoiled")] == [
        500,
        200,
    ]
    assert [file.stem for file in (kept / "certification").glob("*.npy")] == ["source"]
    assert len(np.load(kept / "certification/source.npy")) == 541


def test_a_candidate_that_is_beaten_beyond_doubt_is_stopped_and_says_by_what(
    measured: Job,
) -> None:
    measured.add("quick", encoder_model(depth=4, width=WIDTH), place=0)
    measured.add("slow", burdened(encoder_model(depth=4, width=WIDTH)), place=1)
    assert measured.run("quality")[0] == 0
    recipe_results = {
        one.result.recipe: one for one in measured.workspace.read_screening().recipe_results
    }
    assert len(recipe_results["slow"].blocks.candidate_milliseconds) == BLOCKS_TO_SCREEN
    assert recipe_results["slow"].result.message.startswith(
        "stopped after 6 blocks and 200 of 500 samples: beaten by quick beyond doubt (score at most -"
    )
    assert not recipe_results["quick"].result.message


def test_the_time_limit_ends_the_search_with_the_best_so_far(measured: Job) -> None:
    late = Job(measured.root, plan(time_limit_seconds=60))
    begun_seconds_ago(late, 60)
    source = (measured.root / "source/model.onnx").read_bytes()
    late.add("first", source, place=0)
    late.add("second", source, place=1)
    assert late.validate()[0] == 0
    validation = late.validation()
    recipe_results = {one.result.recipe: one.result for one in validation.recipe_results}
    assert validation.chosen == "first", validation.message
    assert recipe_results["second"].outcome is RecipeOutcome.FAILED
    assert recipe_results["second"].message == (
        "not tried: 60% of the time limit of 60 s was over; raise"
        " spec.optimization.search.timeLimit or lower spec.optimization.search.maxRecipes"
    )


def begun_seconds_ago(job: Job, seconds: float) -> None:
    """Set back when the job began, so that no machine is quick enough to be in time."""
    with pytest.MonkeyPatch.context() as patched:
        began = time.clock_gettime(time.CLOCK_BOOTTIME) - seconds
        patched.setattr(time, "clock_gettime", lambda _: began)
        job.workspace.begin()


def burdened(model: Any) -> Any:
    """Return the same answers, each after much more work."""
    graph = model.graph
    answer = graph.node[-1].output[0]
    graph.node[-1].output[0] = "unburdened"
    burden = np.random.default_rng(6).normal(size=(WIDTH, 16 * 1024)).astype(np.float32)
    graph.initializer.extend(
        [
            numpy_helper.from_array(burden, "burden"),
            numpy_helper.from_array(np.array(0, np.float32), "none"),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("MatMul", ["x", "burden"], ["much"]),
            helper.make_node("ReduceMax", ["much"], ["most"], axes=[1]),
            helper.make_node("Mul", ["most", "none"], ["nothing"]),
            helper.make_node("Add", ["unburdened", "nothing"], [answer]),
        ]
    )
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize("limit", ["1", "2"])
def test_answers_are_computed_with_the_threads_that_serve(
    measured: Job, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_CPU_LIMIT", "8")
    wide = plan(limits=ResourceLimits(cpu=limit, memory="512Mi"))
    workspace = measured.workspace
    bench = Bench(wide, workspace, QUALITY.name)
    with bench.started(bench.source) as process:
        threads = psutil.Process(process.pid).num_threads()
    with Bench(plan(), workspace, QUALITY.name).started(bench.source) as process:
        assert threads - psutil.Process(process.pid).num_threads() == int(limit) - 1


def test_answers_that_change_after_they_were_judged_fail_their_candidate(measured: Job) -> None:
    measured.add("small", encoder_model(depth=4, width=WIDTH))
    measured.add("source", (measured.root / "source/model.onnx").read_bytes())
    assert measured.run("quality")[0] == 0
    recipe = measured.finalist()
    other = encoder_model(depth=4, width=WIDTH, noise=0.01)
    onnx.save(other, measured.root / f"scratch/candidates/{recipe}/model.onnx")
    code, message = measured.run("validate")
    assert code == 0
    # The next best is certified in its place.
    assert measured.validation().chosen == ({"small", "source"} - {recipe}).pop(), message


def test_the_only_one_whose_answers_change_is_not_certified(judged: Job) -> None:
    other = encoder_model(depth=4, width=WIDTH, noise=0.01)
    onnx.save(other, judged.root / "scratch/candidates/source/model.onnx")
    code, message = judged.run("validate")
    assert code == 0
    assert judged.validation().chosen is None
    assert (
        "does not hold on others: it answers sample 0 otherwise than when it was judged" in message
    )


def test_a_baseline_that_changes_after_it_was_judged_against_fails_the_stage(judged: Job) -> None:
    other = encoder_model(depth=4, width=WIDTH, noise=0.01)
    onnx.save(other, judged.root / "source/model.onnx")
    code, message = judged.run("validate")
    assert code == 1
    assert message.startswith("the source answers sample 0 otherwise than when it was judged")


def test_validation_needs_the_answers(measured: Job) -> None:
    measured.add("source", (measured.root / "source/model.onnx").read_bytes())
    code, message = measured.run("validate")
    assert code == 1
    assert message.endswith("screening.json is missing: the stage quality has to run before")


def test_a_killed_process_names_the_limit_of_its_container(measured: Job) -> None:
    workspace = measured.workspace
    for stage, setting in (
        (QUALITY, "the chart's builds.resources.memory"),
        (VALIDATION, "spec.serving.resources.limits.memory"),
    ):
        with pytest.raises(WorkerError, match=f"more than the memory limit: raise {setting}"):
            _killed(Bench(plan(), workspace, stage.name))


def _killed(bench: Bench) -> None:
    with bench.started(bench.source) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.use({})


def test_finished_work_ends_all_stages_at_once(job: Job) -> None:
    (job.root / "scratch/found").mkdir()
    for stage in ("baseline", "quality", "validate"):
        assert job.run(stage) == (0, "found finished work")
    assert not (job.root / "scratch/measure").exists()


def without_samples(root: Path) -> None:
    np.savez(root / "dataset/dataset.npz", x=np.ones((99, WIDTH), np.float32))


@pytest.mark.parametrize(
    ("break_it", "stage", "code", "message"),
    [
        (lambda root: (root / "dataset/dataset.npz").unlink(), "baseline", EXIT_EVALUATION,
         "dataset.npz is missing"),
        (without_samples, "baseline", EXIT_EVALUATION,
         "oci://registry.example/x: the data set has 99 samples and 1019 are needed"),
        (lambda root: (root / "source/model.onnx").unlink(), "baseline", 1, "model.onnx is missing"),
        (lambda _: None, "quality", 1, "baseline-measurement has to run before"),
        (lambda _: None, "validate", 1, "baseline-measurement has to run before"),
        (lambda _: None, "nonsense", 1, "name one stage: baseline, quality, validate"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_the_termination_message(
    job: Job, break_it: Any, stage: str, code: int, message: str
) -> None:
    break_it(job.root)
    ended, last_words = job.run(stage)
    assert ended == code
    assert message in last_words


def test_a_broken_plan_is_reported(job: Job) -> None:
    code, last_words = job.run_command("baseline", SKERRY_PLAN=json.dumps({"edgeModel": "x"}))
    assert code == 1
    assert "SKERRY_PLAN holds no plan of this release" in last_words
