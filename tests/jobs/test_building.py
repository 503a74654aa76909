"""The stages of a job, run as its containers run them, against a real registry and real engines."""

from __future__ import annotations

import contextlib
import json
import tarfile
import threading
from typing import TYPE_CHECKING

import numpy as np
import onnx
import psutil
import pytest
from onnx import external_data_helper

from skerry.api.edgemodel import Assessment
from skerry.api.modelvariant import RecipeOutcome
from skerry.artifacts.images import RegistryClient
from skerry.engines import find_engine
from skerry.jobs.errors import EXIT_SOURCE
from skerry.jobs.plans import RegistryAccess
from skerry.jobs.registry import assessment_tag, build_tag, evidence_tag, result_of
from skerry.jobs.results import MESSAGE_BYTES, decode_summary
from skerry_optimizer.__main__ import main
from skerry_optimizer.models.running import likeness, load, run
from tests.unit.artifacts.scripted import stopped_clock
from tests.unit.optimizer.models import (
    DIGEST,
    SAMPLES,
    Job,
    classifier,
    convolutional,
    start_job,
    write_validation,
)
from tests.waiting import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.optimizer.registries import Registry

ENGINE = find_engine("ONNXRuntime")
BUILDING = ("find-finished", "convert", "quantize", "accelerate")


def run_stages(*names: str) -> None:
    for name in names:
        assert main([name]) == 0, name


