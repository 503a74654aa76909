"""Models as exporters write them: each is built, or refused before anything is, with the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from skerry.api.edgemodel import Assessment
from skerry.api.modelvariant import RecipeOutcome
from skerry.engines import SOURCE, find_engine
from skerry.jobs.errors import EXIT_SOURCE
from skerry.precision import Precision
from skerry_optimizer.__main__ import main
from skerry_optimizer.models.describing import describe
from skerry_optimizer.models.folding import fold_weights
from skerry_optimizer.models.running import load, run
from tests.model_kinds import shows
from tests.unit.optimizer.models import CLASSES, FEATURES, classifier, start_job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.optimizer.models import Job
    from tests.unit.optimizer.registries import Registry

ENGINE = find_engine("ONNXRuntime")
ONE = {"x": np.ones((1, FEATURES), "f4")}


@pytest.fixture
def job_of(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Job]:
    """Return a function that lays out a pod with a model."""

    def start(model: onnx.ModelProto, recipes: int = 2) -> Job:
        access = registry.access(f"t/field-{tmp_path.name.replace('_', '-').lower()[:40]}")
        return start_job(tmp_path, monkeypatch, access, model, recipe_results=recipes)

    return start


def text(graph: str, opsets: str = '"" : 17') -> onnx.ModelProto:
    """Return a model in ONNX's own textual form; `x` is [batch, 32]."""
    model: onnx.ModelProto = parser.parse_model(
        f"<ir_version: 8, opset_import: [{opsets}]> {graph}"
    )
    return model


def without_shape(name: str) -> onnx.ModelProto:
    model = classifier()
    value = next(one for one in (*model.graph.input, *model.graph.output) if one.name == name)
    value.type.tensor_type.ClearField("shape")
    return model


def with_zipmap() -> onnx.ModelProto:
    model = classifier()
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    zipped = helper.make_node(
        "ZipMap",
        ["y"],
        ["probabilities"],
        domain="ai.onnx.ml",
        classlabels_int64s=[*range(CLASSES)],
    )
    model.graph.node.append(zipped)
    kind = helper.make_map_type_proto(
        TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    value = helper.make_value_info("probabilities", helper.make_sequence_type_proto(kind))
    model.graph.output.append(value)
    return model


def trees() -> onnx.ModelProto:
    """Return a tree of one split, with no import of ONNX's own operators."""
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=CLASSES,
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values=[0.0, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 1], target_weights=[1.0, 2.0],
    )  # fmt: skip
    into, out = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])]
        for name, width in (("x", FEATURES), ("y", CLASSES))
    )
    graph = helper.make_graph([node], "trees", into, out)
    imports = [helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def with_weights_by_nodes() -> onnx.ModelProto:
    """Return the classifier with one weight in a Constant, and the other transposed by a node."""
    model = classifier()
    first, bias, second = (numpy_helper.to_array(one) for one in model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.append(numpy_helper.from_array(bias, "b0"))
    model.graph.initializer.append(numpy_helper.from_array(second.T.copy(), "stored"))
    constant = helper.make_node("Constant", [], ["w0"], value=numpy_helper.from_array(first))
    turned = helper.make_node("Transpose", ["stored"], ["w1"], perm=[1, 0])
    model.graph.node.insert(0, constant)
    model.graph.node.insert(1, turned)
    return model


def quantized() -> onnx.ModelProto:
    """Return the classifier with its first weight in int8, as another's quantizer writes it."""
    model = classifier()
    weight = numpy_helper.to_array(model.graph.initializer[0])
    scale = np.float32(np.abs(weight).max() / 127)
    stored = np.round(weight / scale).astype(np.int8)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(stored, "stored"))
    for name, value in (("scale", scale), ("zero", np.int8(0))):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    widened = helper.make_node("DequantizeLinear", ["stored", "scale", "zero"], ["w0"])
    model.graph.node.insert(0, widened)
    return model


def in_float16() -> onnx.ModelProto:
    model = classifier()
    for tensor in model.graph.initializer:
        narrow = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(narrow, tensor.name))
    into, out = (
        helper.make_node("Cast", [one], [other], to=kind)
        for one, other, kind in (("x", "xh", TensorProto.FLOAT16), ("yh", "y", TensorProto.FLOAT))
    )
    model.graph.node[0].input[0] = "xh"
    model.graph.node[-1].output[0] = "yh"
    model.graph.node.insert(0, into)
    model.graph.node.append(out)
    return model


