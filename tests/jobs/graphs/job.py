"""The way of a source to what is served: the stages of both jobs on folders, and the registry between."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from skerry.api.common import ResourceLimits
from skerry.api.edgemodel import Gates, Weights
from skerry.api.modelvariant import (
    EvaluationPlan,
    Interval,
    PinnedArtifact,
    RecipeOutcome,
    RecipeResult,
)
from skerry.artifacts.images import RegistryClient
from skerry.engines import SOURCE, find_engine
from skerry.jobs.files import BaselineFile, ServedModel, TensorInfo, Tolerance
from skerry.jobs.plans import AssessPlan, JobPlan
from skerry.jobs.scratch import Workspace
from skerry.precision import Precision
from skerry_optimizer.builds import pull_build
from skerry_optimizer.program import main
from skerry_runtime.artifact import read_artifact
from skerry_runtime.dataset import Split, load_evaluation, sizes_for, split_dataset
from skerry_runtime.datatypes import storable
from skerry_runtime.engine import load_model
from skerry_runtime.measure.baseline import whole_outputs
from skerry_runtime.measure.files import samples_of
from skerry_runtime.measure.process import Loaded, Process, WorkerError
from skerry_runtime.measure.source_answers import source_answers, write_source_answers
from skerry_runtime.measure.worker import Worker, answer
from skerry_runtime.model import Model
from skerry_runtime.service import Service
from skerry_runtime.session import Session
from skerry_runtime.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

    from skerry.jobs.plans import RegistryAccess
    from skerry.tasks import Metric
    from skerry_runtime.datatypes import Arrays

BASELINE = "ONNXRuntime"
CALIBRATION, GOLDEN = 8, 2


class Refused(Exception):  # noqa: N818 - a finding about the source, not a fault
    """A stage ended with this message."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(f"{stage}: {message}")
        self.stage, self.message = stage, message


class _Here(Process):
    """A measuring worker in this process, which would take most of the time to start."""

    def __init__(self, engine: str, file: Path) -> None:
        worker = Worker()
        loaded = Loaded(**worker.load(engine, str(file), 1))
        super().__init__(loaded, worker, None)  # type: ignore[arg-type]

    def _ask(self, method: str, *arguments: Any) -> Any:
        fine, result = answer(self._connection, method, arguments)  # type: ignore[arg-type]
        if not fine:
            raise WorkerError(result)
        return result


