"""ONNX files are imported as they are: alone, as model zoos pack them, with weights next to them, with ZipMap."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.importing.trained import Saved

WIDTH = 8


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Return a model with three sets of samples and answers, as a model zoo lays them out."""
    folder = tmp_path / "zoo" / "relu"
    folder.mkdir(parents=True)
    onnx.save(network(), folder / "relu.onnx")
    random = np.random.default_rng(1)
    for number in range(3):
        sets = folder / f"test_data_set_{number}"
        sets.mkdir()
        data = random.normal(loc=0.3, size=(400, WIDTH)).astype("f4")
        for name, array in (("input_0", data), ("output_0", np.maximum(data, 0))):
            tensor = numpy_helper.from_array(array)
            (sets / f"{name}.pb").write_bytes(tensor.SerializeToString())
    return folder


def network(rows: str = "batch") -> onnx.ModelProto:
    """Return a small model of one input and one output."""
    return parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> zoo (float[{rows}, {WIDTH}] data)'
        f" => (float[{rows}, {WIDTH}] parts) {{ parts = Relu (data) }}"
    )


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_samples_of_a_zoo_check_the_model_and_measure_it(
    packed: bool,  # noqa: FBT001 - a parameter of the table
    zoo: Path,
    run_import: Callable[..., str],
    tmp_path: Path,
) -> None:
    path = zoo
    if packed:
        path = tmp_path / "relu.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(zoo, "relu")
    said = run_import(path)
    assert "100.0% of 400 samples as test_data_set_0 does" in said
    assert "NearestNeighbors: there are no labels" in said
    with np.load(tmp_path / "relu" / "dataset" / "dataset.npz") as archive:
        assert archive["data"].shape == (1200, WIDTH)
    assert onnx.load(tmp_path / "relu" / "model" / "model.onnx") == network()


def test_answers_other_than_the_shipped_are_refused(
    zoo: Path, run_import: Callable[..., str], tmp_path: Path
) -> None:
    tensor = numpy_helper.from_array(np.ones((400, WIDTH), np.float32))
    (zoo / "test_data_set_0" / "output_0.pb").write_bytes(tensor.SerializeToString())
    said = run_import(zoo, ends=1)
    assert "answers 100% of 400 samples otherwise than test_data_set_0" in said
    assert not (tmp_path / "relu").exists(), "nothing is left of an import that failed"


def test_few_samples_of_a_zoo_are_refused_by_the_assessment(
    zoo: Path, run_import: Callable[..., str]
) -> None:
    for number in (1, 2):
        for file in (zoo / f"test_data_set_{number}").iterdir():
            file.unlink()
    said = run_import(zoo, ends=1)
    assert "the data set has 400 samples and 1136 are needed" in said
    assert "name more samples by --data" in said


def test_zipmap_is_cut_off(saved: Saved, run_import: Callable[..., str], tmp_path: Path) -> None:
    import joblib  # noqa: PLC0415 - seconds, on each worker
    from skl2onnx import convert_sklearn  # noqa: PLC0415
    from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415

    forest = joblib.load(saved.folder / "forest.joblib")
    made = convert_sklearn(forest, initial_types=[("x", FloatTensorType([None, 6]))])
    assert any(node.op_type == "ZipMap" for node in made.graph.node)
    onnx.save(made, tmp_path / "zipped.onnx")
    words = ("--data", saved.folder / "kind.csv", "--labels", "kind")
    assert "cut off" in run_import(tmp_path / "zipped.onnx", *words)
    found = onnx.load(tmp_path / "zipped" / "model" / "model.onnx")
    assert [one.type.WhichOneof("value") for one in found.graph.output] == ["tensor_type"] * 2


def test_weights_in_other_files_come_along(run_import: Callable[..., str], tmp_path: Path) -> None:
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> apart (float[n, 64] x) => (float[n, 64] y) { y = MatMul (x, w) }'
    )
    model.graph.initializer.append(numpy_helper.from_array(np.eye(64, dtype="f4"), "w"))
    folder = tmp_path / "apart"
    folder.mkdir()
    onnx.save(
        model, folder / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0
    )
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(1200, 64)))
    run_import(folder / "m.onnx", "--data", tmp_path / "x.npy", "-o", "out")
    files = sorted(path.name for path in (tmp_path / "out" / "model").iterdir())
    assert files == ["m.data", "model.onnx"]
    (folder / "m.data").unlink()
    said = run_import(folder / "m.onnx", "--data", tmp_path / "x.npy", "-o", "other", ends=1)
    assert "it keeps weights in m.data, which is not next to it" in said


def test_a_fixed_first_axis_is_named(run_import: Callable[..., str], tmp_path: Path) -> None:
    onnx.save(network(rows="1"), tmp_path / "one.onnx")
    data = np.random.default_rng(1).normal(size=(600, WIDTH))
    np.savez(tmp_path / "one.npz", data=data, wanted=data.argmax(axis=1))
    said = run_import(tmp_path / "one.onnx", "--data", tmp_path / "one.npz", "--labels", "wanted")
    assert "data takes 1 at a time: it is asked row by row" in said
