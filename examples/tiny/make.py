"""Makes a small classifier for quick tries: `python examples/tiny/make.py OUTDIR`.

    OUTDIR/v1/model.onnx          a perceptron of two hidden layers, 1.1 million parameters
    OUTDIR/v2/model.onnx          the same of other weights, for an update; equally good
    OUTDIR/dataset/dataset.npz    2,000 samples `features` with their `labels`, for accuracy

Eight classes on interleaved spirals, mixed into 64 dimensions with noise, are separated by random
ReLU features and a ridge regression in closed form: no training loop, two seconds in all. The
layers are wide enough that quantization pays off, so every gate has something to decide.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]

CLASSES = 8
DIMENSIONS = 64
HIDDEN = 1024
TRAINING = 6000
SAMPLES = 2000
NOISE = 0.06
RIDGE = 1.0
DECIMALS = 4
"""The fitted weights are rounded, so that another machine's last bits make no other digest."""


def main(out: Path) -> None:
    """Write both models and the data set below `out`."""
    features, labels = spirals(TRAINING + SAMPLES)
    held_out = slice(TRAINING, None)
    for seed, name in enumerate(("v1", "v2"), start=1):
        layers = fit(features[:TRAINING], labels[:TRAINING], seed)
        accuracy = np.mean(scores(features[held_out], layers).argmax(1) == labels[held_out])
        file = out / name / "model.onnx"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(graph(layers).SerializeToString(deterministic=True))
        print(f"{file}: accuracy {accuracy:.3f}, {file.stat().st_size / 1e6:.1f} MB")
    dataset = out / "dataset" / "dataset.npz"
    dataset.parent.mkdir(parents=True, exist_ok=True)
    np.savez(dataset, features=features[held_out], labels=labels[held_out])
    print(f"{dataset}: {SAMPLES} samples")


def spirals(count: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return samples of shape (count, DIMENSIONS) and their classes."""
    random = np.random.default_rng(7)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    radius = np.sqrt(random.uniform(0.05, 1, count))
    angle = 2 * np.pi * labels / CLASSES + 3 * radius + random.normal(0, NOISE, count) / radius
    plane = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    mixed = plane @ random.normal(size=(2, DIMENSIONS))
    return np.round(mixed + random.normal(0, NOISE, mixed.shape), DECIMALS).astype("f4"), labels


def fit(features: Floats, labels: NDArray[np.int64], seed: int) -> list[tuple[Floats, Floats]]:
    """Return kernel and bias of each layer, all random but the last: a ridge regression."""
    random = np.random.default_rng(seed)
    layers = []
    for inputs in (DIMENSIONS, HIDDEN):
        kernel = random.normal(0, np.sqrt(2 / inputs), (inputs, HIDDEN)).astype("f4")
        layers.append((kernel, random.normal(0, 0.5, HIDDEN).astype("f4")))
    hidden = scores(features, layers, hidden=True).astype("f8")
    design = np.hstack([hidden, np.ones((len(hidden), 1))])
    targets = np.eye(CLASSES)[labels] * 2 - 1
    normal = design.T @ design + RIDGE * np.eye(HIDDEN + 1)
    solution = np.round(np.linalg.solve(normal, design.T @ targets), DECIMALS).astype("f4")
    return [*layers, (solution[:-1], solution[-1])]


def scores(values: Floats, layers: list[tuple[Floats, Floats]], *, hidden: bool = False) -> Floats:
    """Return what the layers make of values; `hidden` says that the last is followed by a ReLU."""
    for index, (kernel, bias) in enumerate(layers):
        values = values @ kernel + bias
        if hidden or index + 1 < len(layers):
            values = np.maximum(values, 0)
    return values


def graph(layers: list[tuple[Floats, Floats]]) -> onnx.ModelProto:
    """Return the perceptron as ONNX: `features` (batch, 64) to `scores` (batch, 8), float32."""
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    value = "features"
    for index, (kernel, bias) in enumerate(layers):
        names = [f"kernel_{index}", f"bias_{index}"]
        weights += map(numpy_helper.from_array, (kernel, bias), names)
        last = index + 1 == len(layers)
        total = "scores" if last else f"sum_{index}"
        nodes.append(helper.make_node("MatMul", [value, names[0]], [f"product_{index}"]))
        nodes.append(helper.make_node("Add", [f"product_{index}", names[1]], [total]))
        if not last:
            value = f"hidden_{index}"
            nodes.append(helper.make_node("Relu", [total], [value]))
    shapes = (("features", DIMENSIONS), ("scores", CLASSES))
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])]
        for name, width in shapes
    )
    for node, name in zip(nodes, (node.output[0] for node in nodes), strict=True):
        node.name = name
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", inputs, outputs, weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
        producer_name="skerry-examples-tiny",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes the files of this example.")
    parser.add_argument("folder", metavar="OUTDIR", type=Path, help="Where to.")
    main(parser.parse_args().folder)
