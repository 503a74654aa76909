"""Small real models and data sets, made on the spot, and the workspace of a job around them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from skerry.api.common import ResourceLimits
from skerry.api.edgemodel import Gates, Weights
from skerry.api.modelvariant import (
    EvaluationPlan,
    Interval,
    PinnedArtifact,
    RecipeOutcome,
    RecipeResult,
)
from skerry.engines import find_engine, installed_engines
from skerry.engines.plugin import baseline_among
from skerry.jobs.files import (
    BaselineFile,
    MeasuredRecipe,
    ServedModel,
    TensorInfo,
    Tolerance,
    Validation,
)
from skerry.jobs.plans import AssessPlan, JobPlan
from skerry.jobs.scratch import Workspace
from skerry.precision import Precision
from skerry.tasks import Metric
from skerry_runtime.dataset import load_evaluation, sizes_for, split_dataset
from skerry_runtime.measure.files import samples_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest
    from numpy.typing import NDArray

    from skerry.jobs.plans import RegistryAccess

SAMPLES = 600
FEATURES = 32
HIDDEN = 64
CLASSES = 4
DIGEST = "sha256:" + "d" * 64
LABEL = "classes"


def classifier(opset: int = 17, seed: int = 0) -> onnx.ModelProto:
    """Return a perceptron with one hidden layer: `x` (batch, 32) to `y` (batch, 4)."""
    random = np.random.default_rng(seed)
    weights = {
        "w0": random.normal(size=(FEATURES, HIDDEN)).astype("f4") / np.float32(np.sqrt(FEATURES)),
        "b0": random.normal(size=HIDDEN).astype("f4"),
        "w1": random.normal(size=(HIDDEN, CLASSES)).astype("f4") / np.float32(np.sqrt(HIDDEN)),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["product"], name="first"),
        helper.make_node("Add", ["product", "b0"], ["sum"], name="bias"),
        helper.make_node("Relu", ["sum"], ["hidden"], name="relu"),
        helper.make_node("MatMul", ["hidden", "w1"], ["y"], name="second"),
    ]
    shapes = {"x": ["batch", FEATURES], "y": ["batch", CLASSES]}
    return _model(nodes, shapes, weights, opset)


def convolutional() -> onnx.ModelProto:
    """Return a network of one convolution with batch normalization, pooled: `x` to `y`."""
    random = np.random.default_rng(1)
    weights = {
        "kernel": random.normal(size=(8, 1, 3, 3)).astype("f4"),
        "scale": np.ones(8, "f4"),
        "shift": random.normal(size=8).astype("f4"),
        "mean": random.normal(size=8).astype("f4"),
        "variance": np.full(8, 2, "f4"),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["convolved"], pads=[1, 1, 1, 1], name="conv"),
        helper.make_node(
            "BatchNormalization", ["convolved", *list(weights)[1:]], ["normal"], name="norm"
        ),
        helper.make_node("Relu", ["normal"], ["active"], name="relu"),
        helper.make_node("GlobalAveragePool", ["active"], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["y"], name="flat"),
    ]
    return _model(nodes, {"x": ["batch", 1, 8, 8], "y": ["batch", 8]}, weights, 17)


def _model(
    nodes: list[onnx.NodeProto],
    shapes: dict[str, list[Any]],
    weights: dict[str, NDArray[np.float32]],
    opset: int,
) -> onnx.ModelProto:
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name])]
        for name in ("x", "y")
    )
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


@dataclass(frozen=True)
class Job:
    """A job's folders and plan, as its containers see them."""

    workspace: Workspace
    plan: JobPlan
    log: Path

    @property
    def message(self) -> str:
        """The termination message of the last stage."""
        return self.log.read_text()


