"""OpenVINO's recipes on small real models, and the arithmetic that each names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import onnx
import openvino as ov
import pytest
from onnx import helper

import skerry_openvino as engine
from skerry.engines import NotSupported
from skerry_openvino.arithmetic import HINT, Arithmetic, arithmetic_of, lacks
from skerry_openvino.building import read
from skerry_openvino.operators import is_transformer
from skerry_openvino.recipes.accuracy_control import MOST_DROP, NOTHING_LEFT, fidelity
from skerry_optimizer.models.running import load, run
from tests.unit.optimizer.candidates import encoder, kitchen
from tests.unit.optimizer.models import classifier, convolutional

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.optimizer.candidates import Kitchen


@pytest.fixture(scope="module")
def perceptron(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    """Return a small classifier; each of its candidates is built once."""
    return kitchen("OpenVINO", classifier(), tmp_path_factory.mktemp("perceptron"))


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    """Return a small encoder; each of its candidates is built once."""
    return encoder(tmp_path_factory.mktemp("transformer"))


INT8 = (engine.PTQ_INT8, engine.WEIGHT_INT8)


def constants(file: Path) -> Counter[str]:
    """Count the elements of the model's constants, by number type."""
    counts: Counter[str] = Counter()
    for operator in read(file).get_ops():
        if operator.get_type_name() == "Constant":
            kind = operator.get_element_type().get_type_name()
            counts[kind] += int(np.prod(operator.get_output_shape(0), dtype=int))
    return counts


@pytest.mark.parametrize("recipe", [*INT8, engine.WEIGHT_FLOAT16])
def test_a_classifier_s_candidates_answer_like_the_source(recipe: str, perceptron: Kitchen) -> None:
    assert perceptron.likeness(perceptron.make(recipe)) > 0.99


def test_a_convolution_computes_in_int8(tmp_path: Path) -> None:
    made = kitchen("OpenVINO", convolutional(), tmp_path)
    file = made.make(engine.PTQ_INT8)
    assert made.likeness(file) > 0.99


def test_what_accuracy_control_has_undone_whole_is_no_build_in_int8(perceptron: Kitchen) -> None:
    with pytest.raises(NotSupported, match=r"costs more than 0\.2% .* nothing stays in int8"):
        perceptron.make(engine.PTQ_INT8_ACCURATE)


def test_a_model_without_operators_to_quantize_is_no_build_in_int8(tmp_path: Path) -> None:
    model = classifier()
    del model.graph.node[:]
    model.graph.node.add(op_type="Relu", input=["x"], output=["y"])
    with pytest.raises(NotSupported, match="finds no operators in the model"):
        kitchen("OpenVINO", model, tmp_path).make(engine.PTQ_INT8)


def test_a_transformer_s_weights_are_stored_as_the_recipe_says(transformer: Kitchen) -> None:
    assert is_transformer(read(transformer.source))
    int8, int4, half = (
        constants(transformer.make(recipe))
        for recipe in (engine.WEIGHT_INT8, engine.WEIGHT_INT4, engine.WEIGHT_FLOAT16)
    )
    # Positions are sliced, not looked up, so their table stays as it is.
    assert int8["u8"] > int8["f32"]
    assert int4["i4"] > int4["u8"] > 0
    assert half["f16"] > 10 * half["f32"]


def test_a_transformer_keeps_its_answers_in_int8(transformer: Kitchen) -> None:
    for recipe in (engine.PTQ_INT8, engine.WEIGHT_INT8):
        assert transformer.likeness(transformer.make(recipe)) > 0.98, recipe


def test_a_transformer_in_int4_still_resembles_itself(transformer: Kitchen) -> None:
    assert transformer.likeness(transformer.make(engine.WEIGHT_INT4)) > 0.9


@pytest.mark.long
def test_accuracy_control_holds_its_bound_on_the_samples_that_it_saw(tmp_path: Path) -> None:
    made = encoder(tmp_path, layers=1)
    source, accurate = made.source, made.make(engine.PTQ_INT8_ACCURATE)
    answers = [
        np.stack([next(iter(run(load(made.engine, file), one).values())).ravel() for one in made.samples])
        for file in (source, accurate)
    ]  # fmt: skip
    assert fidelity(*answers) >= 1 - MOST_DROP - 1e-4


@pytest.mark.parametrize(
    ("recipe", "arithmetic"),
    [(engine.FLOAT16, Arithmetic.FLOAT16), (engine.BFLOAT16, Arithmetic.BFLOAT16)],
)
def test_half_arithmetic_is_done_or_refused_never_replaced(
    recipe: str, arithmetic: Arithmetic, perceptron: Kitchen
) -> None:
    if lacks(ov.Core(), arithmetic):
        with pytest.raises(NotSupported, match=f"no {arithmetic.name.lower()} arithmetic"):
            perceptron.make(recipe)
        return
    file = perceptron.make(recipe)
    model = read(file)
    compiled = ov.Core().compile_model(model, "CPU", {HINT: arithmetic_of(model).value})
    assert compiled.get_property(HINT) == getattr(ov.Type, arithmetic.value)
    assert perceptron.likeness(file) > 0.99


@pytest.mark.parametrize("recipe", ["source", engine.PTQ_INT8, engine.WEIGHT_FLOAT16])
def test_what_is_not_half_arithmetic_is_computed_in_float32(
    recipe: str, perceptron: Kitchen
) -> None:
    file = perceptron.source if recipe == "source" else perceptron.make(recipe)
    assert arithmetic_of(read(file)) is Arithmetic.FLOAT32


def test_a_model_without_weights_has_nothing_to_shrink(tmp_path: Path) -> None:
    model = classifier()
    del model.graph.node[:]
    model.graph.node.add(op_type="Relu", input=["x"], output=["y"])
    made = kitchen("OpenVINO", model, tmp_path)
    for recipe in (engine.WEIGHT_INT8, engine.WEIGHT_INT4):
        with pytest.raises(NotSupported, match="no multiplication by constant weights"):
            made.make(recipe)


@pytest.mark.parametrize("name", ["NonZero", "Identity"])
def test_accuracy_control_compares_each_output_or_says_that_it_can_not(
    tmp_path: Path, name: str
) -> None:
    model = classifier()
    model.graph.node.append(helper.make_node(name, ["hidden"], ["second_output"]))
    kind = {"NonZero": onnx.TensorProto.INT64, "Identity": onnx.TensorProto.FLOAT}[name]
    model.graph.output.append(helper.make_tensor_value_info("second_output", kind, [None, None]))
    made = kitchen("OpenVINO", model, tmp_path)
    if name == "NonZero":
        with pytest.raises(NotSupported, match="the size of an output depends on the sample"):
            made.make(engine.PTQ_INT8_ACCURATE)
        return
    try:
        made.make(engine.PTQ_INT8_ACCURATE)
    except NotSupported as error:
        assert str(error) == NOTHING_LEFT  # noqa: PT017 - either is an answer of NNCF's


def test_fidelity_is_the_share_of_variation_that_is_kept() -> None:
    reference = np.array([[0.0, 1.0], [2.0, 3.0]])
    assert fidelity(reference, reference) == 1
    assert fidelity(reference, np.full((2, 2), reference.mean(axis=0))) == 0
    assert fidelity(np.ones((3, 2)), np.ones((3, 2))) == 1
    assert fidelity(np.ones((3, 2)), np.zeros((3, 2))) == 0
