"""NaN and infinities that belong to the data: in requests, answers, files and figures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton

from skerry.engines import Layout, ModelError, TensorSpec
from skerry.jobs.files import Tolerance
from skerry.judging.guard import golden as rule
from skerry_agent.golden import Golden, Sample, Target
from skerry_runtime.datatypes import BY_PROTOCOL
from skerry_runtime.measure.goldens import tolerance_of
from skerry_runtime.measure.process import WorkerError
from skerry_runtime.measure.quality import QualityError, differing, judge
from skerry_runtime.repository import respelled
from skerry_runtime.tensors import RequestError, from_json, json_data
from tests.unit.runtime.conftest import many_types_model, servers, write_artifact
from tests.waiting import HTTP, TLS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.unit.runtime.conftest import Served

MISSING = np.array([[np.nan, -np.inf]], np.float32)
OTHERS = {
    "fp16": ("FP16", [0.5, "Infinity"]),
    "int64": ("INT64", [4, 0]),
    "int32": ("INT32", [-7, 7]),
    "int8": ("INT8", [-128, 127]),
    "uint8": ("UINT8", [0, 255]),
    "bool": ("BOOL", [True, False]),
    "bytes": ("BYTES", ["NaN", ""]),
}


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield a server that answers each input as it is."""
    with servers() as start:
        yield start(write_artifact(tmp_path_factory.mktemp("echo"), many_types_model()))


def asked(text: str) -> bytes:
    """Return a request whose floats are the two of `text`."""
    others = [
        {"name": name, "datatype": kind, "shape": [1, 2], "data": data}
        for name, (kind, data) in OTHERS.items()
    ]
    first = f'{{"name": "fp32", "datatype": "FP32", "shape": [1, 2], "data": {text}}}'
    return f'{{"inputs": [{first}, {json.dumps(others)[1:]}}}'.encode()


def refuse(token: str) -> float:
    raise AssertionError(f"{token} is no JSON")


@pytest.mark.parametrize(
    "text",
    [
        "[NaN, -Infinity]",  # Triton's clients, Python's json
        '[null, "-Infinity"]',  # MLServer's
        '["NaN", "-Infinity"]',  # protobuf's mapping to JSON
        '[["NaN", -1e999]]',
    ],
)
def test_each_word_for_it_is_read_and_the_answer_is_json(echo: Served, text: str) -> None:
    answer = HTTP.post(f"{echo.url}/v2/models/encoder/infer", content=asked(text))
    found = json.loads(answer.content, parse_constant=refuse)
    outputs = {one["name"]: one["data"] for one in found["outputs"]}
    assert outputs["fp32_out"] == ["NaN", "-Infinity"]
    assert outputs["fp16_out"] == [0.5, "Infinity"]
    assert outputs["bytes_out"] == ["NaN", ""]


@pytest.mark.parametrize("binary", [True, False])
def test_triton_s_client_gets_them_as_numbers(echo: Served, *, binary: bool) -> None:
    client = triton.InferenceServerClient(f"127.0.0.1:{echo.port}")
    inputs = []
    for name, (kind, data) in {"fp32": ("FP32", MISSING), **OTHERS}.items():
        one = triton.InferInput(name, [1, 2], kind)
        kinds = BY_PROTOCOL[kind].numpy
        array = np.array(data, kinds).reshape(1, 2)
        one.set_data_from_numpy(array, binary_data=binary or kind == "FP16")
        inputs.append(one)
    asks = [triton.InferRequestedOutput("fp32_out", binary_data=binary)]
    found = client.infer("encoder", inputs, outputs=asks).as_numpy("fp32_out")
    np.testing.assert_array_equal(found, MISSING)
    client.close()


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("INT64", [None], "not all INT64"),
        ("INT64", ["NaN"], "not all INT64"),
        ("FP32", ["1.5"], "not all FP32: numbers, null, NaN, Infinity, -Infinity"),
        ("FP32", [True, None], "not all FP32"),
        ("FP32", [1e39], "out of the range of FP32"),
        ("FP16", [70000], "out of the range of FP16"),
    ],
)
def test_other_words_and_what_a_type_can_not_hold_are_refused(
    kind: str, data: list[Any], words: str
) -> None:
    spec = TensorSpec("x", kind, (-1,))
    with pytest.raises(RequestError) as error:
        from_json({"shape": [len(data)], "data": data}, spec)
    assert words in str(error.value)


def sample(data: list[Any]) -> dict[str, Any]:
    tensor = {"name": "x", "datatype": "FP32", "shape": [len(data)], "data": data}
    return {"request": {"inputs": [dict(tensor)]}, "outputs": [dict(tensor)]}