@pytest.fixture(scope="module")
def built(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Return a job up to its build; another job with its registry, model and key finds the result."""
    with pytest.MonkeyPatch.context() as patched:
        access = registry.access("t/built")
        folder = tmp_path_factory.mktemp("built")
        job = start_job(folder, patched, access, classifier(), evidence="built")
        run_stages(*BUILDING)
    return job


def outcomes(job: Job) -> dict[str, RecipeOutcome]:
    return {one.recipe: one.outcome for one in job.workspace.read_candidates()}


def test_a_classifier_is_built_by_every_recipe_that_this_cpu_runs(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/all"), classifier(), recipe_results=8)
    run_stages(*BUILDING)
    found = outcomes(job)
    built = {recipe for recipe, outcome in found.items() if outcome is RecipeOutcome.MEASURED}
    int8 = {"dynamic-int8", "static-int8", "weight-int8-block128", "weight-int8-block32"}
    assert {"source", "weight-int4-block32"} | int8 <= built
    assert {"float16", "bfloat16"} <= set(found)
    for one in job.workspace.read_candidates():
        assert bool(job.workspace.model_files(one.recipe)) == (one.recipe in built)
        assert one.recipe in built or "ONNX Runtime" in one.message
    sample = {"x": np.load(job.workspace.dataset / "dataset.npz")["x"][:1]}
    reference = run(load(ENGINE, job.workspace.source / "model.onnx"), sample)
    for recipe in built:
        answer = run(load(ENGINE, job.workspace.folder(recipe) / "model.onnx"), sample)
        assert likeness(reference, answer) > (0.95 if "int4" in recipe else 0.99), recipe


def test_a_convolution_has_nothing_for_weight_only_recipes_and_the_rest_continues(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(
        tmp_path, monkeypatch, registry.access("t/conv"), convolutional(), recipe_results=5
    )
    run_stages(*BUILDING)
    found = outcomes(job)
    assert found["static-int8"] is RecipeOutcome.MEASURED
    assert found["weight-int8-block128"] is RecipeOutcome.NOT_SUPPORTED


def kill_builders_of(recipe: str, done: threading.Event) -> None:
    """Kill each process whose next recipe is the given one, as the kernel does out of memory."""
    while not done.wait(0.01):
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "build-recipes" in child.cmdline() and recipe in child.cmdline():
                    child.kill()


def test_a_recipe_whose_process_is_killed_is_a_result_and_the_others_continue(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(
        tmp_path, monkeypatch, registry.access("t/crash"), classifier(), recipe_results=3
    )
    run_stages("find-finished", "convert")
    done = threading.Event()
    killer = threading.Thread(target=kill_builders_of, args=("dynamic-int8", done))
    killer.start()
    try:
        run_stages("quantize")
    finally:
        done.set()
        killer.join()
    found = outcomes(job)
    assert found["weight-int8-block128"] is RecipeOutcome.MEASURED
    assert found["dynamic-int8"] is RecipeOutcome.FAILED
    assert "dynamic-int8 Failed: killed, most likely out of memory" in job.message


def test_recipe_results_cap_the_recipes(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/cap"), classifier(), recipe_results=2)
    run_stages("find-finished", "convert", "quantize")
    assert set(outcomes(job)) == {"source", "dynamic-int8"}


def test_the_chosen_candidate_is_packed_with_its_evidence_and_shares_its_blob(
    built: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = built.plan.registry
    job = start_job(tmp_path, monkeypatch, access, classifier(), evidence="packed")
    run_stages(*BUILDING)
    write_validation(job, "dynamic-int8")
    run_stages("pack")
    summary = decode_summary(job.message)
    assert summary.artifact is not None
    assert summary.artifact.image == f"{access.address}/t/built@{summary.artifact.digest}"
    client = RegistryClient(access)
    image, build = client.find(summary.artifact.digest), client.find(build_tag(job.plan.build_key))
    assert image is not None
    assert build is not None
    assert image.layers[0].digest in {layer.digest for layer in build.layers}
    for layer in image.layers:
        client.pull(layer, tmp_path / "mounted")
    names = {path.name for path in (tmp_path / "mounted").iterdir()}
    evidence = {"skerry.json", "golden.npz", "report.json", "blocks.json"}
    assert names == {"model.onnx"} | evidence
    served = json.loads((tmp_path / "mounted" / "skerry.json").read_text())
    assert served["recipe"] == "dynamic-int8"


def test_where_nothing_passed_no_model_is_pushed_under_the_evidence(
    built: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = built.plan.registry
    job = start_job(tmp_path, monkeypatch, access, classifier(), evidence="nothing")
    run_stages(*BUILDING)
    write_validation(job, None)
    run_stages("pack")
    summary = decode_summary(job.message)
    assert (summary.chosen, summary.artifact, summary.model_digest) == (None, None, None)
    image = RegistryClient(access).find(evidence_tag(job.plan.evidence_key))
    assert image is not None
    RegistryClient(access).pull(image.layers[0], tmp_path / "out")
    assert len(image.layers) == 1
    assert not (tmp_path / "out" / "model.onnx").exists()


def test_a_choice_that_was_not_certified_is_never_pushed(
    built: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = built.plan.registry
    job = start_job(tmp_path, monkeypatch, access, classifier(), evidence="uncertified")
    run_stages(*BUILDING)
    validation = write_validation(job, "dynamic-int8").model_copy(update={"certified": None})
    job.workspace.write_validation(validation)
    assert main(["pack"]) == 1
    assert "did not certify" in job.message
    assert RegistryClient(access).find(evidence_tag(job.plan.evidence_key)) is None


def test_finished_work_is_found_again_and_every_stage_is_skipped(
    built: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = built.plan.registry
    first = start_job(tmp_path / "first", monkeypatch, access, classifier(), evidence="finished")
    run_stages(*BUILDING)
    write_validation(first, "source")
    run_stages("pack")
    again = start_job(tmp_path / "again", monkeypatch, access, classifier(), evidence="finished")
    for name in BUILDING:
        run_stages(name)
        assert again.message == "found finished work"
    assert not again.workspace.candidates.exists()
    run_stages("pack")
    before, after = decode_summary(first.message), decode_summary(again.message)
    assert after == before.model_copy(update={"reused": True})
    image = RegistryClient(access).find(evidence_tag(first.plan.evidence_key))
    text = decode_summary(result_of(json.loads(image.manifest)) or "") if image else None
    assert text == before.model_copy(update={"artifact": None})


def test_a_try_after_a_crash_only_measures_what_was_built(
    built: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = built.plan.registry
    again = start_job(tmp_path, monkeypatch, access, classifier(), evidence="other gates")
    run_stages("find-finished")
    assert "built candidates" in again.message
    run_stages("convert", "quantize", "accelerate")
    assert "earlier job" in again.message
    assert outcomes(again) == outcomes(built)
    for one in built.workspace.built_candidates():
        models = [
            [file.read_bytes() for file in job.workspace.model_files(one.recipe)]
            for job in (built, again)
        ]
        assert models[0] == models[1] != []


def test_another_build_key_finds_nothing(
    built: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = built.plan.registry
    other = start_job(tmp_path, monkeypatch, access, classifier(), key="b", evidence="b")
    run_stages("find-finished")
    assert "nothing finished" in other.message


def test_an_unreachable_registry_fails_the_stage_with_words_for_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port()}"
    access = RegistryAccess(address=address, repository="a/b", insecure=True)
    job = start_job(tmp_path, monkeypatch, access, classifier())
    stopped_clock(monkeypatch)
    assert main(["find-finished"]) == 1
    assert f"registry {address}/a/b: it can't be reached" in job.message


def test_assess_describes_the_source(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/assess"), classifier())
    run_stages("assess")
    found = Assessment.model_validate_json(job.message)
    assert (found.source_digest, found.format) == (DIGEST, "ONNX, opset 17")
    assert found.parameters == 32 * 64 + 64 + 64 * 4
    assert found.bytes == (job.workspace.source / "model.onnx").stat().st_size
    assert found.operators == {"MatMul": 2, "Add": 1, "Relu": 1}
    assert float(found.quantizable) == pytest.approx(0.973, abs=0.001)
    assert found.family == "Other"
    assert found.dataset == job.plan.evaluation.assessed(SAMPLES)


def test_an_assessment_is_kept_and_one_that_cannot_be_is_given_all_the_same(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = registry.access("t/assess-kept")
    job = start_job(tmp_path / "kept", monkeypatch, access, classifier())
    run_stages("assess")
    image = RegistryClient(access).find(assessment_tag(job.plan.build_key))
    assert image is not None
    assert result_of(json.loads(image.manifest)) == job.message
    nowhere = RegistryAccess(address=f"127.0.0.1:{free_port()}", repository="a/b", insecure=True)
    other = start_job(tmp_path / "not", monkeypatch, nowhere, classifier())
    stopped_clock(monkeypatch)
    run_stages("assess")
    assert other.message == job.message


def assess_error(job: Job) -> str:
    assert main(["assess"]) == EXIT_SOURCE
    return job.message


def test_assess_says_what_is_wrong_with_a_source(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/broken"), classifier())
    file = job.workspace.source / "model.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in assess_error(job)
    file.write_bytes(b"PK\x03\x04 this is another format")
    assert "export the model to ONNX again" in assess_error(job)
    file.write_bytes(b"")
    assert "holds no ONNX graph" in assess_error(job)
    file.rename(job.workspace.source / "model.pt")
    assert "(found: model.pt)" in assess_error(job)
    (job.workspace.source / "models").mkdir()
    assert "write oci+native:// in the uri, which takes the files below /models" in assess_error(
        job
    )


@pytest.mark.parametrize("opset", [3, 9999])
def test_assess_refuses_an_opset_that_can_not_be_read(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opset: int
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/opset"), classifier(opset))
    assert f"uses opset {opset}" in assess_error(job)


def test_assess_passes_on_why_the_engine_refuses_an_operator(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = classifier()
    model.graph.node[2].op_type = "Skerry"
    job = start_job(tmp_path, monkeypatch, registry.access("t/operator"), model)
    message = assess_error(job)
    assert "ONNX Runtime 1.32" in message
    assert "Skerry" in message


def with_external_data(folder: Path, location: str) -> None:
    model = classifier()
    external_data_helper.convert_model_to_external_data(
        model, location=location, size_threshold=0, convert_attribute=False
    )
    onnx.save(model, folder / "model.onnx")


def test_weights_next_to_the_model_are_gathered_and_missing_ones_are_named(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/external"), classifier())
    with_external_data(job.workspace.source, "weights.bin")
    run_stages("assess")
    assert Assessment.model_validate_json(job.message).bytes > 9000
    run_stages("find-finished", "convert")
    assert job.message == "opset 17, weights gathered into one file"
    sample = {"x": np.ones((1, 32), "f4")}
    alike = [run(load(ENGINE, path), sample) for path in (
        job.workspace.source / "model.onnx", job.workspace.folder("source") / "model.onnx",
    )]  # fmt: skip
    assert likeness(*alike) == pytest.approx(1)
    (job.workspace.source / "weights.bin").unlink()
    assert "keeps weights in weights.bin, which is not next to it" in assess_error(job)


def test_weights_outside_of_the_source_are_refused(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/outside"), classifier())
    with_external_data(job.workspace.source, "weights.bin")
    model = onnx.load(job.workspace.source / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "../secret"
    (job.workspace.source / "model.onnx").write_bytes(model.SerializeToString())
    assert "outside of its own folder" in assess_error(job)


def test_an_old_opset_is_converted_and_answers_alike(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/old"), classifier(opset=11))
    run_stages("find-finished", "convert")
    assert job.message == "converted from opset 11 to 17"
    assert onnx.load(job.workspace.folder("source") / "model.onnx").opset_import[0].version == 17


def test_building_before_the_baseline_is_measured_says_what_is_missing(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/data"), classifier())
    (job.workspace.measure / "baseline.json").unlink()
    run_stages("find-finished")
    assert main(["convert"]) == 1
    assert "the stage baseline-measurement has to run before" in job.message


def test_a_missing_plan_and_an_unknown_stage_are_explained(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/plan"), classifier())
    monkeypatch.setenv("SKERRY_PLAN", "{}")
    assert main(["convert"]) == 1
    assert "same release of Skerry" in job.message
    assert main(["polish"]) == 1
    assert "one of assess, find-finished" in job.message


def test_a_source_that_can_not_be_written_to_is_no_hindrance(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/readonly"), classifier())
    before = sorted(path.name for path in job.workspace.source.iterdir())
    run_stages(*BUILDING)
    assert sorted(path.name for path in job.workspace.source.iterdir()) == before
    assert len(job.message.encode()) <= MESSAGE_BYTES
    assert not list(job.workspace.work.iterdir())


def test_building_twice_gives_the_same_layers(
    built: Job, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = start_job(tmp_path, monkeypatch, registry.access("t/again"), classifier())
    run_stages(*BUILDING)
    digests = []
    for job in (built, again):
        image = RegistryClient(job.plan.registry).find(build_tag(job.plan.build_key))
        assert image is not None
        digests.append(image.digest)
    assert digests[0] == digests[1]


def test_a_layer_is_a_plain_tar(registry: Registry, built: Job) -> None:
    blobs = [path for path in registry.storage.rglob("data") if tarfile.is_tarfile(path)]
    with tarfile.open(blobs[0]) as archive:
        assert {member.uid for member in archive} == {0}
        assert {member.mtime for member in archive} == {0}
    assert built.message.startswith(f"{len(built.workspace.built_candidates())} of ")
