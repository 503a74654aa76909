"""The loader: what serves and measures is what the file says, and errors are for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import openvino as ov
import pytest
from onnx import parser

from skerry.engines import InputError, ModelError
from skerry_openvino.arithmetic import Arithmetic, lacks
from skerry_openvino.building import convert, save
from skerry_runtime.engine import load_model
from skerry_runtime.session import Session
from tests.unit.optimizer.candidates import encoder
from tests.unit.runtime.conftest import encoder_model, many_types_model

if TYPE_CHECKING:
    from pathlib import Path


def source(folder: Path, model: object) -> Path:
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())  # type: ignore[attr-defined]  # an onnx.ModelProto
    return file


def test_names_types_and_shapes_survive_conversion(tmp_path: Path) -> None:
    original = source(tmp_path, many_types_model(text=False))
    before = load_model("ONNXRuntime", original, 1)
    convert(original, tmp_path / "model.xml")
    after = load_model("OpenVINO", tmp_path / "model.xml", 1)
    assert after.inputs == before.inputs
    assert after.outputs == before.outputs
    assert after.version == ov.__version__.split("-")[0]


def test_both_engines_answer_alike_alone_and_in_batches_of_any_size(tmp_path: Path) -> None:
    original = source(tmp_path, encoder_model(depth=2))
    convert(original, tmp_path / "model.xml")
    rows = np.random.default_rng(1).normal(size=(37, 8)).astype(np.float32)
    sessions = [
        Session(load_model("ONNXRuntime", original, 1)),
        Session(load_model("OpenVINO", tmp_path / "model.xml", 1)),
    ]
    answers = [session.run({"x": rows})["embedding"] for session in sessions]
    assert np.abs(answers[0] - answers[1]).max() < 1e-5
    first = sessions[1].run({"x": rows[:1]})["embedding"]
    sessions[1].run({"x": rows[5:6]})
    assert np.abs(first - answers[0][:1]).max() < 1e-5


def test_shapes_that_do_not_go_together_are_the_caller_s_fault(tmp_path: Path) -> None:
    made = encoder(tmp_path, layers=1)
    loaded = load_model("OpenVINO", made.engine.model_in(tmp_path / "source"), 1)
    ids, mask = (made.samples[0][name] for name in ("input_ids", "attention_mask"))
    for wrong in (ids[0], np.repeat(ids, 2, axis=0)):
        both = {"input_ids": wrong, "attention_mask": np.repeat(mask, 3, axis=0)}
        with pytest.raises(InputError, match=r"dimensions|rows"):
            loaded.run(["embedding"], both)
    answer = loaded.run(["embedding"], {"input_ids": ids, "attention_mask": mask})[0]
    assert np.isfinite(answer).all()


@pytest.mark.parametrize("arithmetic", list(Arithmetic))
def test_arithmetic_that_this_cpu_lacks_is_refused(arithmetic: Arithmetic, tmp_path: Path) -> None:
    original = source(tmp_path, encoder_model())
    file = tmp_path / "model.xml"
    save(ov.Core().read_model(str(original)), file, arithmetic)
    if not lacks(ov.Core(), arithmetic):
        assert load_model("OpenVINO", file, 1).inputs
        return
    with pytest.raises(ModelError, match=f"in {arithmetic.name.lower()}, which this CPU does not"):
        load_model("OpenVINO", file, 1)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "model.xml"
    file.write_text("<net/>")
    with pytest.raises(ModelError, match=r"OpenVINO 20\S+ can't read .*model\.xml"):
        load_model("OpenVINO", file, 1)


def test_a_missing_file_and_a_missing_engine_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the artifact must hold it"):
        load_model("OpenVINO", tmp_path / "model.xml", 1)
    with pytest.raises(ModelError, match=r"no engine Homemade \(it has ONNXRuntime, OpenVINO\)"):
        load_model("Homemade", tmp_path / "model.xml", 1)


def test_a_scalar_of_a_request_s_own_bytes_is_taken(tmp_path: Path) -> None:
    """Binary tensors are read where they lie, and nobody may write there."""
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>'
        " scaled (float[N, 2] x, float by) => (float[N, 2] y) { y = Mul (x, by) }"
    )
    file = tmp_path / "model.onnx"
    file.write_bytes(model.SerializeToString())
    by = np.frombuffer(np.float32(3).tobytes(), np.float32).reshape(())
    rows = np.ones((1, 2), np.float32)
    (answer,) = load_model("OpenVINO", file, 1).run(["y"], {"x": rows, "by": by})
    np.testing.assert_array_equal(answer, 3 * rows)
