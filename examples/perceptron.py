"""What the examples of small networks share: a perceptron of scikit-learn as ONNX, and its files.

    OUTDIR/model/model.onnx       pushed by examples/push.py, named by spec.source
    OUTDIR/dataset/dataset.npz    samples that it was not trained on, named by spec.evaluation.dataset

Layers are written as MatMul and Add, which every recipe of ONNX Runtime knows how to shrink.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Floats = NDArray[np.float32]
Layer = tuple[Floats, Floats]
"""A kernel of shape (inputs, outputs) and a bias of shape (outputs,)."""
Made = tuple[onnx.ModelProto, dict[str, NDArray[Any]]]
"""A model, and the arrays of its data set."""

OPSET = 17


def layers_of(trained: Any) -> list[Layer]:
    """Return the layers of a fitted MLPClassifier or MLPRegressor."""
    pairs = zip(trained.coefs_, trained.intercepts_, strict=True)
    return [(kernel.astype(np.float32), bias.astype(np.float32)) for kernel, bias in pairs]


def network(
    inputs: Mapping[str, int],
    layers: Sequence[Layer],
    output: str,
    prepare: Sequence[onnx.NodeProto] = (),
) -> onnx.ModelProto:
    """Return a perceptron with ReLU between its layers, float32, its first axis free.

    `prepare` makes the first layer's features of several `inputs` (name to width): the output of its
    last node; without it there is one input.
    """
    value = prepare[-1].output[0] if prepare else next(iter(inputs))
    nodes = list(prepare)
    weights: list[onnx.TensorProto] = []
    for index, layer in enumerate(layers):
        last = index + 1 == len(layers)
        names = [f"kernel_{index}", f"bias_{index}"]
        weights += map(numpy_helper.from_array, layer, names)
        total = output if last else f"sum_{index}"
        nodes.append(helper.make_node("MatMul", [value, names[0]], [f"product_{index}"]))
        nodes.append(helper.make_node("Add", [f"product_{index}", names[1]], [total]))
        if not last:
            value = f"hidden_{index}"
            nodes.append(helper.make_node("Relu", [total], [value]))
    for node in nodes:
        node.name = node.output[0]
    return _checked(nodes, inputs, {output: len(layers[-1][1])}, weights)


def _checked(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, int],
    outputs: Mapping[str, int],
    weights: Sequence[onnx.TensorProto],
) -> onnx.ModelProto:
    given, returned = (
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
            for name, width in widths.items()
        ]
        for widths in (inputs, outputs)
    )
    model = helper.make_model(
        helper.make_graph(nodes, "perceptron", given, returned, weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
        producer_name="skerry-examples",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def run_script(make: Callable[[], Made]) -> None:
    """Write what `make` returns below the folder that the command line names.

    One thread: sums of several come in another order, and every bit of a weight is in its digest.
    """
    parser = argparse.ArgumentParser(description="Makes the files of this example.")
    parser.add_argument("outdir", type=Path, metavar="OUTDIR")
    out = parser.parse_args().outdir
    with threadpool_limits(1):
        model, arrays = make()
    file, dataset = out / "model" / "model.onnx", out / "dataset" / "dataset.npz"
    for path in (file, dataset):
        path.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(model.SerializeToString(deterministic=True))
    np.savez(dataset, allow_pickle=False, **arrays)
    samples = len(next(iter(arrays.values())))
    print(f"{file}: {file.stat().st_size / 1e3:.0f} kB")
    print(f"{dataset}: {samples} samples of {', '.join(arrays)}")
