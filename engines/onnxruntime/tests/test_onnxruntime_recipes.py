"""ONNX Runtime's recipes on small real models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import numpy_helper, parser

import skerry_onnxruntime as engine
from skerry.engines import NotSupported
from tests.unit.optimizer.candidates import kitchen
from tests.unit.optimizer.models import classifier, convolutional

if TYPE_CHECKING:
    from pathlib import Path

INT8 = (engine.DYNAMIC_INT8, engine.STATIC_INT8, engine.WEIGHT_INT8, engine.WEIGHT_INT8_FINE)


@pytest.mark.parametrize("recipe", [*INT8, engine.WEIGHT_INT4])
def test_a_classifier_s_candidates_answer_like_the_source(recipe: str, tmp_path: Path) -> None:
    made = kitchen("ONNXRuntime", classifier(), tmp_path)
    assert made.likeness(made.make(recipe)) > (0.95 if recipe == engine.WEIGHT_INT4 else 0.99)


@pytest.mark.parametrize("recipe", [engine.FLOAT16, engine.BFLOAT16])
def test_half_precision_computes_so_or_says_that_this_cpu_does_not(
    recipe: str, tmp_path: Path
) -> None:
    made = kitchen("ONNXRuntime", classifier(), tmp_path)
    try:
        assert made.likeness(made.make(recipe)) > 0.99
    except NotSupported as error:
        assert "ONNX Runtime" in str(error)  # noqa: PT017 - one of the two, by the CPU


def test_a_convolution_takes_static_scales_and_has_nothing_for_weights_alone(
    tmp_path: Path,
) -> None:
    made = kitchen("ONNXRuntime", convolutional(), tmp_path)
    assert made.likeness(made.make(engine.STATIC_INT8)) > 0.99
    with pytest.raises(NotSupported, match="no MatMul by constant weights"):
        made.make(engine.WEIGHT_INT8)


def test_a_lone_factor_is_no_weight(tmp_path: Path) -> None:
    """Exporters of boosted trees scale the sum of the trees: an int8 copy of one number is no int8 model."""
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> scaled (float[batch, 32] x) => (float[batch, 32] y)'
        " { y = Mul (x, factor) }"
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.1, "f4"), "factor"))
    made = kitchen("ONNXRuntime", model, tmp_path)
    for recipe in (engine.STATIC_INT8, engine.DYNAMIC_INT8):
        with pytest.raises(NotSupported, match="no weights in the model"):
            made.make(recipe)
