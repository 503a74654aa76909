"""Networks of PyTorch and TensorFlow, where these are installed: `make setup` leaves out what takes gigabytes.

To run these: `pip install torch onnxscript` or `pip install tensorflow tf2onnx`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of their own dependencies

SAMPLES = 700


@pytest.mark.parametrize("fixed", [False, True], ids=["open batch", "fixed batch"])
def test_a_program_of_pytorch(
    fixed: bool,  # noqa: FBT001 - a parameter of the table
    run_import: Callable[..., str],
    tmp_path: Path,
) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 3)
    ).eval()
    images = np.random.default_rng(1).normal(size=(SAMPLES, 1, 8, 8)).astype("f4")
    rows = 1 if fixed else 2
    batch = None if fixed else ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (torch.zeros(rows, 1, 8, 8),), dynamic_shapes=batch)
    torch.export.save(program, tmp_path / "network.pt2")
    best = network(torch.from_numpy(images)).argmax(1).numpy()
    np.savez(tmp_path / "images.npz", images=images, labels=best)
    said = run_import("network.pt2", "--data", "images.npz")
    assert "100.0% of 128 samples as PyTorch does" in said
    assert ("asked row by row" in said) is fixed
    assert "assessment  Convolutional of" in said


@pytest.mark.parametrize("kind", ["keras", "saved_model"])
def test_a_network_of_tensorflow(kind: str, run_import: Callable[..., str], tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    pytest.importorskip("tf2onnx")
    layers = tensorflow.keras.layers
    network = tensorflow.keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(4, 3),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    images = np.random.default_rng(1).normal(size=(SAMPLES, 8, 8, 1)).astype("f4")
    best = network.predict(images, verbose=0).argmax(1)
    np.savez(tmp_path / "images.npz", image=images, labels=best)
    if kind == "keras":
        network.save(tmp_path / "network.keras")
        said = run_import("network.keras", "--data", "images.npz")
    else:
        network.export(tmp_path / "saved", verbose=False)
        said = run_import("saved", "--data", "images.npz")
    assert "100.0% of 128 samples as TensorFlow does" in said
    assert "assessment  Convolutional of" in said
