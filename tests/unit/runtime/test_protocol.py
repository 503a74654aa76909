"""Conformance of the real server process, by the protocol's own client and by raw requests."""

from __future__ import annotations

import json
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.unit.runtime.conftest import (
    WIDTH,
    encoder_model,
    many_types_model,
    servers,
    spawn,
    stop,
    write_artifact,
)
from tests.waiting import HTTP, free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.unit.runtime.conftest import Served

INFER = "/v2/models/encoder/infer"
ROW = np.linspace(-1, 1, WIDTH, dtype=np.float32).reshape(1, WIDTH)


@pytest.fixture(scope="module")
def encoder(encoder_artifact: Path) -> Iterator[Served]:
    """Yield one server for the tests that leave it as it was."""
    with servers() as start:
        yield start(encoder_artifact)


@pytest.fixture
def fresh(start_server: Callable[..., Served], encoder_artifact: Path) -> Served:
    """Return a server of the test's own."""
    return start_server(encoder_artifact)


@pytest.fixture
def client(encoder: Served) -> Iterator[Any]:
    client = triton.InferenceServerClient(f"127.0.0.1:{encoder.port}", concurrency=4)
    yield client
    client.close()


def row_input(rows: NDArray[Any], *, binary: bool = True) -> Any:
    tensor = triton.InferInput("x", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return tensor


def expected(rows: NDArray[Any]) -> NDArray[Any]:
    matrix = np.random.default_rng(1).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    return np.tanh(rows @ matrix)


def tensor(**changes: Any) -> dict[str, Any]:
    whole = {"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": [0.5] * WIDTH}
    return {"inputs": [{k: v for k, v in (whole | changes).items() if v is not None}]}


def test_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("encoder")
    assert client.is_model_ready("encoder", "0123456789")
    assert not client.is_model_ready("encoder", "2")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = client.get_model_metadata("encoder")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, WIDTH]}]
    assert metadata["versions"] == ["0123456789"]
    assert metadata["parameters"]["certified"]["speedup"]["value"] == "1.5"


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_infer_in_every_form(client: Any, *, binary_in: bool, binary_out: bool) -> None:
    rows = np.random.default_rng(2).normal(size=(3, WIDTH)).astype(np.float32)
    output = triton.InferRequestedOutput("embedding", binary_data=binary_out)
    result = client.infer(
        "encoder", [row_input(rows, binary=binary_in)], outputs=[output], request_id="r-7"
    )
    np.testing.assert_allclose(result.as_numpy("embedding"), expected(rows), atol=1e-5)
    assert result.get_response()["id"] == "r-7"
    assert result.get_response()["model_version"] == "0123456789"


def test_all_outputs_come_without_asking(encoder: Served) -> None:
    answer = HTTP.post(encoder.url + INFER, json=tensor()).json()
    assert [one["name"] for one in answer["outputs"]] == ["embedding"]
    assert len(answer["outputs"][0]["data"]) == WIDTH
    assert "id" not in answer


