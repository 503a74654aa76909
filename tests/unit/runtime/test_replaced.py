"""A server of others in place of Skerry's: MLServer as the example's image has it, started as the pod does.

The packages are the image's own (images/image_build fetches them); arguments and environment are
those of the rendered DaemonSet, with this machine's paths and ports.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from google.protobuf import text_format
from tenacity import retry, stop_after_delay, wait_fixed
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from image_build.inputs import dependencies
from image_build.spec import read_spec
from skerry.api.edgenode import VerdictOutcome
from skerry.api.placement import Placement
from skerry.engines.flavors import Flavor, flavored
from skerry.engines.server import SKERRY_RUNTIME
from skerry.render.daemonsets import daemonset
from skerry_agent.gateway.state import Server
from skerry_agent.golden import Golden, Target
from tests.kubelet import expanded
from tests.unit.decide.plan_world import IMAGE
from tests.unit.render.test_objects import OWNER, SERVED
from tests.unit.runtime.conftest import WIDTH, encoder_model, write_artifact
from tests.unit.runtime.gateways import AUTHORITY, REVISION, client_of, gateway
from tests.waiting import HTTP, TLS, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)  # the first time MLServer's packages are fetched

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/replaced-runtime/mlserver-onnx"
OWNER_OF_ENCODER = dataclasses.replace(OWNER, name="encoder")
ROWS = np.linspace(-1, 1, 3 * WIDTH, dtype=np.float32).reshape(3, WIDTH)


@dataclasses.dataclass(frozen=True)
class Pod:
    """The ports of a running pod's containers."""

    http: int
    grpc: int
    golden: int


def containers(flavor: Flavor) -> dict[str, Any]:
    served = dataclasses.replace(SERVED, server=flavored(SKERRY_RUNTIME, flavor, IMAGE))
    pod = daemonset(OWNER_OF_ENCODER, served, Placement())["spec"]["template"]["spec"]
    found = (*pod["initContainers"], *pod["containers"])
    return {one["name"]: expanded(one) for one in found}


def environment(container: dict[str, Any], paths: dict[str, str]) -> dict[str, str]:
    given = {entry["name"]: entry["value"] for entry in container.get("env", ())}
    return os.environ | {name: paths.get(value, value) for name, value in given.items()}


