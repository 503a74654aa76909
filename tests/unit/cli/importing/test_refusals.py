"""What can't be imported is reported in two lines: what and where, and one cure; nothing is left of it."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pytest

from skerry.cli.errors import CliError
from skerry.cli.importing.kinds import KINDS
from skerry.cli.importing.samples import column, read_samples
from skerry.cli.importing.writing import name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.importing.trained import Saved

LONGEST = 200


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["nowhere.onnx"], ["there is no such file or folder"]),
        (["weights.pth"], ["weights without the model's code", "torch.export.save"]),
        (["notes.md"], ["models of this kind are not imported", ".onnx, "]),
        (["empty"], ["models of this kind are not imported"]),
        (["forest.joblib"], ["a data set is needed", "--data"]),
        (["dict.pkl", "--data", "kind.csv"], ["the pickle holds a dict", "joblib.dump(pipeline"]),
        (["torn.pkl", "--data", "kind.csv"], ["the pickle can't be opened"]),
        (["torn.onnx", "--data", "kind.csv"], ["onnx can't export it", "export it again"]),
        (["torn.ubj", "--data", "kind.csv"], ["XGBoost can't export it", "save_model"]),
        (["unfitted.joblib", "--data", "kind.csv"], ["the estimator is not fitted"]),
        (["forest.joblib", "--data", "kind.csv"],
         ["it has 7 columns without the labels, and the model takes 6", "--labels"]),
        (["forest.joblib", "--data", "animal.csv"], ["the column animal holds text", "--labels"]),
        (["forest.joblib", "--data", "kind.csv", "--labels", "animal"],
         ["there are no labels named animal", "it has sensor0, "]),
        (["forest.joblib", "--data", "animal.csv", "--labels", "animal"],
         ["the labels name cat, dog, owl, and the model's classes are 0, 1, 2"]),
        (["xgboost.json", "--data", "mixed.csv", "--labels", "bought"],
         ["it lacks the columns sensor0, "]),
        (["mixed.joblib", "--data", "kind.csv", "--labels", "kind"],
         ["it lacks the columns city, age, income, which the model was trained with"]),
        (["forest.joblib", "--data", "few.csv", "--labels", "kind"],
         ["the data set has 9 samples and 536 are needed"]),
        (["forest.joblib", "--data", "kind.csv", "--labels", "kind", "--name", "my.model"],
         ["must be a DNS label", "--name"]),
        (["forest.joblib", "--data", "kind.csv", "--labels", "kind", "--registry", "A b"],
         ["spec.source.uri: ", "--registry"]),
        (["forest.joblib", "--data", "kind.csv", "--labels", "kind", "--class", "x_y"],
         ["spec.targets[0].hardwareClassName: ", "--class"]),
        (["forest.joblib", "--data", "notes.md"], ["data of this kind is not read", ".csv with a header"]),
        (["forest.joblib", "--data", "objects.npz"], ["cannot be read", "no objects"]),
        (["forest.joblib", "--data", "kind.csv", "--labels", "kind", "-o", "empty/.."],
         ["it is not empty, and an import overwrites nothing"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[0][0] != "i" else "",
)  # fmt: skip
def test_it_is_reported(
    words: list[str], messages: list[str], saved: Saved, run_import: Callable[..., str],
    tmp_path: Path,
) -> None:  # fmt: skip
    lay_out(tmp_path, saved)
    before = sorted(tmp_path.rglob("*"))
    said = run_import(*words, ends=1)
    for message in messages:
        assert message in said
    assert sorted(tmp_path.rglob("*")) == before
    if "the data set has" not in said:  # in the assessment's own words
        assert all(len(line) <= LONGEST for line in said.splitlines()), said


EXPORTERS = {
    "forest.joblib": [("onnxruntime", "import"), ("skl2onnx", "import-sklearn")],
    "xgboost.json": [("onnxmltools", "import-xgboost"), ("xgboost", "import-xgboost")],
    "lightgbm.txt": [("lightgbm", "import-lightgbm")],
    "program.pt2": [("torch", "import-torch")],
    "network.keras": [("tensorflow", "import-tensorflow")],
    "network": [("tensorflow", "import-tensorflow")],
}


@pytest.mark.parametrize("file", EXPORTERS)
def test_a_missing_exporter_is_named_with_its_extra(
    file: str, saved: Saved, run_import: Callable[..., str], tmp_path: Path
) -> None:
    lay_out(tmp_path, saved)
    for package, extra in EXPORTERS[file]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setitem(sys.modules, package, None)
            said = run_import(file, "--data", "kind.csv", "--labels", "kind", ends=1)
        assert f"this kind of model needs the package {package}" in said
        assert f"pip install 'skerry[{extra}]'" in said


def lay_out(folder: Path, saved: Saved) -> None:
    """Put models and data of all sorts into a folder."""
    shutil.copytree(saved.folder, folder, dirs_exist_ok=True)
    (folder / "empty").mkdir()
    (folder / "network").mkdir()
    (folder / "network" / "saved_model.pb").touch()
    for name in ("weights.pth", "notes.md", "program.pt2", "network.keras"):
        (folder / name).touch()
    for name in ("torn.pkl", "torn.onnx", "torn.ubj"):
        (folder / name).write_bytes(b"\x80\x05torn")
    joblib.dump({"model": 1}, folder / "dict.pkl")
    joblib.dump(type(joblib.load(folder / "forest.joblib"))(), folder / "unfitted.joblib")
    lines = (folder / "kind.csv").read_text().splitlines()
    (folder / "few.csv").write_text("\n".join(lines[:10]))
    np.savez(folder / "objects.npz", x=np.array([{}]), allow_pickle=True)


def test_every_kind_has_an_importer() -> None:
    for kind in KINDS:
        assert callable(kind.load())


@pytest.mark.parametrize(
    ("cells", "kind", "last"),
    [
        (["1", "2"], "i", 2),
        (["1", "2.5"], "f", 2.5),
        (["1", " "], "f", None),
        (["True", "false"], "b", False),
        (["True", "1"], "U", "1"),
        (["1", "x"], "U", "x"),
        (["", "x"], "U", "x"),
        (["9" * 30, "1"], "f", 1.0),
    ],
)
def test_columns_have_the_type_of_their_cells(cells: list[str], kind: str, last: object) -> None:
    found = column(cells)
    assert found.dtype.kind == kind
    assert found[-1] == last if last is not None else np.isnan(found[-1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no rows"),
        ("a,b\n", "it has no rows"),
        ("a,b\n1\n", "row 2 has not as many cells as the header"),
        ("a,a\n1,2\n", "two of its columns have the same name"),
    ],
)
def test_a_table_that_is_none_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text(text)
    with pytest.raises(CliError, match=message):
        read_samples(file, None)


def test_broken_archives_and_arrays_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "whole.npz", x=np.random.default_rng(1).normal(size=(40, 40)))
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "torn.npz").write_bytes(whole[: len(whole) // 2])
    spoiled = bytearray(whole)
    spoiled[200:240] = b"\xff" * 40  # zlib refuses the stream
    (tmp_path / "spoiled.npz").write_bytes(spoiled)
    (tmp_path / "torn.npy").write_bytes(b"torn")
    for data, labels in (("torn.npz", None), ("spoiled.npz", None), ("whole.npz", "torn.npy")):
        with pytest.raises(CliError, match="cannot be read: "):
            read_samples(tmp_path / data, labels)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_may_have_other_delimiters(delimiter: str, tmp_path: Path) -> None:
    lines = [["a", "b, c"], ["1", "2.5"]]
    quoted = (delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    (tmp_path / "table.csv").write_text("\ufeff" + "\n".join(quoted))
    assert list(read_samples(tmp_path / "table.csv", None).arrays) == ["a", "b, c"]


def test_labels_may_lie_in_a_file_of_their_own(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    np.save(tmp_path / "y.npy", np.arange(3))
    found = read_samples(tmp_path / "x.npy", "y.npy")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 2]
    np.save(tmp_path / "y.npy", np.arange(4))
    with pytest.raises(CliError, match="differ in their count of samples: data 3, labels 4"):
        read_samples(tmp_path / "x.npy", "y.npy")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Resnet50_v2.onnx", "resnet50-v2"),
        ("relu.tar.gz", "relu"),
        ("2024-churn.model.joblib", "churn-model"),
        ("saved", "saved"),
        ("東京.pkl", "model"),
        (f"{'a' * 60}.pkl", "a" * 40),
    ],
)
def test_a_file_gives_a_name_that_an_edgemodel_may_have(
    path: str, name: str, tmp_path: Path
) -> None:
    assert name_of(tmp_path / path) == name