def test_binary_data_output_for_all(encoder: Served) -> None:
    request = tensor() | {"parameters": {"binary_data_output": True}}
    answer = HTTP.post(encoder.url + INFER, json=request)
    head = int(answer.headers["Inference-Header-Content-Length"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    description = json.loads(answer.content[:head])["outputs"][0]
    assert description["parameters"]["binary_data_size"] == 4 * WIDTH == len(answer.content) - head


def test_every_number_type(start_server: Callable[..., Served], tmp_path: Path) -> None:
    served = start_server(write_artifact(tmp_path / "types", many_types_model()))
    arrays: dict[str, tuple[str, NDArray[Any]]] = {
        "fp32": ("FP32", np.array([[1.5, -2]], np.float32)),
        "fp16": ("FP16", np.array([[0.5, 3]], np.float16)),
        "int64": ("INT64", np.array([[4, 0]], np.int64)),
        "int32": ("INT32", np.array([[-7, 7]], np.int32)),
        "int8": ("INT8", np.array([[-128, 127]], np.int8)),
        "uint8": ("UINT8", np.array([[0, 255]], np.uint8)),
        "bool": ("BOOL", np.array([[True, False]])),
        "bytes": ("BYTES", np.array([["Schäre", ""]], np.object_)),
    }
    for binary in (True, False):
        inputs = []
        for name, (datatype, array) in arrays.items():
            one = triton.InferInput(name, [1, 2], datatype)
            # The client itself sends FP16 as binary only.
            one.set_data_from_numpy(array, binary_data=binary or name == "fp16")
            inputs.append(one)
        outputs = [
            triton.InferRequestedOutput(f"{name}_out", binary_data=binary or name == "fp16")
            for name in arrays
        ]
        client = triton.InferenceServerClient(f"127.0.0.1:{served.port}")
        result = client.infer("encoder", inputs, outputs=outputs)
        client.close()
        for name, (_, array) in arrays.items():
            got = result.as_numpy(f"{name}_out")
            if name == "bytes":
                texts = [x.decode() if isinstance(x, bytes) else x for x in got.ravel()]
                assert texts == ["Schäre", ""]
            else:
                np.testing.assert_array_equal(got, array)


def test_values_that_the_model_refuses_are_the_callers_fault(
    start_server: Callable[..., Served], tmp_path: Path
) -> None:
    served = start_server(write_artifact(tmp_path / "types", many_types_model()))
    request = {
        "inputs": [
            {"name": n, "datatype": t, "shape": [1, 2], "data": [v, v]}
            for n, t, v in [
                ("fp32", "FP32", 1), ("fp16", "FP16", 1), ("int64", "INT64", 99),
                ("int32", "INT32", 1), ("int8", "INT8", 1), ("uint8", "UINT8", 1),
                ("bool", "BOOL", True), ("bytes", "BYTES", "a"),
            ]
        ]
    }  # fmt: skip
    answer = HTTP.post(served.url + INFER, json=request)
    assert answer.status_code == 400
    assert "refused the inputs" in answer.json()["error"]


@pytest.mark.parametrize(
    ("request_json", "message"),
    [
        (tensor(name="y"), "unknown input 'y'; the model takes x"),
        (tensor(datatype="FP64"), "has datatype FP64, the model takes FP32"),
        (tensor(shape=[1, 7]), r"has shape \[1, 7\], the model takes \[-1, 8\]"),
        (tensor(shape=[WIDTH]), r"has shape \[8\]"),
        (tensor(shape=[2, WIDTH]), r"has 8 elements, its shape \[2, 8\] needs 16"),
        (tensor(shape=[-1, WIDTH]), "must be a list of counts"),
        (tensor(shape=None), "must be a list of counts"),
        (tensor(data=None), "neither `data` nor binary_data_size"),
        (tensor(data=["a"] * WIDTH), "not all FP32"),
        (tensor(data=[[1], [2, 3]]), "inhomogeneous"),
        (tensor(parameters={"binary_data_size": 32}), "0 bytes are left"),
        (tensor(parameters=[1]), "`parameters` of input `x` must be an object"),
        ({"inputs": []}, "inputs are missing: x"),
        ({"inputs": tensor()["inputs"] * 2}, "given twice"),
        ({"inputs": 7}, "`inputs` must be a list of objects"),
        ([1], "must be a JSON object"),
        (tensor() | {"id": 7}, "`id` must be a string"),
        (tensor() | {"outputs": [{"name": "z"}]}, "unknown output 'z'; the model gives embedding"),
        (tensor() | {"outputs": [{"name": "embedding"}] * 2}, "asked for twice"),
    ],
)
def test_wrong_requests_are_400_and_say_why(
    encoder: Served, request_json: Any, message: str
) -> None:
    answer = HTTP.post(encoder.url + INFER, json=request_json)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/json"
    assert re.search(message, answer.json()["error"]), answer.text


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (b"", {}, "not JSON"),
        (b"\x00\xff garbage", {}, "not JSON"),
        (b"[" * 100_000, {}, "not JSON"),
        (b"{}", {"Inference-Header-Content-Length": "99"}, "the body has 2 bytes"),
        (b"{}", {"Inference-Header-Content-Length": "-1"}, "no count of bytes"),
        (b"{}tail", {"Inference-Header-Content-Length": "2"}, "belong to no input"),
    ],
)
def test_garbage_bodies(
    encoder: Served, body: bytes, headers: dict[str, str], message: str
) -> None:
    answer = HTTP.post(encoder.url + INFER, content=body, headers=headers)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_wrong_size_of_binary_data(encoder: Served) -> None:
    request = tensor(data=None, parameters={"binary_data_size": 5})
    head = json.dumps(request).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = HTTP.post(encoder.url + INFER, content=head + b"12345", headers=headers)
    assert answer.status_code == 400
    assert "has 5 bytes, FP32 of shape [1, 8] needs 32" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v2/models/other", 404, "unknown model 'other': 'encoder' is served here"),
        ("POST", "/v2/models/other/infer", 404, "unknown model"),
        ("GET", "/v2/models/encoder/versions/9", 404, "unknown version '9'"),
        ("GET", "/v2/models/encoder/config", 404, "no 'config' here"),
        ("GET", "/", 404, "nothing at /"),
        ("GET", INFER, 405, "takes POST, not GET"),
        ("POST", "/v2/health/live", 405, "takes GET, not POST"),
    ],
)
def test_wrong_paths_and_methods(
    encoder: Served, method: str, path: str, status: int, message: str
) -> None:
    answer = HTTP.request(method, encoder.url + path)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_the_client_sees_errors_of_the_protocol(client: Any) -> None:
    wrong = triton.InferInput("x", [1, 3], "FP32")
    wrong.set_data_from_numpy(np.ones((1, 3), np.float32))
    with pytest.raises(InferenceServerException, match=r"has shape \[1, 3\]"):
        client.infer("encoder", [wrong])