@pytest.mark.parametrize(
    ("layout", "request_text", "answer_text"),
    [
        (Layout.TRITON, "[NaN, Infinity, 1.0]", "[NaN, Infinity, 1.0]"),
        (Layout.MLSERVER, '[null, "Infinity", 1.0]', "[null, null, 1.0]"),
        (Layout.ARTIFACT, '["NaN", "Infinity", 1.0]', '["NaN", "Infinity", 1.0]'),
    ],
)
def test_golden_samples_are_spelled_as_other_servers_read_them(
    layout: Layout, request_text: str, answer_text: str
) -> None:
    (found,) = respelled({"samples": [sample(["NaN", "Infinity", 1.0])]}, layout)["samples"]
    assert json.dumps(found["request"]["inputs"][0]["data"]) == request_text
    assert json.dumps(found["outputs"][0]["data"]) == answer_text
    again = Sample.model_validate_json(json.dumps(found))
    exact = Tolerance(absolute=0, relative=0)
    assert rule.difference(again.outputs, json.loads(json.dumps(found["outputs"])), exact) is None


def test_a_server_that_can_not_carry_them_is_not_asked_with_them() -> None:
    golden = {"samples": [sample(["NaN"]), sample([2.0])]}
    found = respelled(golden, Layout.MODEL_VERSIONS)["samples"]
    assert [one["outputs"][0]["data"] for one in found] == [[2.0]]
    with pytest.raises(ModelError, match="Skerry's own runtime"):
        respelled({"samples": [sample(["NaN"])]}, Layout.MODEL_VERSIONS)


@pytest.mark.parametrize("text", ["[NaN, -Infinity]", '[null, "-Infinity"]'])
async def test_the_agent_replays_samples_with_them(echo: Served, tmp_path: Path, text: str) -> None:
    """Each word comes through the agent as the file has it, tokens included, which httpx refuses."""
    outputs = [{"name": "fp32_out", "datatype": "FP32", "data": json.loads(text)}]
    kept = json.dumps({"request": json.loads(asked(text)), "outputs": outputs})
    known, exact = Sample.model_validate_json(kept), Tolerance(absolute=0, relative=0)
    target = Target("r", "127.0.0.1", "encoder", port=echo.port)
    async with httpx.AsyncClient(verify=TLS) as client:
        golden = Golden(tmp_path, client)
        assert (await golden.replay(target, known, exact)).wrong is None
        known.outputs[0]["data"][0] = 0.0
        wrong = (await golden.replay(target, known, exact)).wrong
    assert wrong == "output fp32_out: nan is not a number"


def rows(*values: list[float]) -> NDArray[np.float32]:
    return np.array(values, np.float32)


LABELS = np.array([0, 1, 0, 1])
SOURCE = rows([2, np.nan, -np.inf], [0, 1, -np.inf], [3, 1, 0], [np.nan, np.nan, np.nan])


def test_a_build_that_has_nan_where_the_source_has_it_is_as_good() -> None:
    found = judge("Accuracy", SOURCE, SOURCE.copy(), LABELS)
    assert (found.kept, found.of) == (3, 4)
    wanted = np.zeros((4, 3), np.float32)
    assert judge("RMSE", SOURCE, SOURCE.copy(), wanted).ratio.value == 1
    many = np.random.default_rng(3).normal(size=(40, 4))
    many[5, 1] = np.nan
    neighbors = judge("NearestNeighbors", many, many.copy(), None)
    assert (neighbors.kept, neighbors.of) == (39, 39)
    assert neighbors.cosine is not None
    assert neighbors.cosine.value == pytest.approx(1)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ((2, 1), np.nan, "sample 2 with NaN where the source has a number"),
        ((0, 2), -3.4e38, "sample 0 with a number where the source has -Infinity"),
        ((0, 2), np.inf, "sample 0 with Infinity where the source has -Infinity"),
    ],
)
@pytest.mark.parametrize("metric", ["Accuracy", "F1", "RMSE", "NearestNeighbors"])
def test_a_build_that_has_it_elsewhere_is_out(
    metric: str, place: tuple[int, int], value: float, words: str
) -> None:
    build = SOURCE.copy()
    build[place] = value
    labels = LABELS if metric in {"Accuracy", "F1"} else np.zeros((4, 3))
    with pytest.raises(QualityError, match=words):
        judge(metric, SOURCE, build, labels)


def test_the_same_answers_with_nan_do_not_differ() -> None:
    again = SOURCE * np.float32(1 + 1e-6)
    assert differing(again, SOURCE).tolist() == []
    again[1, 2], again[3, 0] = 0, 0
    assert differing(again, SOURCE).tolist() == [1, 3]


def test_the_tolerance_is_that_of_the_numbers() -> None:
    certified = {"y": SOURCE[:, None]}
    again = {"y": certified["y"] + np.float32(1e-3)}
    found = tolerance_of(certified, [again], with_cosine=True)
    assert found.absolute == pytest.approx(0.01, rel=0.01)
    assert found.cosine is not None
    assert Tolerance.model_validate_json(found.model_dump_json()) == found
    again["y"][0, 0, 0] = np.nan
    with pytest.raises(WorkerError, match="NaN or an infinity in one call"):
        tolerance_of(certified, [again], with_cosine=False)


def test_answers_without_them_are_written_as_before() -> None:
    kind = BY_PROTOCOL["FP32"]
    assert json_data(np.array([[0.5], [2]], np.float32), kind) == [0.5, 2.0]