NOISE = text(
    "noisy (float[batch, 32] x) => (float[batch, 32] y)"
    " { noise = RandomNormalLike <scale = 0.1> (x)  y = Add (x, noise) }"
)
SEQUENCE = text(
    "split (float[batch, 32] x) => (seq(float[batch, 16]) y) { y = SplitToSequence <axis = 1> (x) }"
)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        pytest.param(
            with_zipmap(),
            ["`probabilities`", "options={'zipmap': False}"],
            marks=shows("sequence or map"),
        ),
        (SEQUENCE, ["`y`", "sequence", "ConcatFromSequence"]),
        pytest.param(
            without_shape("x"),
            ["`x`", "no shape", "[batch, 16]"],
            marks=shows("input without a shape"),
        ),
        pytest.param(
            NOISE,
            ["differently from call to call", "without RandomNormalLike"],
            marks=shows("random"),
        ),
    ],
    ids=["zipmap", "sequence", "no shape", "noise"],
)
def test_what_can_not_be_served_is_refused_before_anything_is_built(
    job_of: Callable[..., Job], model: onnx.ModelProto, words: list[str]
) -> None:
    job = job_of(model)
    assert main(["assess"]) == EXIT_SOURCE
    assert all(word in job.message for word in words), job.message


@pytest.mark.parametrize(
    ("model", "form", "words"),
    [
        (trees(), "ONNX, ai.onnx.ml 1", "0% can be quantized"),
        (with_weights_by_nodes(), "ONNX, opset 17", "97% can be quantized"),
        (quantized(), "ONNX, opset 17", "quantized already (Int8)"),
        (in_float16(), "ONNX, opset 17", "in Float16, 97% can be quantized"),
    ],
    ids=["trees", "weights by nodes", "quantized", "float16"],
)
def test_the_assessment_names_the_model_as_what_it_is(
    job_of: Callable[..., Job], model: onnx.ModelProto, form: str, words: str
) -> None:
    job = job_of(model)
    assert main(["assess"]) == 0, job.message
    found = Assessment.model_validate_json(job.message)
    assert found.format == form
    assert words in found.message


@shows("trees", "old opset", "foreign operators", "quantized", "float16")
@pytest.mark.parametrize(
    ("model", "message", "precision"),
    [
        (trees(), "ai.onnx.ml 1, taken as it is", Precision.FLOAT32),
        (text("mixed (float[batch, 32] x) => (float[batch, 32] y) { y = com.microsoft.Gelu (x) }",
              '"" : 11, "com.microsoft" : 1'),
         "converted from opset 11 to 17", Precision.FLOAT32),
        (with_weights_by_nodes(), "opset 17, taken as it is, 2 weights made initializers", Precision.FLOAT32),
        (quantized(), "opset 17, taken as it is", Precision.INT8),
        (in_float16(), "opset 17, taken as it is", Precision.FLOAT16),
    ],
    ids=["trees", "foreign operators", "weights by nodes", "quantized", "float16"],
)  # fmt: skip
def test_the_source_is_built_as_it_is_where_it_can_not_be_converted(
    job_of: Callable[..., Job], model: onnx.ModelProto, message: str, precision: Precision
) -> None:
    job = job_of(model)
    assert main(["find-finished"]) == 0
    assert main(["convert"]) == 0, job.message
    assert job.message == message
    (source,) = job.workspace.read_candidates()
    assert source.precision is precision
    before, after = (
        run(load(ENGINE, file), ONE)["y"]
        for file in (job.workspace.source_file, ENGINE.model_in(job.workspace.folder(SOURCE)))
    )
    np.testing.assert_allclose(before, after, rtol=1e-5)