@dataclass(frozen=True)
class Job:
    """One source and its data set, with folders of its own.

    Attributes:
        folder: Of this source alone.
        registry: Where what is built goes.
        engine: That it is built for.
        metric: That its first output suits.
    """

    folder: Path
    registry: RegistryAccess
    engine: str
    metric: Metric

    @property
    def workspace(self) -> Workspace:
        """The mounts of the job's pod."""
        return Workspace(self.folder / "source", self.folder / "dataset", self.folder / "scratch")

    def lay_out(self, model: ModelProto, arrays: Arrays) -> None:
        """Write source and data set."""
        for path in (self.workspace.source, self.workspace.dataset, self.workspace.scratch):
            path.mkdir(parents=True)
        self.workspace.source_file.write_bytes(model.SerializeToString())
        kept: Any = {name: storable(array) for name, array in arrays.items()}
        np.savez(self.workspace.dataset_file, **kept)

    def assess(self) -> None:
        """Run the assessing job.

        Raises:
            Refused: It refuses source or data set.
        """
        plan = AssessPlan(
            source_digest=self._digest("source"), evaluation=self._evaluation, engine=BASELINE,
            assessment_key=self._key, registry=self.registry,
        )  # fmt: skip
        self._run("assess", SKERRY_ASSESS_PLAN=plan.model_dump_json(by_alias=True))

    def build(self, recipes: int) -> dict[str, str]:
        """Run the stages that build; returns what was said of each recipe without a build.

        Raises:
            Refused: The source can't be built for the engine.
        """
        plan = self._plan(recipes).model_dump_json(by_alias=True)
        self._write_baseline()
        self._run("find-finished", SKERRY_PLAN=plan)
        self._run("convert", SKERRY_PLAN=plan)
        others = find_engine(self.engine).recipes_for("other", recipes)[1:]
        if others:
            self._run("build-recipes", *others, SKERRY_PLAN=plan)
        self._run("accelerate", SKERRY_PLAN=plan)
        found = self.workspace.read_candidates()
        return {
            one.recipe: one.message for one in found if one.outcome is not RecipeOutcome.MEASURED
        }

    def pull(self) -> list[str]:
        """Put what the registry holds in place of what was built; returns the recipes with a model."""
        shutil.rmtree(self.workspace.candidates)
        pull_build(RegistryClient(self.registry), self.workspace, self._plan(1))
        return [one.recipe for one in self.workspace.built_candidates()]

    def serve(self, recipe: str, *, batching: bool) -> Service:
        """Return what answers on the device for a build, as `python -m skerry_runtime` makes it."""
        folder = self.workspace.folder(recipe)
        one = Interval(value="1", low="1", high="1")
        certified = RecipeResult(
            recipe=recipe, precision=Precision.FLOAT32, quality=one, speedup=one
        )
        found = self.workspace.read_baseline()
        served = ServedModel(
            engine=self.engine, engine_version=find_engine(self.engine).version(), recipe=recipe,
            precision=Precision.FLOAT32, batching=batching, inputs=found.inputs, outputs=found.outputs,
            whole=found.whole, tolerance=Tolerance(absolute=1e-3, relative=1e-3), certified=certified,
        )  # fmt: skip
        (folder / "skerry.json").write_text(served.model_dump_json(by_alias=True))
        artifact = read_artifact(folder)
        loaded = load_model(self.engine, find_engine(self.engine).model_in(folder), threads=1)
        settings = Settings("random", "1", folder)
        return Service(
            Model(settings, artifact, Session(loaded, batching=batching, whole=artifact.whole))
        )

    @property
    def _key(self) -> str:
        return hashlib.sha256(str(self.folder).encode()).hexdigest()

    def _digest(self, what: str) -> str:
        return f"sha256:{hashlib.sha256(f'{self.folder} {what}'.encode()).hexdigest()}"

    @property
    def _evaluation(self) -> EvaluationPlan:
        pinned = PinnedArtifact(uri="oci://registry.test/set:1", digest=self._digest("dataset"))
        return EvaluationPlan(
            dataset=pinned,
            metric=self.metric,
            calibration_samples=CALIBRATION,
            golden_samples=GOLDEN,
        )

    def _plan(self, recipes: int) -> JobPlan:
        engine = find_engine(self.engine)
        source = PinnedArtifact(uri="oci://registry.test/source:1", digest=self._digest("source"))
        return JobPlan(
            edge_model="random", namespace="default", hardware_class="any", build_key=self._key,
            evidence_key=self._key, engine=engine.name, engine_version=engine.version(),
            recipe_set=engine.recipe_set, baseline_engine=BASELINE, source=source,
            evaluation=self._evaluation, max_recipes=recipes, limits=ResourceLimits(), gates=Gates(),
            weights=Weights(), registry=self.registry,
        )  # fmt: skip

    def _write_baseline(self) -> None:
        """Write what measuring the source finds, without its times."""
        worker = _Here(BASELINE, self.workspace.source_file)
        inputs, outputs = (
            tuple(
                TensorInfo(name=one.name, datatype=one.datatype, shape=one.shape) for one in specs
            )
            for specs in (worker.loaded.inputs, worker.loaded.outputs)
        )
        data = load_evaluation(self.workspace.dataset_file, inputs, self._evaluation)
        sizes = sizes_for(self._evaluation)
        for split, part in split_dataset(data, self._evaluation.dataset.digest, sizes).items():
            samples_of(self.workspace, split, inputs).write(part)
        samples = samples_of(self.workspace, Split.CALIBRATION, inputs)
        worker.use(samples.files)
        found = BaselineFile(
            engine_version=worker.loaded.version, inputs=inputs, outputs=outputs,
            whole=(*sorted(samples.whole), *whole_outputs(worker, samples)),
            p50_milliseconds=1, empty_peaks=(1,), baseline_peaks=(1,), anonymous_bytes=1,
        )  # fmt: skip
        self.workspace.write_baseline(found)
        write_source_answers(samples, source_answers(worker.batch, samples.count))

    def _run(self, *arguments: str, **plan: str) -> None:
        log = self.folder / "termination-log"
        mounts = {
            "SKERRY_SOURCE_DIR": str(self.workspace.source),
            "SKERRY_DATASET_DIR": str(self.workspace.dataset),
            "SKERRY_SCRATCH_DIR": str(self.workspace.scratch),
            "SKERRY_TERMINATION_LOG": str(log),
        }
        with pytest.MonkeyPatch.context() as patched:
            for name, value in (mounts | plan).items():
                patched.setenv(name, value)
            if main([*arguments]):
                raise Refused(arguments[0], log.read_text())


__all__ = ["BASELINE", "SOURCE", "Job", "Refused"]
