"""What people read first: what is wrong and one cure, within 200 characters, also where a library says much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from onnx import helper

from skerry.api.edgemodel import Assessment
from skerry.engines import ModelError, find_engine
from skerry.jobs.errors import LONGEST_MESSAGE, advised
from skerry_openvino.errors import reason_of
from skerry_optimizer.__main__ import main
from skerry_optimizer.errors import SourceError
from skerry_optimizer.models.graphs import LONGEST_FORMAT
from skerry_optimizer.models.interface import check_interface
from tests.unit.optimizer.models import classifier, start_job
from tests.unit.optimizer.test_field_models import text, with_zipmap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnx

    from tests.unit.optimizer.models import Job
    from tests.unit.optimizer.registries import Registry


@pytest.fixture
def job_of(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Job]:
    """Return a function that lays out a pod with a model."""

    def start(model: onnx.ModelProto, engine: str = "ONNXRuntime") -> Job:
        access = registry.access(f"t/messages-{abs(hash(tmp_path))}")
        return start_job(tmp_path, monkeypatch, access, model, engine=engine)

    return start


def test_a_long_reason_loses_its_end_and_keeps_the_cure() -> None:
    assert advised("it is broken", "mend it") == "it is broken; mend it"
    said = advised("x" * 400, "mend it")
    assert len(said) == LONGEST_MESSAGE
    assert said.endswith("x…; mend it")


def test_a_model_with_operators_of_many_sets_is_assessed(job_of: Callable[..., Job]) -> None:
    """Pipelines mix ONNX's own operators with those for tables and ONNX Runtime's."""
    model = classifier()
    for domain in ("ai.onnx.ml", "com.microsoft", "com.example.of.somebody"):
        model.opset_import.append(helper.make_opsetid(domain, 1))
    job = job_of(model)
    assert main(["assess"]) == 0, job.message
    found = Assessment.model_validate_json(job.message)
    assert found.format == "ONNX, opset 17, ai.onnx.ml 1 and 2 more"
    assert len(found.format) <= LONGEST_FORMAT


def test_an_operator_that_is_not_there_is_named_without_codes_and_folders(
    job_of: Callable[..., Job],
) -> None:
    job = job_of(text("odd (double[batch, 32] x) => (double[batch, 32] y) { y = Elu (x) }"))
    assert main(["assess"]) != 0
    assert "can't load model.onnx: Could not find an implementation for Elu" in job.message
    assert job.message.split("; ")[-1].startswith("export it with operators")
    assert len(job.message) <= LONGEST_MESSAGE


def test_an_engine_that_lacks_an_operator_says_so_with_the_cure(job_of: Callable[..., Job]) -> None:
    model = text(
        "table (float[batch, 32] x) => (float[batch, 32] y)"
        " { y = ai.onnx.ml.Scaler <scale = [2.0], offset = [0.0]> (x) }",
        '"" : 17, "ai.onnx.ml" : 1',
    )
    job = job_of(model, engine="OpenVINO")
    assert main(["convert"]) != 0
    assert "ai.onnx.ml.Scaler; leave the engine to Skerry" in job.message
    assert len(job.message) <= LONGEST_MESSAGE


def test_the_node_that_openvino_complains_about_is_named() -> None:
    said = RuntimeError(
        "Exception from src/inference/src/cpp/core.cpp:117:\n"
        "Check 'false' failed at src/core/src/node.cpp:150:\n"
        "While validating node 'opset1::VariadicSplit v:6 (...)' with friendly_name 'v:6':\n"
        "Default output not supported\n"
    )
    assert reason_of(said) == "node `v:6`: Default output not supported"
    assert reason_of(RuntimeError("Input shape [1,2] differs")) == "Input shape [1,2] differs"


def test_a_graph_that_ends_the_process_of_an_engine_is_refused_in_words(
    job_of: Callable[..., Job],
) -> None:
    """An operator that OpenVINO does not have, before a Clip without an upper limit (2026.4)."""
    model = text(
        "fatal (float[batch, 32] x) => (float[batch, 32] y)"
        " { seen = odd.Scaled (x)  low = Constant <value = float {0.5}> ()  y = Clip (seen, low, ) }",
        '"" : 17, "odd" : 1',
    )
    file = job_of(model, engine="OpenVINO").workspace.source_file
    with pytest.raises(ModelError, match=r"as it read model.onnx, ended its process"):
        find_engine("OpenVINO").convert(file, file.with_suffix(".xml"))


def test_a_node_that_can_not_be_computed_is_named_before_the_cure(
    job_of: Callable[..., Job],
) -> None:
    model = text(
        "gaps (float[batch, 32] x) => (float[batch, 32] y)"
        " { seen = Log (x)  y = ai.onnx.ml.Binarizer <threshold = 0.1> (seen) }",
        '"" : 17, "ai.onnx.ml" : 1',
    )
    job = job_of(model)
    assert main(["assess"]) != 0
    assert "sample 0 of it: Binarizer node" in job.message
    assert job.message.endswith("do the arrays hold what the model expects?")
    assert len(job.message) <= LONGEST_MESSAGE


def test_an_output_of_a_long_name_leaves_room_for_the_cure() -> None:
    model = with_zipmap()
    name = "/encoder/layer.11/output/dense/" + "x" * 80
    model.graph.output[-1].name = model.graph.node[-1].output[0] = name
    with pytest.raises(SourceError, match="zipmap") as refused:
        check_interface(model)
    assert len(str(refused.value)) <= LONGEST_MESSAGE
