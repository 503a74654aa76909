"""The examples of small models: made by their scripts, built, measured and gated by their manifests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from skerry.api.reasons import BuildReason
from skerry.decide.conditions import condition_of
from skerry.engines import find_engine
from skerry_optimizer.models.running import load, run
from tests.examples.local_job import CLASS, LocalJobs, run_script
from tests.unit.runtime import measuring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.api import ModelVariant
    from tests.unit.decide.plan_world import World
    from tests.unit.optimizer.registries import Registry

pytestmark = pytest.mark.timeout(120)  # dozens of processes

EXAMPLES = ("digits", "regression", "pairs")
BOTH_MISSED = re.compile(
    r"x86-a: speed-up .* is below the required 10\.00x; size \d+ kB exceeds the allowed 8 kB; it would pass with"
    r" spec\.gates\.speedup: \S+x and spec\.gates\.artifactSize: \d+Ki"
)


@pytest.fixture
def build(
    made: Callable[[str], Path], registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], World]:
    """Return a function that runs all jobs of a manifest below examples/, with the gates and metric that it names.

    A whole CPU, the source and two candidates, short blocks: what is tested here is not how fast a small
    model is.
    """
    measuring.with_short_blocks(monkeypatch)
    measuring.with_one_memory_process(monkeypatch)

    def run_jobs(manifest: str) -> World:
        jobs = LocalJobs(made(manifest.split("/", maxsplit=1)[0]), tmp_path, registry, monkeypatch)
        limits = {"cpu": "1", "memory": "256Mi"}
        changes = {
            "optimization": {"search": {"maxRecipes": 3}},
            "serving": {"resources": {"limits": limits}},
        }
        return jobs.until_built(jobs.world(manifest).model(**changes))

    return run_jobs


def variant_of(state: World) -> ModelVariant:
    (variant,) = state.snapshot.variants.values()
    return variant


def answers(made: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the model's answers to its whole data set, and the labels."""
    with np.load(made / "dataset" / "dataset.npz") as archive:
        arrays = dict(archive)
    labels = arrays.pop("labels")
    model = load(find_engine("ONNXRuntime"), made / "model" / "model.onnx")
    (output,) = run(model, arrays).values()
    return output, labels


@pytest.mark.parametrize(
    "example", [EXAMPLES[0], *(pytest.param(one, marks=pytest.mark.long) for one in EXAMPLES[1:])]
)
def test_a_script_makes_the_same_files_each_time(
    example: str, made: Callable[[str], Path], tmp_path: Path
) -> None:
    """In another process, with another state of the interpreter."""
    first, again = made(example), run_script(example, tmp_path)
    for file in ("model/model.onnx", "dataset/dataset.npz"):
        assert (first / file).read_bytes() == (again / file).read_bytes()


def test_the_digits_are_read_as_well_as_the_readme_says(made: Callable[[str], Path]) -> None:
    scores, labels = answers(made("digits"))
    assert np.mean(labels == scores.argmax(axis=1)) > 0.96


@pytest.mark.long  # e2e/test_examples.py applies both, under the gates of their manifests
def test_the_other_models_are_as_good_as_their_readmes_say(made: Callable[[str], Path]) -> None:
    values, wanted = answers(made("regression"))
    assert 1.0 < np.sqrt(np.mean(np.square(wanted - values))) < 1.3
    scores, labels = answers(made("pairs"))
    assert f1_of(labels, scores.argmax(axis=1)) > 0.9


def f1_of(labels: NDArray[Any], text: NDArray[Any]) -> float:
    """Return the mean F1 of both classes."""
    from sklearn.metrics import f1_score  # noqa: PLC0415 - a second for each worker that collects

    return float(f1_score(labels, text, average="macro"))


@pytest.mark.parametrize(
    ("example", "least"),
    [
        ("digits", 0.97),
        pytest.param("regression", 0.98, marks=pytest.mark.long),
        pytest.param("pairs", 0.97, marks=pytest.mark.long),
    ],
)
def test_an_example_passes_its_own_gates_and_is_rolled_out(
    example: str, least: float, build: Callable[[str], World]
) -> None:
    state = build(f"{example}/edgemodel.yaml")
    status = variant_of(state).status
    assert status.certificate is not None, status.conditions
    certified = status.certificate.certified
    assert certified.recipe != "source", "too large by the manifest's gate"
    assert certified.quality is not None
    assert least <= float(certified.quality.low) <= float(certified.quality.value) <= 1.02
    assert {gate.name for gate in status.gates if gate.required} >= {"quality", "artifactSize"}
    assert all(gate.outcome == "Pass" for gate in status.gates if gate.required)
    assert state.snapshot.routes
    assert state.snapshot.daemonsets[CLASS]


def test_gates_that_can_not_be_met_are_named_one_by_one_and_nothing_is_rolled_out(
    build: Callable[[str], World],
) -> None:
    state = build("digits/impossible.yaml")
    found = state.snapshot.model.status.conditions
    for kind, status in (("Ready", "False"), ("Certified", "False"), ("Stalled", "True")):
        condition = condition_of(found, kind)
        assert condition is not None
        assert (condition.status, condition.reason) == (status, BuildReason.GATES_NOT_MET)
        # which candidate misses least is the machine's to say: on some the source is the fastest
        assert BOTH_MISSED.fullmatch(condition.message), condition.message
    assert condition_of(found, "Optimized").status == "True"  # type: ignore[union-attr]
    assert all(result.speedup for result in variant_of(state).status.recipe_results), (
        "all were measured"
    )
    assert not state.snapshot.routes
    assert not state.snapshot.daemonsets
