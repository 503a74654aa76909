"""The protocol's gRPC form as a client meets it: the real runtime behind the real gateway.

The gateway is HAProxy with the configuration that the agent writes; the client is Triton's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from skerry_agent.gateway.state import Server
from tests.unit.runtime.conftest import (
    WIDTH,
    encoder_model,
    many_types_model,
    servers,
    write_artifact,
)
from tests.unit.runtime.gateways import AUTHORITY, REVISION, client_of, gateway
from tests.waiting import HTTP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.unit.runtime.conftest import Served


def at(served: Served) -> Server:
    return Server("127.0.0.1", 100, served.port)


def expected(rows: NDArray[Any]) -> NDArray[Any]:
    matrix = np.random.default_rng(1).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    return np.tanh(rows @ matrix)


@pytest.fixture(scope="module")
def encoder(encoder_artifact: Path) -> Iterator[Served]:
    with servers() as start:
        yield start(encoder_artifact, SKERRY_ARTIFACT_DIGEST="sha256:" + "a" * 64)


@pytest.fixture(scope="module")
def port(encoder: Served) -> Iterator[int]:
    with gateway(("demo.encoder", at(encoder))) as port:
        yield port


@pytest.fixture(scope="module")
def client(port: int) -> Iterator[Any]:
    client = client_of(port)
    yield client
    client.close()


def row_input(rows: NDArray[Any]) -> Any:
    tensor = triton.InferInput("x", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows)
    return tensor


def test_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("encoder", REVISION)
    assert not client.is_model_ready("encoder", "2")
    assert client.get_server_metadata().name == "skerry-runtime"
    metadata = client.get_model_metadata("encoder")
    assert (metadata.name, list(metadata.versions)) == ("encoder", [REVISION])
    assert [(t.name, t.datatype, list(t.shape)) for t in metadata.inputs] == [
        ("x", "FP32", [-1, WIDTH])
    ]


def test_infer(client: Any) -> None:
    rows = np.random.default_rng(2).normal(size=(3, WIDTH)).astype(np.float32)
    wanted = [triton.InferRequestedOutput("embedding")]
    result = client.infer("encoder", [row_input(rows)], outputs=wanted, request_id="r-7")
    np.testing.assert_allclose(result.as_numpy("embedding"), expected(rows), atol=1e-5)
    response = result.get_response()
    assert (response.id, response.model_version) == ("r-7", REVISION)


def test_rest_and_grpc_share_the_port(client: Any, port: int) -> None:
    row = np.ones((1, WIDTH), np.float32)
    body = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": [1.0] * WIDTH}]
    }
    headers = {"Host": AUTHORITY}
    url = f"http://127.0.0.1:{port}/v2/models/encoder/infer"
    plain = HTTP.post(url, json=body, headers=headers)
    assert plain.headers["X-Skerry-Revision"] == REVISION
    both = client.infer("encoder", [row_input(row)]).as_numpy("embedding")
    np.testing.assert_allclose(plain.json()["outputs"][0]["data"], both.ravel(), atol=1e-6)


def test_certified_figures_are_in_the_metadata(client: Any, encoder: Served) -> None:
    facts = HTTP.get(f"{encoder.url}/v2/models/encoder").json()["parameters"]
    assert facts["certified"]["speedup"]["value"] == "1.5"
    assert facts["artifact_digest"] == "sha256:" + "a" * 64
    # Triton's own messages know no properties and skip them; they come as the unknown field 6.
    assert client.get_model_metadata("encoder").ByteSize() > 0
    raw = client.get_model_metadata("encoder").SerializeToString()
    for text in (b"certified.speedup", b"artifact_digest", facts["artifact_digest"].encode()):
        assert text in raw


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"model_name": "other"}, "NOT_FOUND", "unknown model 'other'"),
        ({"model_version": "2"}, "NOT_FOUND", "unknown version '2'"),
        ({"shape": [1, WIDTH + 1]}, "INVALID_ARGUMENT", f"the model takes [-1, {WIDTH}]"),
        ({"name": "y"}, "INVALID_ARGUMENT", "the model takes x"),
        ({"output": "nothing"}, "INVALID_ARGUMENT", "the model gives embedding"),
    ],
)
def test_mistakes_are_said(client: Any, change: dict[str, Any], code: str, message: str) -> None:
    shape = change.get("shape", [1, WIDTH])
    tensor = triton.InferInput(change.get("name", "x"), shape, "FP32")
    tensor.set_data_from_numpy(np.zeros(shape, np.float32))
    outputs = [triton.InferRequestedOutput(change.get("output", "embedding"))]
    with pytest.raises(InferenceServerException, match=code) as raised:
        client.infer(
            change.get("model_name", "encoder"),
            [tensor],
            model_version=change.get("model_version", ""),
            outputs=outputs,
        )
    assert message in raised.value.message()


def test_methods_that_are_not_served_are_said(client: Any) -> None:
    with pytest.raises(InferenceServerException, match="UNIMPLEMENTED") as raised:
        client.get_model_repository_index()
    assert "ModelInfer" in raised.value.message()


def test_compressed_messages_are_refused(client: Any) -> None:
    row = np.zeros((1, WIDTH), np.float32)
    with pytest.raises(InferenceServerException, match="send them plain"):
        client.infer("encoder", [row_input(row)], compression_algorithm="gzip")


def test_models_that_are_not_here_are_said(port: int) -> None:
    for authority, code in (("other.demo.svc", "NOT_FOUND"), ("encoder", "INVALID_ARGUMENT")):
        client = client_of(port, authority)
        with pytest.raises(InferenceServerException, match=code) as raised:
            client.is_server_live()
        assert "NAME.NAMESPACE" in raised.value.message()
        client.close()


def test_large_messages(client: Any) -> None:
    rows = np.random.default_rng(3).normal(size=(20_000, WIDTH)).astype(np.float32)
    result = client.infer("encoder", [row_input(rows)])
    np.testing.assert_allclose(result.as_numpy("embedding"), expected(rows), atol=1e-5)
    too_large = np.zeros((300_000, WIDTH), np.float32)
    with pytest.raises(InferenceServerException):
        client.infer("encoder", [row_input(too_large)])
    assert client.is_server_live()


def test_every_number_type(start_server: Callable[..., Served], tmp_path: Path) -> None:
    served = start_server(write_artifact(tmp_path / "types", many_types_model()))
    arrays: dict[str, tuple[str, NDArray[Any]]] = {
        "fp32": ("FP32", np.array([[np.nan, -np.inf]], np.float32)),
        "fp16": ("FP16", np.array([[0.5, np.inf]], np.float16)),
        "int64": ("INT64", np.array([[4, 0]], np.int64)),
        "int32": ("INT32", np.array([[-7, 7]], np.int32)),
        "int8": ("INT8", np.array([[-128, 127]], np.int8)),
        "uint8": ("UINT8", np.array([[0, 255]], np.uint8)),
        "bool": ("BOOL", np.array([[True, False]])),
        "bytes": ("BYTES", np.array([["Schäre".encode(), b""]], np.object_)),
    }
    inputs = []
    for name, (datatype, array) in arrays.items():
        one = triton.InferInput(name, [1, 2], datatype)
        one.set_data_from_numpy(array)
        inputs.append(one)
    with gateway(("demo.encoder", at(served))) as port:
        client = client_of(port)
        result = client.infer("encoder", inputs)
        client.close()
    for name, (_, array) in arrays.items():
        np.testing.assert_array_equal(result.as_numpy(f"{name}_out"), array)


def test_typed_contents_hold_nan_too(client: Any) -> None:
    request = triton.service_pb2.ModelInferRequest(model_name="encoder")
    tensor = request.inputs.add(name="x", datatype="FP32", shape=[1, WIDTH])
    tensor.contents.fp32_contents.extend([np.nan, *[0.0] * (WIDTH - 1)])
    answer = client._client_stub.ModelInfer(request)  # the client's own requests are raw
    found = np.frombuffer(answer.raw_output_contents[0], np.float32)
    assert len(found) == WIDTH
    assert np.isnan(found).all()


def test_a_full_queue_is_reported(
    start_server: Callable[..., Served], encoder_artifact: Path
) -> None:
    busy = start_server(encoder_artifact, SKERRY_MAX_WAITING="0")
    with gateway(("demo.encoder", at(busy))) as port:
        client = client_of(port)
        rows = np.zeros((20_000, WIDTH), np.float32)
        with ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(client.infer, "encoder", [row_input(rows)]) for _ in range(24)]
        errors = [call.exception() for call in calls if call.exception()]
        client.close()
    assert errors
    assert all("UNAVAILABLE" in str(error) for error in errors)
    assert any("try again later" in str(error) for error in errors)


def test_two_models_behind_one_gateway(
    encoder: Served, start_server: Callable[..., Served], tmp_path: Path
) -> None:
    other = start_server(
        write_artifact(tmp_path / "other", encoder_model(seed=7)), SKERRY_MODEL_NAME="second"
    )
    models = (("demo.encoder", at(encoder)), ("elsewhere.second", at(other)))
    with gateway(*models) as port:
        for name, namespace in (("encoder", "demo"), ("second", "elsewhere")):
            client = client_of(port, f"{name}.{namespace}.svc.cluster.local:80")
            row = np.ones((1, WIDTH), np.float32)
            assert client.infer(name, [row_input(row)]).as_numpy("embedding").shape == (1, WIDTH)
            client.close()
