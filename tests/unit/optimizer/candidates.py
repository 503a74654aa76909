"""Makes a candidate as the stage `quantize` does, without a job around it: for the engines' own tests."""

from __future__ import annotations

import runpy
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.engines import SOURCE, Ingredients, find_engine
from skerry_optimizer.cpu import cpu_flags
from skerry_optimizer.models.running import likeness, load, run
from tests.unit.optimizer.test_examples import random_weights

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from skerry.engines import EnginePlugin

CALIBRATION = 32
COMPARED = 8
ENCODER_GRAPH = Path(__file__).parents[3] / "examples" / "minilm" / "encoder_graph.py"


@dataclass(frozen=True)
class Kitchen:
    """An engine, a converted source and samples to make candidates of."""

    engine: EnginePlugin
    folder: Path
    samples: list[dict[str, NDArray[Any]]]

    @property
    def source(self) -> Path:
        """The converted source."""
        return self.engine.model_in(self.folder / SOURCE)

    def make(self, recipe: str) -> Path:
        """Make a candidate, once; returns the file to load. Raises what the recipe raises."""
        target = self.engine.model_in(self.folder / recipe)
        if target.exists():
            return target
        scratch = self.folder / f"{recipe}-work"
        shutil.copytree(self.folder / SOURCE, scratch)
        target.parent.mkdir()
        ingredients = Ingredients(self.engine.model_in(scratch), target, self.samples, cpu_flags())
        self.engine.recipe(recipe).make(ingredients)
        return target

    def likeness(self, file: Path) -> float:
        """Return the least cosine of a model's answers to the original source's, over some samples."""
        model = load(self.engine, file)
        answers = [run(model, sample) for sample in self.samples[:COMPARED]]
        return min(likeness(*pair) for pair in zip(self.expected, answers, strict=True))

    @cached_property
    def expected(self) -> list[dict[str, NDArray[Any]]]:
        """What the source answers, as it came."""
        model = load(self.engine, self.folder / "model.onnx")
        return [run(model, sample) for sample in self.samples[:COMPARED]]


def kitchen(name: str, model: onnx.ModelProto, folder: Path, **samples: NDArray[Any]) -> Kitchen:
    """Convert a source; without samples, of the shape of its one input."""
    engine = find_engine(name)
    (folder / SOURCE).mkdir(parents=True)
    original, prepared = folder / "model.onnx", folder / "prepared.onnx"
    original.write_bytes(model.SerializeToString())
    shutil.copyfile(original, prepared)
    engine.convert(prepared, engine.model_in(folder / SOURCE))
    if not samples:
        shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
        random = np.random.default_rng(5)
        samples = {"x": random.normal(size=(CALIBRATION, *shape[1:])).astype("f4")}
    count = len(next(iter(samples.values())))
    rows = [{name: array[i : i + 1] for name, array in samples.items()} for i in range(count)]
    return Kitchen(engine, folder, rows)


def encoder(folder: Path, layers: int = 2) -> Kitchen:
    """Return a transformer with random weights, converted for OpenVINO, and token ids for it."""
    parts = runpy.run_path(str(ENCODER_GRAPH))
    config = {
        "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": layers, "layer_norm_eps": 1e-12,
    }  # fmt: skip
    weights = random_weights(config, inner=128)
    model = parts["EncoderGraph"](weights, config, parts["EDITIONS"]["v1"]).build()
    ids = np.random.default_rng(2).integers(0, 50, size=(24, 12))
    mask = np.ones_like(ids)
    return kitchen("OpenVINO", model, folder, input_ids=ids, attention_mask=mask)
