"""What `skerry import` makes of models of scikit-learn, XGBoost and LightGBM goes through both jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from skerry.api.modelvariant import RecipeOutcome
from skerry.cli.importing.make import Order, import_model
from tests.examples.local_job import CLASS, LocalJobs
from tests.unit.cli.importing.trained import Saved, save_all
from tests.unit.runtime import measuring

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.decide.plan_world import World
    from tests.unit.optimizer.registries import Registry

CASES = {
    "mixed.joblib": ("mixed.csv", "bought"),
    "xgboost.pkl": ("kind.csv", "kind"),
    "lightgbm.pkl": ("animal.csv", "animal"),
}
"""A model, its data, and the labels in it."""

pytestmark = pytest.mark.timeout(120)  # dozens of processes


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Return models that their libraries have saved."""
    return save_all(tmp_path_factory.mktemp("saved"))


@pytest.mark.parametrize("file", CASES)
def test_it_is_built_and_certified(
    file: str, saved: Saved, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring.with_short_blocks(monkeypatch)
    measuring.with_one_memory_process(monkeypatch)
    data, labels = CASES[file]
    layout = import_model(
        Order(
            saved.folder / file,
            saved.folder / data,
            labels,
            output=tmp_path / "made",
            registry="registry.example:5000",
            classes=[CLASS],
        ),
        lambda _what, _choice: None,
    )
    manifest = yaml.safe_load(layout.manifest_file.read_text())
    manifest["spec"]["gates"] = {
        "speedup": "0.1",
        "allowMarginal": True,
    }  # of calls of microseconds
    layout.manifest_file.write_text(yaml.safe_dump(manifest))
    jobs = LocalJobs(layout.folder, tmp_path, registry, monkeypatch)
    state: World = jobs.until_built(jobs.world(str(layout.manifest_file)))
    (variant,) = state.snapshot.variants.values()
    results = {one.recipe: one for one in variant.status.recipe_results}
    assert results["source"].outcome is RecipeOutcome.MEASURED, results
    certificate = variant.status.certificate
    assert certificate is not None, (variant.status.gates, results)
    assert certificate.certified.batching
    assert certificate.certified.quality is not None
    assert float(certificate.certified.quality.value) > 0.95
