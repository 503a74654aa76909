"""Models as three libraries save them: imported, pushed and applied as `skerry import` says, and asked."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
import yaml

from tests.lab.client import install
from tests.lab.client.environment import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tests.e2e.world import World
    from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CLASS = "x86-b"
ROLLOUT_SECONDS = 420.0
COLUMNS = ("load", "voltage", "temperature")
# One recipe and a soak of seconds: what is shown is that the import is served. Such small models gain no speed.
QUICK: dict[str, dict[str, Any]] = {
    "optimization": {"search": {"maxRecipes": 1}},
    "gates": {"speedup": "0.5", "allowMarginal": True},
    "rollout": {"soak": "3s", "waves": [{"percent": 100}], "traffic": [50]},
}


@dataclass(frozen=True)
class Saved:
    """A model as its library saves it, and what the library itself answers.

    Attributes:
        file: What a user has.
        answers: The predicted class of each row.
    """

    file: Path
    answers: NDArray[Any]


ROWS = np.random.default_rng(12).normal(size=(1200, len(COLUMNS))).astype(np.float32)
CLASSES = (ROWS[:, 0] * ROWS[:, 1] > 0).astype(np.int64) + (ROWS[:, 2] > 1)
"""By a rule that no line separates."""


def save_scikit_learn(folder: Path) -> Saved:
    """Save a pipeline with a scaler and a network."""
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 - seconds of import
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    model = make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=2000, random_state=1))
    model.fit(ROWS, CLASSES)
    joblib.dump(model, folder / "valve.joblib")
    return Saved(folder / "valve.joblib", np.asarray(model.predict(ROWS)))


def save_xgboost(folder: Path) -> Saved:
    """Save boosted trees in XGBoost's own format."""
    import xgboost  # noqa: PLC0415 - seconds of import

    model = xgboost.XGBClassifier(n_estimators=20, max_depth=4, n_jobs=1)
    model.fit(ROWS, CLASSES)
    model.save_model(folder / "pump.json")
    return Saved(folder / "pump.json", np.asarray(model.predict(ROWS)))


def save_lightgbm(folder: Path) -> Saved:
    """Save boosted trees in LightGBM's own format."""
    import lightgbm  # noqa: PLC0415 - seconds of import

    model = lightgbm.LGBMClassifier(n_estimators=20, num_leaves=15, n_jobs=1, verbose=-1)
    model.fit(ROWS, CLASSES)
    model.booster_.save_model(folder / "fan.txt")
    return Saved(folder / "fan.txt", np.asarray(model.predict(ROWS)))


SAVE: dict[str, Callable[[Path], Saved]] = {
    "valve": save_scikit_learn,
    "pump": save_xgboost,
    "fan": save_lightgbm,
}


@pytest.fixture(scope="module")
def applied(
    world: World, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Saved]:
    """Return the models by name, imported with data as people have them, pushed and applied."""
    folder = tmp_path_factory.mktemp("imported")
    table = folder / "measured.csv"
    lines = [
        ",".join([*COLUMNS, "labels"]),
        *(",".join([*map(str, row), str(label)]) for row, label in zip(ROWS, CLASSES, strict=True)),
    ]
    table.write_text("\n".join(lines))
    saved = {name: save(folder) for name, save in SAVE.items()}
    for name, model in saved.items():
        apply_imported(world, namespace, imported(world, folder / name, model.file, table))
    return saved


def imported(world: World, out: Path, model: Path, table: Path) -> dict[str, Any]:
    """Run the import as a user does and push what it made; returns the manifest."""
    options = (
        "--data",
        str(table),
        "--output",
        str(out),
        "--registry",
        world.registry,
        "--class",
        CLASS,
    )
    said = run(str(Path(sys.executable).parent / "skerry"), "import", str(model), *options)
    assert "assessment" in said
    for part in ("model", "dataset"):
        install.push_folder(world.environment, out / part, f"{part}s/{out.name}:1")
    manifest: dict[str, Any] = yaml.safe_load((out / "edgemodel.yaml").read_text())
    return manifest


def apply_imported(world: World, namespace: str, manifest: dict[str, Any]) -> None:
    """Apply a manifest with the tests' own quick search and rollout."""
    manifest["metadata"]["namespace"] = namespace
    for part, values in QUICK.items():
        manifest["spec"][part] = {**manifest["spec"].get(part, {}), **values}
    # OpenVINO has no trees, and would say so after a job for each.
    manifest["spec"]["targets"] = [{"hardwareClassName": CLASS, "engine": "ONNXRuntime"}]
    world.environment.apply(manifest)


@pytest.mark.parametrize("name", SAVE)
def test_it_is_served_and_answers_as_its_library_does(
    name: str,
    world: World,
    lab: Lab,
    namespace: str,
    applied: dict[str, Saved],
) -> None:
    world.until_ready((namespace, name), ROLLOUT_SECONDS)
    for node in lab.nodes:
        if node.name in world.nodes_of(CLASS):
            url = f"http://{node.ip}:30080/{namespace}/{name}/v2/models/{name}"
            assert predicted(url, ROWS[:20]) == applied[name].answers[:20].tolist()


def predicted(url: str, rows: NDArray[np.float32]) -> list[int]:
    """Ask a served model with rows; returns the class of each."""
    metadata = json.loads(run("curl", "-fsS", "-m", "5", url))
    (tensor,) = metadata["inputs"]
    tensor = {
        "name": tensor["name"],
        "datatype": tensor["datatype"],
        "shape": list(rows.shape),
        "data": rows.ravel().tolist(),
    }
    body = json.dumps({"inputs": [tensor]})
    answer = json.loads(run("curl", "-fsS", "-m", "5", "--json", body, f"{url}/infer"))
    first = answer["outputs"][0]
    scores = np.array(first["data"]).reshape(len(rows), -1)
    classes: list[int] = (scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0]).tolist()
    return classes