def start_job(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    registry: RegistryAccess,
    model: onnx.ModelProto,
    *,
    key: str = "a",
    evidence: str = "e",
    recipe_results: int = 2,
    engine: str = "ONNXRuntime",
) -> Job:
    """Lay out a fresh pod: mounted source and data set, empty scratch, the plan in the environment."""
    workspace = Workspace(folder / "source", folder / "dataset", folder / "scratch")
    for path in (workspace.source, workspace.dataset, workspace.scratch):
        path.mkdir(parents=True)
    (workspace.source / "model.onnx").write_bytes(model.SerializeToString())
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    samples = np.random.default_rng(5).normal(size=(SAMPLES, *shape[1:])).astype("f4")
    np.savez(workspace.dataset / "dataset.npz", x=samples, labels=np.arange(SAMPLES) % CLASSES)
    plan = make_plan(registry, key, evidence, recipe_results, engine)
    write_baseline(workspace, plan, shape)
    monkeypatch.setenv("SKERRY_PLAN", plan.model_dump_json(by_alias=True))
    assess = AssessPlan(
        source_digest=DIGEST, evaluation=plan.evaluation, engine=engine,
        assessment_key=plan.build_key, registry=registry,
    )  # fmt: skip
    monkeypatch.setenv("SKERRY_ASSESS_PLAN", assess.model_dump_json(by_alias=True))
    for name in ("source", "dataset", "scratch"):
        monkeypatch.setenv(f"SKERRY_{name.upper()}_DIR", str(getattr(workspace, name)))
    monkeypatch.setenv("SKERRY_TERMINATION_LOG", str(folder / "termination-log"))
    return Job(workspace, plan, folder / "termination-log")


def make_plan(
    registry: RegistryAccess,
    key: str,
    evidence: str,
    recipe_results: int,
    name: str = "ONNXRuntime",
) -> JobPlan:
    engine = find_engine(name)
    pinned = PinnedArtifact(uri="oci://registry.test/a:1", digest=DIGEST)
    return JobPlan(
        edge_model="intent",
        namespace="assist",
        hardware_class=LABEL,
        build_key=hashlib.sha256(key.encode()).hexdigest(),
        evidence_key=hashlib.sha256(evidence.encode()).hexdigest(),
        engine=engine.name,
        engine_version=engine.version(),
        recipe_set=engine.recipe_set,
        baseline_engine=baseline_among(installed_engines(), engine.name),
        source=pinned,
        evaluation=EvaluationPlan(
            dataset=pinned, metric=Metric.ACCURACY, calibration_samples=16, golden_samples=2
        ),
        max_recipes=recipe_results,
        limits=ResourceLimits(),
        gates=Gates(),
        weights=Weights(),
        registry=registry,
    )


def write_baseline(workspace: Workspace, plan: JobPlan, shape: Sequence[int]) -> None:
    """Write what the stage that measures the baseline would: it has tests of its own."""
    inputs = (TensorInfo(name="x", datatype="FP32", shape=(-1, *shape[1:])),)
    evaluation = plan.evaluation
    dataset = load_evaluation(workspace.dataset / "dataset.npz", inputs, evaluation)
    sizes = sizes_for(evaluation)
    for split, part in split_dataset(dataset, evaluation.dataset.digest, sizes).items():
        samples_of(workspace, split, inputs).write(part)
    found = BaselineFile(
        engine_version="tests", inputs=inputs, outputs=(), p50_milliseconds=1,
        empty_peaks=(1,), baseline_peaks=(1,), anonymous_bytes=1,
    )  # fmt: skip
    workspace.write_baseline(found)


def write_validation(job: Job, chosen: str | None) -> Validation:
    """Write what the validation stage of the runtime image would: it has tests of its own."""
    recipe_results = tuple(
        MeasuredRecipe(result=make_recipe_result(one.recipe))
        for one in job.workspace.built_candidates()
    )
    certified = next((one for one in recipe_results if one.result.recipe == chosen), None)
    served = certified and ServedModel(
        engine=job.plan.engine,
        engine_version=job.plan.engine_version,
        recipe=certified.result.recipe,
        precision=certified.result.precision,
        batching=True,
        inputs=(TensorInfo(name="x", datatype="FP32", shape=(-1, FEATURES)),),
        outputs=(TensorInfo(name="y", datatype="FP32", shape=(-1, CLASSES)),),
        tolerance=Tolerance(absolute=1e-3, relative=1e-3),
        certified=certified.result,
    )
    found = Validation(
        recipe_results=recipe_results,
        chosen=chosen,
        certified=certified,
        served=served or None,
        baseline="tests",
    )
    job.workspace.measure.mkdir(exist_ok=True)
    job.workspace.write_validation(found)
    job.workspace.golden.write_bytes(b"stands for golden samples")
    return found


def make_recipe_result(recipe: str, message: str = "") -> RecipeResult:
    """Return a measured recipe result with all its figures."""
    interval = Interval(value="1.23456789", low="1.1", high="1.3")
    return RecipeResult(
        recipe=recipe, precision=Precision.INT8, outcome=RecipeOutcome.MEASURED, bytes=1234,
        quality=interval, speedup=interval, memory_reduction=interval, p50_milliseconds="1.5",
        memory_bytes=10, message=message,
    )  # fmt: skip
