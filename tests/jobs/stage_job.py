"""A job's mounts in a folder of this machine, and its measuring stages as the containers run them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from skerry.api.common import ResourceLimits
from skerry.api.edgemodel import Gates, Weights
from skerry.api.modelvariant import EvaluationPlan, PinnedArtifact, RecipeOutcome
from skerry.jobs.files import CandidateFile, Validation
from skerry.jobs.plans import JobPlan, RegistryAccess
from skerry.jobs.scratch import Workspace
from skerry.precision import Precision
from skerry.tasks import Metric
from skerry_runtime.measure.__main__ import main
from tests.unit.runtime.conftest import encoder_model

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "ab" * 32
WIDTH = 192
# The source against itself, a call of some 0.03 ms, while other tests use the processors: by the
# default gate of 0.95x chance would decide.
GATES = Gates(speedup="0.5x")


@dataclass(frozen=True)
class Job:
    """The mounts of one job."""

    root: Path
    plan: JobPlan

    @property
    def workspace(self) -> Workspace:
        """The mounts as the stages see them."""
        return Workspace(self.root / "source", self.root / "dataset", self.root / "scratch")

    def add(
        self,
        recipe: str,
        model: Any,
        outcome: RecipeOutcome = RecipeOutcome.MEASURED,
        place: int = 0,
        precision: Precision = Precision.FLOAT32,
    ) -> None:
        """Put a candidate where the optimizer puts it."""
        folder = self.root / "scratch/candidates" / recipe
        folder.mkdir(parents=True)
        data = model if isinstance(model, bytes) else model.SerializeToString()
        (folder / "model.onnx").write_bytes(data)
        file = CandidateFile(
            recipe=recipe, precision=precision, outcome=outcome, bytes=len(data),
            message="" if outcome is RecipeOutcome.MEASURED else "the CPU can't", place=place,
        )  # fmt: skip
        (folder / "candidate.json").write_text(file.model_dump_json(by_alias=True))

    def validate(self) -> tuple[int, str]:
        """Judge and validate; returns the second's exit code and termination message."""
        code, message = self.run("quality")
        assert code == 0, message
        return self.run("validate")

    def run(self, stage: str) -> tuple[int, str]:
        """Run a stage; returns exit code and termination message."""
        with pytest.MonkeyPatch.context() as patched:
            for name, value in self.environment().items():
                patched.setenv(name, value)
            return main([stage]), self.last_words()

    def run_command(self, stage: str, **environment: str) -> tuple[int, str]:
        """Run a stage as its container does; returns exit code and termination message."""
        command = [sys.executable, "-m", "skerry_runtime.measure", stage]
        settings = os.environ | self.environment() | environment
        done = subprocess.run(command, env=settings, check=False)
        return done.returncode, self.last_words()

    def environment(self) -> dict[str, str]:
        """Return the variables that the container sets."""
        return {
            "SKERRY_PLAN": self.plan.model_dump_json(by_alias=True),
            "SKERRY_SOURCE_DIR": str(self.root / "source"),
            "SKERRY_DATASET_DIR": str(self.root / "dataset"),
            "SKERRY_SCRATCH_DIR": str(self.root / "scratch"),
            "SKERRY_TERMINATION_LOG": str(self.root / "termination-log"),
        }

    def last_words(self) -> str:
        """Return the termination message."""
        return (self.root / "termination-log").read_text()

    def finalist(self) -> str:
        """Return the recipe that answered the samples to certify."""
        (file,) = (self.root / "scratch/measure/quality/certification").glob("*.npy")
        return file.stem

    def validation(self) -> Validation:
        """Return what the validation stage left."""
        return self.workspace.read_validation()


def plan(metric: Metric = Metric.NEAREST_NEIGHBORS, **fields: Any) -> JobPlan:
    pinned = PinnedArtifact(uri="oci://registry.example/x", digest=DIGEST)
    evaluation = EvaluationPlan(
        dataset=pinned, metric=metric, calibration_samples=16, golden_samples=3
    )
    defaults = {
        "edge_model": "encoder", "namespace": "tests", "hardware_class": "any",
        "build_key": "0" * 64, "evidence_key": "0" * 64, "engine": "ONNXRuntime", "baseline_engine": "ONNXRuntime",
        "engine_version": "1.32.0",
        "recipe_set": "onnxruntime/1", "source": pinned, "evaluation": evaluation, "max_recipes": 8,
        "limits": ResourceLimits(cpu="1", memory="512Mi"), "gates": GATES, "weights": Weights(),
        "registry": RegistryAccess(address="registry.example", repository="x"),
    }  # fmt: skip
    return JobPlan.model_validate(defaults | fields)


def new_job(root: Path) -> Job:
    """Return a job with an encoder of four layers and 1,100 samples, before its first stage."""
    for name in ("source", "dataset", "scratch"):
        (root / name).mkdir(parents=True)
    onnx.save(encoder_model(depth=4, width=WIDTH), root / "source/model.onnx")
    rows = np.random.default_rng(4).normal(size=(1100, WIDTH)).astype(np.float32)
    np.savez(root / "dataset/dataset.npz", x=rows)
    return Job(root, plan())
