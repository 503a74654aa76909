"""An engine that nobody here knows: a distribution of its own, found by its entry point, used by all stages.

It computes with ONNX's reference implementation, so it is slow and right. Nothing of Skerry names it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from skerry.jobs.plans import AssessPlan
from skerry.jobs.results import decode_summary
from tests.unit.optimizer.models import DIGEST, classifier, make_plan, start_job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.optimizer.models import Job
    from tests.unit.optimizer.registries import Registry

pytestmark = pytest.mark.timeout(120)  # dozens of processes

DESCRIPTION = """
from skerry.models.assess import Family
from skerry.engines import EnginePlugin, Recipe
from skerry.precision import Precision

ENGINE = EnginePlugin(
    name="Reference", title="ONNX Reference", platform="reference_onnx", distribution="homemade",
    model_files=("model.onnx",),
    recipe_set="reference/1",
    recipes=(Recipe("rounded", Precision.FLOAT16, "homemade.code:build_rounded"),),
    order={family: ("rounded",) for family in Family},
    loader="homemade.code:load", converter="homemade.code:convert",
)
"""
CODE = """
import shutil

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from skerry_runtime.datatypes import TensorSpec


class Model:
    version = onnx.__version__

    def __init__(self, file):
        model = onnx.load(file)
        self._evaluator = ReferenceEvaluator(model)
        self.inputs = tuple(map(_spec, model.graph.input))
        self.outputs = tuple(map(_spec, model.graph.output))

    def run(self, names, inputs):
        return self._evaluator.run(list(names), dict(inputs))


def _spec(value):
    dims = value.type.tensor_type.shape.dim
    return TensorSpec(value.name, "FP32", tuple(dim.dim_value or -1 for dim in dims))


def load(file, threads):
    return Model(file)


def convert(source, target):
    shutil.move(source, target)
    return "as it is"


def build_rounded(ingredients):
    model = onnx.load(ingredients.source)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, ingredients.target)
"""
ONE_AFTER_THE_OTHER = """
import importlib
import sys

main = importlib.import_module(f"{sys.argv[1]}.__main__").main
if sys.argv[1] == "skerry_runtime.measure":  # short: no figure is asked for
    from skerry_runtime.measure import baseline, bench, blocks
    blocks.LEAST_BLOCK_MILLISECONDS, bench.MEMORY_PROCESSES, baseline.MEMORY_PROCESSES = 2.0, 1, 1
for stage in sys.argv[2:]:
    if main([stage]):
        sys.exit(stage)
"""


def install(site: Path) -> None:
    """Lay a distribution out as pip would."""
    package, metadata = site / "homemade", site / "homemade-3.2.1.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()
    (package / "__init__.py").write_text(DESCRIPTION)
    (package / "code.py").write_text(CODE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: homemade\nVersion: 3.2.1\n")
    (metadata / "entry_points.txt").write_text("[skerry.engines]\nReference = homemade:ENGINE\n")


def run(job: Job, site: Path, module: str, *stages: str) -> str:
    """Run stages in a process that has the distribution; returns the last one's message."""
    environment = os.environ | {
        "PYTHONPATH": str(site),
        "SKERRY_PLAN": job.plan.model_dump_json(by_alias=True),
    }
    command = [sys.executable, "-c", ONE_AFTER_THE_OTHER, module, *stages]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{stages}: {done.stderr[-2000:]}"
    return job.message


def test_a_foreign_engine_is_assessed_built_measured_and_packed(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    install(site)
    access = registry.access("t/foreign")
    job = start_job(tmp_path / "job", monkeypatch, access, classifier())
    foreign = make_plan(access, "foreign", "foreign", 4).model_copy(
        update={"engine": "Reference", "engine_version": "3.2.1", "recipe_set": "reference/1"}
    )
    job = type(job)(job.workspace, foreign, job.log)
    assess = AssessPlan(
        source_digest=DIGEST, evaluation=foreign.evaluation, engine="Reference",
        assessment_key="e" * 64, registry=access,
    )  # fmt: skip
    monkeypatch.setenv("SKERRY_ASSESS_PLAN", assess.model_dump_json(by_alias=True))
    stages = ("assess", "find-finished", "convert", "quantize", "accelerate")
    run(job, site, "skerry_optimizer", *stages)
    assert job.message == "ONNX Reference optimises graphs for the CPU at hand while it loads them"
    run(job, site, "skerry_runtime.measure", "baseline", "quality", "validate")
    found = json.loads((job.workspace.measure / "validation.json").read_text())
    assert found["baseline"].startswith("ONNXRuntime ")
    trials = {one["trial"]["recipe"]: one["trial"] for one in found["trials"]}
    assert set(trials) == {"source", "rounded"}
    assert {trial["outcome"] for trial in trials.values()} == {"Measured"}
    summary = decode_summary(run(job, site, "skerry_optimizer", "pack"))
    assert summary.engine_version == "3.2.1"
    assert {trial.recipe for trial in summary.trials} == {"source", "rounded"}
