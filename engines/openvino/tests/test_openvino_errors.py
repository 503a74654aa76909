"""An error inside the graph is raised: no request is answered with what the one before it left.

The model adds a table of positions to its rows: values of `lengths` that are not their number of tokens are as the
schema says, and only a node within the graph refuses them. ONNX Runtime must do the same, also with text.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from skerry.engines import InputError, ModelError
from skerry_openvino.building import convert
from skerry_runtime.artifact import read_artifact
from skerry_runtime.batcher import Batcher
from skerry_runtime.engine import load_model
from skerry_runtime.measure.process import ModelFile, WorkerError, started
from skerry_runtime.model import Model
from skerry_runtime.service import Request, Service
from skerry_runtime.session import Session
from skerry_runtime.settings import Settings
from skerry_runtime.tensors import json_tensors
from tests.unit.runtime.conftest import model_of, write_artifact

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry_runtime.datatypes import Arrays

TABLE = np.arange(64, dtype=np.float32).reshape(16, 4)
ENGINES = ("ONNXRuntime", "OpenVINO")


def positions_model(*, text: bool) -> Any:
    """Return a model whose `y` needs as many tokens as the greatest of `lengths`; other outputs need nothing."""
    constants: dict[str, NDArray[Any]] = {"table": TABLE, "zero": np.zeros(1, np.int64)}
    nodes = [
        helper.make_node("ReduceMax", ["lengths"], ["longest"], keepdims=1),
        helper.make_node("Slice", ["table", "zero", "longest"], ["positions"]),
        helper.make_node("Add", ["x", "positions"], ["y"], name="add_positions"),
        helper.make_node("Identity", ["lengths"], ["lengths_out"]),
        helper.make_node("Neg", ["x"], ["negative"]),
    ]
    kinds: dict[str, Any] = {"x": TensorProto.FLOAT, "lengths": TensorProto.INT64}
    axes: dict[str, list[str | int | None]] = {
        "x": ["N", "tokens", 4],
        "lengths": ["N"],
        "words": ["N"],
    }
    answers = {"y": "x", "lengths_out": "lengths", "negative": "x"}
    if text:
        nodes.append(helper.make_node("Identity", ["words"], ["words_out"]))
        kinds["words"], answers["words_out"] = TensorProto.STRING, "words"
    return model_of(
        nodes,
        [helper.make_tensor_value_info(name, kinds[name], axes[name]) for name in kinds],
        [helper.make_tensor_value_info(name, kinds[of], axes[of]) for name, of in answers.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


@dataclass(frozen=True)
class Asked:
    """A request with values of its own; `wrong` ones no engine can compute."""

    seed: int
    rows: int
    tokens: int
    wrong: bool

    @property
    def inputs(self) -> Arrays:
        """What is sent."""
        drawn = np.random.default_rng(self.seed).normal(size=(self.rows, self.tokens, 4))
        lengths = np.full(self.rows, self.tokens)
        lengths[-1] += self.wrong
        return {"x": drawn.astype(np.float32), "lengths": lengths, "words": self.words}

    @property
    def words(self) -> NDArray[Any]:
        """The part that is text."""
        return np.array([f"{self.seed} {row}" for row in range(self.rows)], object)

    def to(self, session: Session) -> Arrays:
        """Return the inputs of a request to a model that may take no text."""
        return {spec.name: self.inputs[spec.name] for spec in session.inputs}

    def check(self, answer: Arrays) -> None:
        """Compare an answer with what it must be."""
        assert not self.wrong
        inputs = self.inputs
        np.testing.assert_allclose(answer["y"], inputs["x"] + TABLE[: self.tokens], rtol=1e-5)
        np.testing.assert_array_equal(answer["negative"], -inputs["x"])
        np.testing.assert_array_equal(answer["lengths_out"], inputs["lengths"])
        if "words_out" in answer:
            assert list(answer["words_out"]) == list(self.words)


# Two tokens are the least: positions of one would be added to any number.
ASKED = st.builds(Asked, st.integers(0, 2**31), st.integers(1, 3), st.integers(2, 6), st.booleans())


def model_file(engine: str, folder: Path) -> Path:
    """Return the model as the engine serves it."""
    source = folder / "model.onnx"
    source.write_bytes(positions_model(text=engine == "ONNXRuntime").SerializeToString())
    if engine == "ONNXRuntime":
        return source
    convert(source, folder / "model.xml")
    return folder / "model.xml"


@pytest.fixture(scope="module", params=[(name, count) for name in ENGINES for count in (1, 2)])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    engine, threads = request.param
    return Session(
        load_model(engine, model_file(engine, tmp_path_factory.mktemp("model")), threads)
    )


def answered(session: Session, asked: Asked) -> None:
    """Send a request alone; it is answered right, or not at all."""
    if not asked.wrong:
        asked.check(session.run(asked.to(session)))
        return
    with pytest.raises(Exception, match=r"add_positions|Add|dimension|mismatch") as caught:
        session.run(asked.to(session))
    assert not isinstance(caught.value, InputError)  # the schema admits it: the model's fault


@settings(deadline=None, max_examples=40)
@given(sequence=st.lists(ASKED, min_size=1, max_size=8))
def test_each_of_a_sequence_is_answered_for_itself(session: Session, sequence: list[Asked]) -> None:
    for asked in sequence:
        answered(session, asked)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_request_of_a_loaded_model_has_nothing_to_borrow(
    engine: str, tmp_path: Path
) -> None:
    file = model_file(engine, tmp_path)
    for _ in range(2):
        loaded = Session(load_model(engine, file, 1))
        answered(loaded, Asked(1, 1, 3, wrong=True))
        answered(loaded, Asked(2, 2, 3, wrong=False))


def test_a_bad_row_neither_spoils_nor_borrows_from_those_next_to_it(session: Session) -> None:
    joined: list[int] = []
    specs = [*session.inputs, *session.outputs]
    batcher = Batcher(session.run, specs, batching=True, observe=joined.append)
    requests = [Asked(seed, 1, 4, wrong=seed % 3 == 0) for seed in range(240)]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(batcher.run, asked.to(session), ()) for asked in requests]
    for asked, call in zip(requests, calls, strict=True):
        assert asked.wrong == (call.exception() is not None)
        if not asked.wrong:
            asked.check(call.result())


def served(engine: str, folder: Path) -> Service:
    """Return a service with the model, as a pod has it."""
    write_artifact(folder, positions_model(text=False))
    described = json.loads((folder / "skerry.json").read_text()) | {"engine": engine}
    (folder / "skerry.json").write_text(json.dumps(described))
    session = Session(load_model(engine, model_file(engine, folder), 1))
    model = Model(Settings("positions", "1", folder), read_artifact(folder), session)
    return Service(model)


def sent(asked: Asked, session: Session) -> Request:
    """Return a request in the protocol's JSON."""
    tensors = json_tensors(asked.to(session), session.inputs)
    body = json.dumps({"inputs": tensors}).encode()
    return Request("POST", "/v2/models/positions/infer", {}, body)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_protocol_answers_500_and_then_right_again(engine: str, tmp_path: Path) -> None:
    service = served(engine, tmp_path)
    right, wrong = Asked(1, 1, 3, wrong=False), Asked(2, 1, 3, wrong=True)
    answers = [
        service.answer(sent(asked, service.model.session)) for asked in (right, wrong, right)
    ]
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert answers[0].body == answers[2].body
    assert set(json.loads(answers[1].body)) == {"error"}


