"""What scikit-learn, XGBoost and LightGBM have saved is imported, answers as there, and passes the assessment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from skerry.api import EdgeModel
from skerry_runtime.datatypes import usable
from skerry_runtime.engine import load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.unit.cli.importing.trained import Saved

CASES = {
    "forest.joblib": ("kind.csv", "kind", "Accuracy"),
    "words.pkl": ("animal.csv", "animal", "Accuracy"),
    "search.joblib": ("owl.csv", "owl", "Accuracy"),
    "values.joblib": ("value.csv", "value", "RMSE"),
    "mixed.joblib": ("mixed.csv", "bought", "Accuracy"),
    "mixed_xgboost.joblib": ("mixed.csv", "bought", "Accuracy"),
    "mixed_lightgbm.joblib": ("mixed.csv", "bought", "Accuracy"),
    "documents.joblib": ("notes.csv", "leaks", "Accuracy"),
    "clusters.joblib": ("unlabeled.csv", None, "Accuracy"),
    "xgboost.pkl": ("kind.csv", "kind", "Accuracy"),
    "xgboost.json": ("kind.csv", "kind", "Accuracy"),
    "xgboost.ubj": ("value.npz", "labels", "RMSE"),
    "lightgbm.pkl": ("animal.csv", "animal", "Accuracy"),
    "lightgbm.txt": ("kind.csv", "kind", "Accuracy"),
}
"""A file, the data that its model has not seen, the labels in it, and the metric that suits."""


@pytest.mark.parametrize("name", CASES)
def test_it_answers_as_its_library_does(
    name: str, saved: Saved, run_import: Callable[..., str], tmp_path: Path
) -> None:
    data, labels, metric = CASES[name]
    named = ["--labels", labels] if labels else []
    said = run_import(saved.folder / name, "--data", saved.folder / data, *named, "--name", "one")
    assert "100.0% of 128 samples as" in said
    assert "can be quantized" in said, "the assessment's own words"
    manifest = yaml.safe_load((tmp_path / "one" / "edgemodel.yaml").read_text())
    assert EdgeModel.model_validate(manifest).spec.evaluation.metric == metric
    answers, known = answered(tmp_path / "one")
    np.testing.assert_allclose(answers, saved.wanted[name], rtol=1e-4)
    assert known.dtype.kind == ("f" if metric == "RMSE" else "i")
    if metric == "Accuracy":
        assert (answers == known).mean() > 0.8, "the labels name the classes as the model does"


def test_all_outputs_are_tensors_of_as_many_rows_as_are_sent(
    saved: Saved, run_import: Callable[..., str], tmp_path: Path
) -> None:
    """LightGBM's exporter says that there is one label, whatever is sent."""
    file = saved.folder / "lightgbm.txt"
    run_import(file, "--data", saved.folder / "kind.csv", "--labels", "kind", "-o", "out")
    model = load_model("ONNXRuntime", tmp_path / "out" / "model" / "model.onnx", threads=1)
    assert [(out.name, out.shape) for out in model.outputs] == [
        ("label", (-1,)),
        ("probabilities", (-1, 3)),
    ]


def test_answers_that_float32_moves_are_counted(
    saved: Saved, run_import: Callable[..., str]
) -> None:
    """XGBoost splits at values of the data; behind a scaler these round to either side."""
    words = ("--data", saved.folder / "mixed.csv", "--labels", "bought")
    said = run_import(saved.folder / "scaled.joblib", *words)
    share = re.search(r"answers  (9[5-9]\.\d)% of 128 samples as scikit-learn", said)
    assert share
    assert "trees need no scaler" in said


def test_what_was_chosen_is_explained(saved: Saved, run_import: Callable[..., str]) -> None:
    said = run_import(
        saved.folder / "words.pkl", "--data", saved.folder / "animal.csv", "--labels", "animal",
        "--registry", "registry.local:5000/team", "--class", "arm-small",
    )  # fmt: skip
    for part in (
        "exporter  skl2onnx",
        "opset  ai.onnx",
        "ZipMap  off",
        "Pipeline of StandardScaler, LogisticRegression",
        "scores before the class, which is text",
        "batch axis  open",
        "float64 became float32",
        "metric  Accuracy: the model names one of 3 classes",
        "cat is 0, dog is 1, owl is 2",
        "limits  1 core, 256Mi",
        "skerry push words/model registry.local:5000/team/models/words:1",
        "kubectl apply -f words/edgemodel.yaml",
    ):
        assert part in said


def test_early_stopping_counts_as_in_the_estimator(
    saved: Saved, run_import: Callable[..., str]
) -> None:
    """The wrapped booster has more trees than the estimator answers with."""
    file = saved.folder / "xgboost.pkl"
    said = run_import(file, "--data", saved.folder / "kind.csv", "--labels", "kind")
    assert "the best of early stopping" in said


def test_lightgbm_knows_columns_with_spaces_by_other_names(
    run_import: Callable[..., str], tmp_path: Path
) -> None:
    import lightgbm  # noqa: PLC0415 - seconds, on each worker
    import pandas as pd  # noqa: PLC0415

    values = np.random.default_rng(4).normal(size=(1000, 3))
    table = pd.DataFrame(values, columns=["sepal length (cm)", "a_b c", "plain"])
    table["kind"] = (values[:, 0] > values[:, 2]).astype(int)
    trained = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)
    trained.fit(table.drop(columns="kind"), table.kind)
    trained.booster_.save_model(tmp_path / "iris.txt")
    shuffled = ["plain", "kind", "a_b c", "sepal length (cm)"]
    table.to_csv(tmp_path / "iris.csv", columns=shuffled, index=False)
    run_import("iris.txt", "--data", "iris.csv", "--labels", "kind")
    answers, _ = answered(tmp_path / "iris")
    assert (answers == trained.predict(table.drop(columns="kind"))).all()


@pytest.mark.parametrize("chosen", [slice("b", "c"), [1, 2], slice(1, 3)], ids=str)
def test_columns_are_chosen_as_scikit_learn_chooses_them(
    chosen: Any, run_import: Callable[..., str], tmp_path: Path
) -> None:
    """By a slice of names, which has the last one too, or by places, of which some may be unused."""
    import joblib  # noqa: PLC0415 - seconds, on each worker
    import pandas as pd  # noqa: PLC0415
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    values = np.random.default_rng(4).normal(size=(1000, 4))
    table = pd.DataFrame(values, columns=["a", "b", "c", "d"])
    table["kind"] = (values[:, 1] > values[:, 2]).astype(int)
    scaled = ColumnTransformer([("scaled", StandardScaler(), chosen)])
    model = make_pipeline(scaled, LogisticRegression()).fit(table.drop(columns="kind"), table.kind)
    joblib.dump(model, tmp_path / "sliced.joblib")
    table.to_csv(tmp_path / "table.csv", index=False)
    run_import("sliced.joblib", "--data", "table.csv", "--labels", "kind")
    with np.load(tmp_path / "sliced" / "dataset" / "dataset.npz") as archive:
        assert sorted(archive.files) == ["b", "c", "labels"]


def answered(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return class or value for each sample of the data set, by the first output, and the labels."""
    model = load_model("ONNXRuntime", folder / "model" / "model.onnx", threads=1)
    with np.load(folder / "dataset" / "dataset.npz") as archive:
        arrays = {name: usable(archive[name]) for name in archive.files}
    labels = arrays.pop("labels")
    first = np.asarray(model.run([model.outputs[0].name], arrays)[0])
    scores = first.ndim == 2 and first.shape[1] > 1
    return (first.argmax(axis=1) if scores else first.ravel()), labels