@shows("unconvertible opset")
def test_an_opset_that_can_not_be_converted_stays(
    job_of: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("adapt_scan_8_9: Assertion failed")

    monkeypatch.setattr(onnx.version_converter, "convert_version", refuse)
    job = job_of(classifier(opset=11))
    assert main(["find-finished"]) == 0
    assert main(["convert"]) == 0, job.message
    assert job.message == "opset 11, taken as it is"
    assert "y" in run(load(ENGINE, ENGINE.model_in(job.workspace.folder(SOURCE))), ONE)


@shows("output without a shape")
def test_an_output_without_a_shape_gets_as_many_axes_as_its_answers(
    job_of: Callable[..., Job],
) -> None:
    job = job_of(without_shape("y"))
    assert main(["find-finished"]) == 0
    assert main(["convert"]) == 0, job.message
    (output,) = load(ENGINE, ENGINE.model_in(job.workspace.folder(SOURCE))).outputs
    assert len(output.shape) == 2


@pytest.mark.parametrize(
    ("model", "refusals"),
    [
        (trees(), {"dynamic-int8": "no operators of ONNX's own", "weight-int8-block128": "no MatMul by"}),
        (text("bare (float[batch, 32] x) => (float[batch, 32] y) { y = Relu (x) }"),
         {"dynamic-int8": "no weights in the model", "weight-int8-block128": "no MatMul by"}),
        (quantized(), {"dynamic-int8": "quantized already", "weight-int8-block128": "quantized already"}),
    ],
    ids=["trees", "no weights", "quantized"],
)  # fmt: skip
def test_nothing_is_called_quantized_in_which_nothing_was(
    job_of: Callable[..., Job], model: onnx.ModelProto, refusals: dict[str, str]
) -> None:
    job = job_of(model, recipes=3)
    for stage in ("find-finished", "convert", "quantize"):
        assert main([stage]) == 0, job.message
    found = {one.recipe: one for one in job.workspace.read_candidates()}
    assert found.pop(SOURCE).outcome is RecipeOutcome.MEASURED
    assert found.keys() == refusals.keys()
    for recipe, words in refusals.items():
        assert found[recipe].outcome is not RecipeOutcome.MEASURED
        assert words in found[recipe].message


@shows("weights by nodes")
def test_weights_that_nodes_hold_are_quantized_as_others_are(job_of: Callable[..., Job]) -> None:
    job = job_of(with_weights_by_nodes(), recipes=2)
    for stage in ("find-finished", "convert", "quantize"):
        assert main([stage]) == 0, job.message
    sizes = {one.recipe: one.bytes for one in job.workspace.read_candidates()}
    assert sizes["dynamic-int8"] < 0.5 * sizes[SOURCE]


@shows("three axes")
def test_a_weight_with_three_axes_ends_no_other_recipe(job_of: Callable[..., Job]) -> None:
    model = text(
        "groups (float[batch, 32] x) => (float[batch, 4] y)"
        " { form = Constant <value = int64[4] {-1, 4, 1, 8}> ()  parts = Reshape (x, form)"
        "   mixed = MatMul (parts, each)  flat = Flatten <axis = 1> (mixed)  y = MatMul (flat, out) }"
    )
    weights = {"each": np.ones((4, 8, 6), "f4"), "out": np.ones((24, CLASSES), "f4")}
    model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in weights.items())
    job = job_of(model, recipes=4)
    for stage in ("find-finished", "convert", "quantize"):
        assert main([stage]) == 0, job.message
    found = {one.recipe: one for one in job.workspace.read_candidates()}
    assert found[SOURCE].outcome is RecipeOutcome.MEASURED
    for one in found.values():
        assert (one.outcome is RecipeOutcome.MEASURED) or one.message, one.recipe
        if one.outcome is RecipeOutcome.MEASURED:
            run(load(ENGINE, ENGINE.model_in(job.workspace.folder(one.recipe))), ONE)


def test_a_weight_that_others_read_too_is_not_stored_twice() -> None:
    model = text(
        "tied (float[batch, 32] x, int64[batch] rows) => (float[batch, 32] y, float[batch, 32] z)"
        " { turned = Transpose <perm = [1, 0]> (w)  y = MatMul (x, turned)  z = Gather (w, rows) }"
    )
    table = np.ones((FEATURES, FEATURES), "f4")
    model.graph.initializer.append(numpy_helper.from_array(table, "w"))
    assert fold_weights(model) == 0
    assert [node.op_type for node in model.graph.node] == ["Transpose", "MatMul", "Gather"]


def test_shapes_stay_where_they_are() -> None:
    """What nodes compute of small constants is not touched."""
    model = text(
        "shaped (float[batch, 32] x) => (float[a, b] y)"
        " { form = Constant <value = int64[2] {-1, 32}> ()  y = Reshape (x, form) }"
    )
    assert fold_weights(model) == 0


def test_operators_of_many_domains_are_described() -> None:
    """A pipeline on text imports three domains; what an exporter of networks calls its own is longer."""
    domains = '"" : 17, "ai.onnx.ml" : 3, "com.microsoft" : 1, "pkg.onnxscript.torch_lib" : 1'
    model = text("many (float[n] x) => (float[n] y) { y = Relu (x) }", domains)
    described = describe(model, f"sha256:{'0' * 64}", 100)
    assert described.format == "ONNX, opset 17, ai.onnx.ml 3 and 2 more"
