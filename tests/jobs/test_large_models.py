"""Models above protobuf's limit, which can't be one file: built as they are, with the weights next to the graph.

The limit is lowered here, so that a small model is above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import external_data_helper

from skerry.api.edgemodel import Assessment
from skerry.api.modelvariant import RecipeOutcome
from skerry.engines import SOURCE, find_engine
from skerry.jobs.errors import EXIT_SOURCE
from skerry_optimizer.__main__ import main
from skerry_optimizer.models import reading
from skerry_optimizer.models.running import likeness, load, run
from tests.model_kinds import shows
from tests.unit.optimizer.models import FEATURES, classifier, start_job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.optimizer.models import Job
    from tests.unit.optimizer.registries import Registry

ONE = {"x": np.ones((1, FEATURES), "f4")}
LIMIT = 4000


@pytest.fixture(params=["ONNXRuntime", "OpenVINO"])
def job(
    request: pytest.FixtureRequest,
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Job:
    """Return a pod with a model above the limit, its weights in two files, one of them in a folder."""
    access = registry.access(f"t/large-{request.param.lower()}")
    job = start_job(tmp_path, monkeypatch, access, classifier(), engine=request.param)
    model = classifier(opset=11)
    (job.workspace.source / "weights").mkdir()
    for tensor, location in zip(
        model.graph.initializer, ("a.bin", "weights/b", "a.bin"), strict=True
    ):
        external_data_helper.set_external_data(tensor, location)
    onnx.save(model, job.workspace.source_file)
    monkeypatch.setattr(reading, "MOST_BYTES", LIMIT)
    return job


@shows("more than 2 GB")
def test_it_is_built_as_it_is_with_its_weights_next_to_it(job: Job) -> None:
    assert main(["assess"]) == 0, job.message
    found = Assessment.model_validate_json(job.message)
    assert found.bytes > 2 * LIMIT
    assert found.parameters == FEATURES * 64 + 64 + 64 * 4
    for stage in ("find-finished", "convert"):
        assert main([stage]) == 0, job.message
    assert job.message.startswith("opset 11, taken as it is: above 2 GB nothing is converted")
    engine, workspace = find_engine(job.plan.engine), job.workspace
    before = run(load(find_engine("ONNXRuntime"), workspace.source_file), ONE)
    after = run(load(engine, engine.model_in(workspace.folder(SOURCE))), ONE)
    assert likeness(before, after) == pytest.approx(1)
    assert not [file for file in workspace.work.iterdir() if file.name.startswith("model.onnx")]
    if engine.name == "ONNXRuntime":
        names = [file.name for file in workspace.model_files(SOURCE)]
        assert names == ["model.onnx", "model.onnx.data", "model.onnx.data1"]


def test_its_recipes_and_its_stored_graph_are_made_and_pushed(job: Job) -> None:
    for stage in ("find-finished", "convert", "quantize", "accelerate"):
        assert main([stage]) == 0, job.message
    engine, workspace = find_engine(job.plan.engine), job.workspace
    built = [one.recipe for one in workspace.built_candidates()]
    assert SOURCE in built
    assert len(built) > 1, [one.message for one in workspace.read_candidates()]
    for one in workspace.read_candidates():
        if one.outcome is RecipeOutcome.MEASURED:
            run(load(engine, engine.model_in(workspace.folder(one.recipe))), ONE)


def test_one_file_above_the_limit_is_refused_with_the_cure(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_job(tmp_path, monkeypatch, registry.access("t/one-file"), classifier())
    monkeypatch.setattr(reading, "MOST_BYTES", LIMIT)
    assert main(["assess"]) == EXIT_SOURCE
    assert "save its weights as external data" in job.message
    assert "damaged" not in job.message
