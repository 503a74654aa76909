"""The examples' files: equal wherever they are made, and what their README says they are."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.engines import find_engine
from skerry_optimizer.models.running import likeness, load, run

if TYPE_CHECKING:
    import pytest

ENGINE = find_engine("ONNXRuntime")
EXAMPLES = Path(__file__).parents[3] / "examples"


def test_the_tiny_example_is_made_in_seconds_and_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = str(EXAMPLES / "tiny" / "make.py")
    subprocess.run([sys.executable, script, str(tmp_path / "a")], check=True)
    monkeypatch.setattr(sys, "argv", [script, str(tmp_path / "b")])
    runpy.run_path(script, run_name="__main__")
    files = ("v1/model.onnx", "v2/model.onnx", "dataset/dataset.npz")
    contents = [[(tmp_path / name / file).read_bytes() for file in files] for name in ("a", "b")]
    assert contents[0] == contents[1]
    assert contents[0][0] != contents[0][1]
    dataset = np.load(tmp_path / "a" / "dataset" / "dataset.npz")
    for version in ("v1", "v2"):
        session = load(ENGINE, tmp_path / "a" / version / "model.onnx")
        scores = run(session, {"features": dataset["features"]})["scores"]
        assert np.mean(scores.argmax(1) == dataset["labels"]) > 0.98


def test_all_editions_of_the_encoder_answer_alike(tmp_path: Path) -> None:
    parts = runpy.run_path(str(EXAMPLES / "minilm" / "encoder_graph.py"))
    config = {
        "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "layer_norm_eps": 1e-12,
    }  # fmt: skip
    weights = random_weights(config, inner=64)
    sample = {
        "input_ids": np.array([[1, 5, 9, 2, 0, 0]], np.int64),
        "attention_mask": np.array([[1, 1, 1, 1, 0, 0]], np.int64),
    }
    longer = {key: np.ones((1, 70), np.int64) for key in sample}
    answers, to_longer = [], []
    for name, edition in parts["EDITIONS"].items():
        file = tmp_path / f"{name}.onnx"
        model = parts["EncoderGraph"](weights, config, edition).build()
        file.write_bytes(model.SerializeToString())
        answers.append(run(load(ENGINE, file), sample))
        to_longer.append(run(load(ENGINE, file), longer))
    for found in (answers, to_longer):
        assert all(likeness(found[0], other) > 0.99999 for other in found[1:])
    # Padding has no say: the same sentence without it gives the same embedding.
    short = {key: value[:, :4] for key, value in sample.items()}
    assert likeness(run(load(ENGINE, tmp_path / "v1.onnx"), short), answers[0]) > 0.99999


def random_weights(config: dict[str, Any], inner: int) -> dict[str, Any]:
    random = np.random.default_rng(3)
    width = config["hidden_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (50, width),
        "embeddings.position_embeddings.weight": (512, width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    dense = {"attention.output.dense": (width, width), "intermediate.dense": (inner, width)}
    dense |= {f"attention.self.{part}": (width, width) for part in ("query", "key", "value")}
    dense["output.dense"] = (width, inner)
    norms = ["embeddings.LayerNorm"]
    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}"
        for name, shape in dense.items():
            shapes[f"{prefix}.{name}.weight"] = shape
            shapes[f"{prefix}.{name}.bias"] = shape[:1]
        norms += [f"{prefix}.attention.output.LayerNorm", f"{prefix}.output.LayerNorm"]
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return {name: random.normal(0, 0.3, shape).astype("f4") for name, shape in shapes.items()}


def test_this_python_carries_enough_different_sentences() -> None:
    parts = runpy.run_path(str(EXAMPLES / "minilm" / "python_sentences.py"))
    sentences = parts["collect_sentences"](1500)
    assert len(set(sentences)) == 1500
    assert sentences == parts["collect_sentences"](1500)
    assert all(sentence.endswith(".") and len(sentence.split()) >= 7 for sentence in sentences)