@pytest.fixture(scope="module")
def pod(encoder_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """Yield the pod's three containers as processes, in the order in which the kubelet starts them."""
    repository = tmp_path_factory.mktemp("repository")
    ports = Pod(free_port(), free_port(), free_port())
    paths = {
        "/model": str(encoder_artifact), "/repository": str(repository),
        "/repository/golden.json": str(repository / "golden.json"),
        "8080": str(ports.http), "8081": str(ports.grpc), "8082": str(free_port()),
        "8090": str(ports.golden), "/tmp": str(repository),  # noqa: S108 - the pod's
    }  # fmt: skip
    by_name = containers(Flavor.MLSERVER)
    prepare = by_name["prepare"]
    variables = environment(prepare, paths) | {"SKERRY_MODEL_DIR": str(encoder_artifact)}
    subprocess.run(command(prepare, paths), env=variables, check=True)
    packages = dependencies(read_spec(ROOT, "mlserver-onnx"), f"3.{sys.version_info.minor}")
    image = {
        "PYTHONPATH": f"{packages / 'site'}:{EXAMPLE}",
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_onnx.OnnxModel",
    }
    runtime = by_name["runtime"]
    entry = [sys.executable, str(packages / "bin" / runtime["args"][0])]
    server = [*entry, *(paths.get(arg, arg) for arg in runtime["args"][1:])]
    helper = command(by_name["golden"], paths)
    with (
        running(server, environment(runtime, paths) | image) as process,
        running(helper, dict(os.environ)),
    ):
        wait_until_ready(ports, process)
        yield ports


def command(container: dict[str, Any], paths: dict[str, str]) -> list[str]:
    return [sys.executable, *(paths.get(part, part) for part in container["command"][1:])]


@contextmanager
def running(arguments: list[str], variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(arguments, env=variables)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@retry(stop=stop_after_delay(240), wait=wait_fixed(0.2))
def wait_until_ready(pod: Pod, process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None, "the server ended"
    HTTP.get(f"http://127.0.0.1:{pod.http}/v2/health/ready").raise_for_status()
    HTTP.get(f"http://127.0.0.1:{pod.golden}/skerry/golden").raise_for_status()


def expected() -> Any:
    matrix = np.random.default_rng(1).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    return np.tanh(ROWS @ matrix)


def ask_rest(address: str, **named: Any) -> Any:
    client = triton_http.InferenceServerClient(address)
    tensor = triton_http.InferInput("x", [3, WIDTH], "FP32")
    tensor.set_data_from_numpy(ROWS, binary_data=False)
    output = triton_http.InferRequestedOutput("embedding", binary_data=False)
    answer = client.infer("encoder", [tensor], outputs=[output], **named).as_numpy("embedding")
    client.close()
    return answer


def ask_grpc(client: Any) -> Any:
    tensor = triton_grpc.InferInput("x", [3, WIDTH], "FP32")
    tensor.set_data_from_numpy(ROWS)
    answer = client.infer("encoder", [tensor]).as_numpy("embedding")
    client.close()
    return answer


def test_every_route_of_the_protocol(pod: Pod) -> None:
    np.testing.assert_allclose(ask_rest(f"127.0.0.1:{pod.http}"), expected(), atol=1e-5)
    direct = triton_grpc.InferenceServerClient(f"127.0.0.1:{pod.grpc}")
    np.testing.assert_allclose(ask_grpc(direct), expected(), atol=1e-5)
    server = Server("127.0.0.1", 100, pod.http, pod.grpc)
    with gateway(("demo.encoder", server)) as port:
        host = {"Host": AUTHORITY}
        by_host = ask_rest(f"127.0.0.1:{port}", headers=host)
        by_path = ask_rest(f"127.0.0.1:{port}/demo/encoder")
        client = client_of(port)
        assert client.is_server_ready()
        for answer in (by_host, by_path, ask_grpc(client)):
            np.testing.assert_allclose(answer, expected(), atol=1e-5)


async def test_its_answers_are_proven_by_the_golden_samples(pod: Pod, tmp_path: Path) -> None:
    target = Target(REVISION, "127.0.0.1", "encoder", pod.http, pod.golden)
    async with httpx.AsyncClient(trust_env=False, verify=TLS) as client:
        finding = await Golden(tmp_path, client).smoke(target, None)
    assert finding.outcome is VerdictOutcome.PASS, finding


@pytest.mark.parametrize("batching", [True, False])
def test_what_triton_is_given(tmp_path: Path, *, batching: bool) -> None:
    artifact = write_artifact(tmp_path / "model", encoder_model(), batching=batching)
    np.savez(artifact / "golden.npz", **{"input.x": ROWS, "output.embedding": expected()[:, None]})
    folder = tmp_path / "repository"
    folder.mkdir()
    prepare = command(containers(Flavor.TRITON)["prepare"], {"/repository": str(folder)})
    variables = os.environ | {"SKERRY_MODEL_NAME": "encoder", "SKERRY_MODEL_DIR": str(artifact)}
    subprocess.run(prepare, env=variables, check=True)
    assert (folder / "encoder/1/model.onnx").read_bytes() == (artifact / "model.onnx").read_bytes()
    text = (folder / "encoder/config.pbtxt").read_text()
    config = text_format.Parse(text, ModelConfig())
    assert (config.name, config.backend) == ("encoder", "onnxruntime")
    assert config.max_batch_size == (16 if batching else 0)
    assert list(config.input[0].dims) == ([WIDTH] if batching else [-1, WIDTH])
    assert config.input[0].data_type == DataType.Value("TYPE_FP32")
    assert config.HasField("dynamic_batching") is batching