@pytest.mark.parametrize("engine", ENGINES)
def test_measuring_takes_no_error_for_an_answer(engine: str, tmp_path: Path) -> None:
    samples = [Asked(seed, 1, 3, wrong=seed == 2) for seed in range(4)]
    with started(ModelFile(engine, model_file(engine, tmp_path)), 1) as process:
        files = {spec.name: tmp_path / f"{spec.name}.npy" for spec in process.loaded.inputs}
        for name, file in files.items():
            array = np.concatenate([one.inputs[name] for one in samples])
            np.save(file, array.astype(str) if name == "words" else array)
        process.use({name: str(file) for name, file in files.items()})
        times, answers = process.block([0, 1])
        assert len(times) == len(answers) == 2
        for ask in (process.block, process.batch, process.outputs):
            with pytest.raises(WorkerError, match="the engine failed"):
                ask([0, 1, 2, 3])
        np.testing.assert_allclose(process.block([3])[1][0], samples[3].inputs["x"] + TABLE[:3])


ONE_CPU = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from pathlib import Path
from engines.openvino.tests import test_openvino_errors as tests
loaded = tests.Session(tests.load_model("OpenVINO", Path(sys.argv[1]), 2))
tests.answered(loaded, tests.Asked(1, 1, 3, wrong=False))
tests.answered(loaded, tests.Asked(2, 1, 3, wrong=True))
"""


def test_two_threads_on_one_cpu_hide_nothing(tmp_path: Path) -> None:
    file = str(model_file("OpenVINO", tmp_path))
    subprocess.run([sys.executable, "-c", ONE_CPU, file], check=True, timeout=50)


def test_text_is_refused_while_it_kills_the_process(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(positions_model(text=True).SerializeToString())
    with pytest.raises(
        ModelError, match=r"`words` of model.onnx is text, which OpenVINO can't serve"
    ):
        load_model("OpenVINO", file, 1)


def weighted(kind: str) -> Any:
    """Return a model that multiplies rows of any width by eight weights; what comes before stays in memory."""
    weights = numpy_helper.from_array(np.ones((8, 4), np.float32), "weights")
    products = {
        "matrix": [helper.make_node("MatMul", ["moved", "weights"], ["y"])],
        "einsum": [helper.make_node("Einsum", ["moved", "weights"], ["y"], equation="nk,kh->nh")],
        "image": [
            helper.make_node("Flatten", ["moved"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["y"]),
        ],
    }
    axes: list[str | int | None] = ["N", "high", "wide"] if kind == "image" else ["N", "wide"]
    nodes = [helper.make_node("Tanh", ["x"], ["moved"]), *products[kind]]
    free = helper.make_tensor_value_info("x", TensorProto.FLOAT, axes)
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])
    return model_of(nodes, [free], [answer], [weights])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("matrix", (1, 8), [(1, 9), (1, 7), (3, 1), (1, 16)]),
        ("einsum", (1, 8), [(1, 9), (1, 7), (3, 2), (1, 16)]),
        ("image", (1, 2, 4), [(1, 3, 3), (1, 2, 2), (3, 1, 1), (1, 4, 8)]),
    ],
)
def test_a_width_that_the_weights_do_not_have_is_not_computed_with_what_lies_behind(
    engine: str, kind: str, right: tuple[int, ...], wrong: list[tuple[int, ...]], tmp_path: Path
) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(weighted(kind).SerializeToString())
    loaded = load_model(engine, file, 1)
    for shape in wrong:
        x = np.full(right, shape[-1], np.float32)
        expected = np.full((1, 4), 8 * np.tanh(np.float32(shape[-1])))
        np.testing.assert_allclose(loaded.run(["y"], {"x": x})[0], expected, rtol=1e-5)
        with pytest.raises(Exception, match=r"(?i)matmul|einsum|dimension"):
            loaded.run(["y"], {"x": np.ones(shape, np.float32)})