def test_compressed_bodies_are_refused(client: Any) -> None:
    with pytest.raises(InferenceServerException, match="Content-Encoding gzip"):
        client.infer("encoder", [row_input(ROW)], request_compression_algorithm="gzip")


def test_bodies_over_the_limit_are_413(start_server: Any, encoder_artifact: Path) -> None:
    served = start_server(encoder_artifact, SKERRY_MAX_BODY_BYTES="4096")
    assert HTTP.post(served.url + INFER, content=b" " * 4096).status_code == 400
    answer = HTTP.post(served.url + INFER, content=b" " * 4097)
    assert answer.status_code == 413
    assert "exceeds" in answer.json()["error"]


def test_broken_http_is_answered_as_the_protocol_says(encoder: Served) -> None:
    with socket.create_connection(("127.0.0.1", encoder.port), timeout=10) as connection:
        connection.sendall(b"POST /v2 HTTP/1.1\r\nContent-Length: nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]


@pytest.mark.parametrize(
    "path", ["/v2/health/ready", "/metrics", "/nothing", "/v2/models/encoder/infer"]
)
def test_head_is_answered_without_a_body(encoder: Served, path: str) -> None:
    """Its bytes would be taken for the next answer of the connection."""
    status = HTTP.get(f"{encoder.url}{path}").status_code
    with socket.create_connection(("127.0.0.1", encoder.port)) as connection:
        connection.settimeout(30)
        connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = _until(connection, b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert head.endswith(b"\r\n\r\n"), "nothing comes behind the head"
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert _until(connection, b"}").startswith(b"HTTP/1.1 200 OK\r\n")


def _until(connection: socket.socket, end: bytes) -> bytes:
    answer = b""
    while end not in answer:
        data = connection.recv(65536)
        assert data, answer
        answer += data
    return answer


def test_concurrent_clients_get_their_own_answers(encoder: Served) -> None:
    def ask(seed: int) -> bool:
        rows = np.random.default_rng(seed).normal(size=(2, WIDTH)).astype(np.float32)
        client = triton.InferenceServerClient(f"127.0.0.1:{encoder.port}")
        result = client.infer("encoder", [row_input(rows)], request_id=str(seed))
        client.close()
        answer = result.as_numpy("embedding")
        same = np.allclose(answer, expected(rows), atol=1e-5)
        return bool(same) and result.get_response()["id"] == str(seed)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(80)))


def slow_model() -> Any:
    """Return a model that takes about a second of matrix products at 400 rows, on one thread."""
    return encoder_model(depth=12, width=1024)


def test_a_full_queue_refuses_quickly_and_stays_alive(start_server: Any, tmp_path: Path) -> None:
    served = start_server(write_artifact(tmp_path / "slow", slow_model()), SKERRY_MAX_WAITING="1")
    rows = np.zeros((400, 1024), np.float32)

    def ask(_: int) -> int:
        head = json.dumps(
            tensor(shape=[400, 1024], data=None, parameters={"binary_data_size": rows.nbytes})
        ).encode()
        headers = {"Inference-Header-Content-Length": str(len(head))}
        answer = HTTP.post(
            served.url + INFER, content=head + rows.tobytes(), headers=headers, timeout=60
        )
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
        assert HTTP.get(f"{served.url}/v2/health/ready").status_code == 200
    assert set(answers) == {200, 503}
    metrics = HTTP.get(f"{served.url}/metrics").text
    refused = answers.count(503)
    assert f'skerry_runtime_requests_total{{code="503",protocol="rest"}} {refused}.0' in metrics


