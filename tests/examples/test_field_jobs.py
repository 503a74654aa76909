"""Models that exporters write and examples don't show, through both jobs, as the operator plans them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import numpy_helper, parser

from skerry_runtime.datatypes import usable
from skerry_runtime.engine import load_model
from tests.examples.local_job import CLASS, LocalJobs
from tests.model_kinds import shows
from tests.unit.runtime import measuring

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.unit.decide.plan_world import World
    from tests.unit.optimizer.registries import Registry

pytestmark = pytest.mark.timeout(120)  # dozens of processes

SAMPLES, CLASSES = 600, 4
CITIES = np.array(["Zürich", "Łódź", "東京"])


def weights(**shapes: tuple[int, ...]) -> list[onnx.TensorProto]:
    random = np.random.default_rng(3)
    return [
        numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]


def fixed_batch() -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    """Return a network of convolutions that takes one image, and images."""
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> fixed (float[1, 1, 8, 8] image) => (float[1, 4] scores)'
        " { maps = Conv <pads = [1, 1, 1, 1]> (image, kernel)  active = Relu (maps)"
        "   pooled = GlobalAveragePool (active)  flat = Flatten (pooled)  scores = MatMul (flat, head) }"
    )
    model.graph.initializer.extend(weights(kernel=(8, 1, 3, 3), head=(8, CLASSES)))
    images = np.random.default_rng(4).normal(size=(SAMPLES, 1, 8, 8)).astype(np.float32)
    return model, {"image": images}


def text_and_scalar() -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    """Return a model of a text column and numbers, which also gives a constant, and a table."""
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]>'
        " mixed (string[batch, 1] city, float[batch, 8] readings) => (float[batch, 4] scores, float[] scale)"
        ' { encoded = ai.onnx.ml.OneHotEncoder <cats_strings = ["Zürich", "Łódź", "東京"]> (city)'
        "   form = Constant <value = int64[2] {-1, 3}> ()  flat = Reshape (encoded, form)"
        "   row = Concat <axis = 1> (flat, readings)  scores = MatMul (row, head)"
        "   scale = Constant <value = float {100.0}> () }"
    )
    model.graph.initializer.extend(weights(head=(11, CLASSES)))
    random = np.random.default_rng(5)
    readings = random.normal(size=(SAMPLES, 8)).astype(np.float32)
    return model, {"city": CITIES[random.integers(3, size=(SAMPLES, 1))], "readings": readings}


def lay_out(folder: Path, model: onnx.ModelProto, arrays: dict[str, NDArray[Any]]) -> None:
    """Write model and data set; each label is the model's own best class."""
    for name in ("model", "dataset"):
        (folder / name).mkdir(parents=True)
    onnx.save(model, folder / "model" / "model.onnx")
    loaded = load_model("ONNXRuntime", folder / "model" / "model.onnx", threads=1)
    best = [
        int(
            loaded.run(["scores"], {k: usable(v[row : row + 1]) for k, v in arrays.items()})[
                0
            ].argmax()
        )
        for row in range(SAMPLES)
    ]
    np.savez(folder / "dataset" / "dataset.npz", labels=np.array(best), **arrays)  # type: ignore[arg-type]


@shows("fixed batch", "text", "scalar output")
@pytest.mark.parametrize(
    ("made", "batching"),
    [(fixed_batch(), False), (text_and_scalar(), False)],
    ids=["fixed batch", "text and scalar"],
)
def test_it_is_built_certified_and_rolled_out(
    made: tuple[onnx.ModelProto, dict[str, NDArray[Any]]],
    batching: bool,  # noqa: FBT001 - a parameter of the table
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measuring.with_short_blocks(monkeypatch)
    measuring.with_one_memory_process(monkeypatch)
    lay_out(tmp_path / "made", *made)
    uri = f"oci://registry.example:5000/{{}}/field-{tmp_path.name.replace('_', '-').lower()}:1"
    spec = {
        "source": {"uri": uri.format("models")},
        "evaluation": {"dataset": {"uri": uri.format("datasets")}, "metric": "Accuracy"},
        "targets": [{"hardwareClassName": CLASS}],
        "gates": {
            "quality": "0.9",
            "speedup": "0.1",
            "allowMarginal": True,
        },
        "optimization": {"search": {"maxRecipes": 2}},
        "serving": {"resources": {"limits": {"cpu": "1", "memory": "256Mi"}}},
    }
    manifest = tmp_path / "edgemodel.yaml"
    manifest.write_text(yaml.safe_dump({"spec": spec}))
    jobs = LocalJobs(tmp_path / "made", tmp_path, registry, monkeypatch)
    state: World = jobs.until_built(jobs.world(str(manifest)))
    (variant,) = state.snapshot.variants.values()
    certificate = variant.status.certificate
    assert certificate is not None, (variant.status.gates, variant.status.recipe_results)
    assert certificate.certified.batching is batching
