"""An engine that nobody here knows: a distribution of its own, found by its entry point, used by all stages.

How it is served, by a protocol of its own: tests/unit/runtime/test_other_server.py.
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
from tests.foreign import install
from tests.unit.optimizer.models import DIGEST, classifier, make_plan, start_job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.optimizer.models import Job
    from tests.unit.optimizer.registries import Registry

pytestmark = pytest.mark.timeout(120)  # dozens of processes

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


def run(job: Job, site: Path, module: str, *stages: str) -> str:
    """Run stages in a process that has the distribution; returns the last one's message."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(site), os.environ.get("PYTHONPATH", ""))),
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
    assert job.message == "ONNX Reference optimizes graphs for the CPU at hand while it loads them"
    run(job, site, "skerry_runtime.measure", "baseline", "quality", "validate")
    found = json.loads((job.workspace.measure / "validation.json").read_text())
    assert found["baseline"].startswith("ONNXRuntime ")
    recipe_results = {one["result"]["recipe"]: one["result"] for one in found["recipeResults"]}
    assert set(recipe_results) == {"source", "rounded"}
    assert {result["outcome"] for result in recipe_results.values()} == {"Measured"}
    summary = decode_summary(run(job, site, "skerry_optimizer", "pack"))
    assert summary.engine_version == "3.2.1"
    assert {result.recipe for result in summary.recipe_results} == {"source", "rounded"}