def test_metrics(fresh: Served) -> None:
    HTTP.post(fresh.url + INFER, json=tensor())
    HTTP.post(fresh.url + INFER, json=tensor(name="y"))
    text = HTTP.get(f"{fresh.url}/metrics").text
    assert 'skerry_runtime_requests_total{code="200",protocol="rest"} 1.0' in text
    assert 'skerry_runtime_requests_total{code="400",protocol="rest"} 1.0' in text
    assert "skerry_runtime_request_seconds_count 2.0" in text
    assert "skerry_runtime_inference_seconds_count 1.0" in text
    assert "skerry_runtime_in_flight 0.0" in text
    assert 'revision="0123456789"' in text
    assert "process_resident_memory_bytes" in text


def test_golden_samples_replay_by_the_normal_route(encoder: Served) -> None:
    replay = HTTP.get(f"{encoder.url}/skerry/golden").json()
    assert replay["tolerance"] == {"absolute": 0.001, "relative": 0.01, "cosine": 0.999}
    assert replay["p50Milliseconds"] == 1.25
    assert len(replay["samples"]) == 4
    for sample in replay["samples"]:
        answer = HTTP.post(encoder.url + INFER, json=sample["request"]).json()
        (got,), (certified,) = answer["outputs"], sample["outputs"]
        assert {k: got[k] for k in ("name", "shape")} == {
            k: certified[k] for k in ("name", "shape")
        }
        np.testing.assert_allclose(got["data"], certified["data"], atol=1e-5)


def test_sigterm_drains(start_server: Any, tmp_path: Path) -> None:
    """A request is in flight for longer than the drain: until it is answered, others are served too."""
    artifact = write_artifact(tmp_path / "slow", slow_model())
    served = start_server(artifact, SKERRY_DRAIN_SECONDS="0.5")
    slow = json.dumps(tensor(shape=[400, 1024], data=[0.0] * 400 * 1024))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(HTTP.post, served.url + INFER, content=slow, timeout=60)
        wait_for(
            "the slow request is in flight",
            lambda: HTTP.get(f"{served.url}/metrics").text,
            lambda text: "skerry_runtime_in_flight 1.0" in text,
            30,
            every=0.01,
        )
        served.process.send_signal(signal.SIGTERM)
        ready = HTTP.get(f"{served.url}/v2/health/ready")
        late = HTTP.post(served.url + INFER, json=tensor(shape=[1, 1024], data=[0.0] * 1024))
        assert (ready.status_code, late.status_code) == (503, 200)
        assert answer.result().status_code == 200
    log = served.process.communicate(timeout=30)[1]
    assert served.process.returncode == 0
    assert "shutting down" in log


def test_a_second_sigterm_ends_at_once(start_server: Any, encoder_artifact: Path) -> None:
    served = start_server(encoder_artifact, SKERRY_DRAIN_SECONDS="60")
    served.process.send_signal(signal.SIGTERM)
    wait_for(
        "not ready",
        lambda: HTTP.get(f"{served.url}/v2/health/ready").status_code,
        lambda status: status == 503,
        30,
    )
    served.process.send_signal(signal.SIGTERM)
    log = served.process.communicate(timeout=30)[1]
    assert served.process.returncode == 0
    assert "Traceback" not in log


def test_the_log_says_in_one_line_what_is_served(fresh: Served) -> None:
    (line,) = [text for text in stop(fresh.process).splitlines() if "serving model" in text]
    for part in ("encoder", "0123456789", "recipe tests (Float32)", "1 thread(s)", "batching on"):
        assert part in line


def test_rows_are_computed_alone_where_batching_is_not_certified(
    start_server: Any, tmp_path: Path
) -> None:
    served = start_server(write_artifact(tmp_path / "alone", encoder_model(), batching=False))
    rows = np.random.default_rng(2).normal(size=(3, WIDTH)).astype(np.float32)
    client = triton.InferenceServerClient(f"127.0.0.1:{served.port}")
    together = client.infer("encoder", [row_input(rows)]).as_numpy("embedding")
    alone = [client.infer("encoder", [row_input(rows[i : i + 1])]) for i in range(3)]
    client.close()
    np.testing.assert_array_equal(
        together, np.concatenate([a.as_numpy("embedding") for a in alone])
    )


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "skerry.json").unlink(), "skerry.json is missing"),
        (lambda folder: (folder / "skerry.json").write_text("{}"), "is not what this release"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx is missing"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"no model"), "can't load"),
    ],
)
def test_an_unusable_artifact_is_an_error_for_people(
    tmp_path: Path, break_it: Callable[[Path], object], message: str
) -> None:
    artifact = write_artifact(tmp_path / "broken", encoder_model())
    break_it(artifact)
    process = spawn(artifact, free_port())
    _, log = process.communicate(timeout=30)
    assert process.returncode == 1
    assert message in log
    assert "Traceback" not in log
