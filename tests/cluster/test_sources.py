"""An EdgeModel whose source and data set are no images: fetched from real servers, then as any other."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api import EdgeModel
from skerry.api.edgemodel import Phase
from skerry.artifacts.images import RegistryClient
from skerry.cluster import kinds
from skerry.decide.conditions import condition_of
from skerry.jobs.plans import RegistryAccess
from skerry.render.parts import COMPONENT_FETCHER
from tests.cluster.api import Api
from tests.cluster.devices import Devices
from tests.cluster.fetch_pods import SECRET
from tests.cluster.operator_process import OperatorProcess
from tests.sources.servers import ACCESS_KEY, BUCKET, SECRET_KEY, s3_server, web_server
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.conftest import Kubectl
    from tests.lab import Lab
    from tests.sources.servers import Store, WebServer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

CLASS, NAME, READER, TRUST = "fetch-a", "fetched", "reader", "trust"
SECONDS = 150.0
MODEL, DATA = b"\x08\x09 a model", b"PK\x03\x04 a data set"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with s3_server(tmp_path_factory.mktemp("s3"), {"v1/model.onnx": MODEL}) as started:
        yield started


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with web_server(tmp_path_factory.mktemp("web"), {"eval.npz": DATA}) as started:
        yield started


@pytest.fixture(scope="module")
def operator(
    control_plane: Lab, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """Yield an operator that runs, and a node of the class."""
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "skerry-system"}}
    kubectl("apply", "--server-side", "--filename=-", stdin=system)
    kubectl.apply(
        {
            "apiVersion": "skerry.dev/v1alpha1", "kind": "HardwareClass", "metadata": {"name": CLASS},
            "spec": {"nodeSelector": {"test.skerry.dev/class": CLASS}},
        }
    )  # fmt: skip
    api = Api(control_plane.kubeconfig)
    devices = Devices(api, {CLASS: ("fetch-a1",)})
    folder = tmp_path_factory.mktemp("operator")
    process = OperatorProcess(control_plane.kubeconfig, folder, control_plane.registry)
    devices.start()
    process.start()
    yield api
    process.stop()
    devices.stop()
    kubectl("delete", "hardwareclass", CLASS)
    print(process.log.read_text())  # noqa: T201 - for the report of a failed test


def manifest(s3: Store, web: WebServer) -> dict[str, Any]:
    source = {
        "uri": f"s3://{BUCKET}/v1/", "endpoint": s3.endpoint, "plainHTTP": True,
        "credentialsSecretName": READER,
    }  # fmt: skip
    dataset = {"uri": f"https://127.0.0.1:{web.tls_port}/eval.npz", "credentialsSecretName": TRUST}
    return {
        "apiVersion": "skerry.dev/v1alpha1",
        "kind": "EdgeModel",
        "metadata": {"name": NAME},
        "spec": {
            "source": source,
            "evaluation": {"dataset": dataset, "metric": "Accuracy"},
            "targets": [{"hardwareClassName": CLASS}],
            "rollout": {"waves": [{"percent": 100}], "soak": "1s"},
        },
    }


def secret(name: str, **keys: str) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def test_from_missing_secrets_to_serving_and_on_through_a_bad_address(
    operator: Api, kubectl: Kubectl, control_plane: Lab, s3: Store, web: WebServer
) -> None:
    def model() -> EdgeModel:
        return EdgeModel.model_validate(operator.get(kinds.EDGE_MODEL, kubectl.namespace, NAME))

    def until(what: str, reached: Callable[[EdgeModel], bool]) -> EdgeModel:
        return wait_for(what, model, reached, SECONDS)

    def reason(found: EdgeModel) -> str:
        return found.status.targets[0].reason if found.status.targets else ""

    kubectl.apply(manifest(s3, web))
    text = [
        f"the Secret {name} that credentialsSecretName names is not there"
        for name in (READER, TRUST)
    ]

    def both_reported(found: EdgeModel) -> bool:
        message = found.status.targets[0].message if found.status.targets else ""
        return all(words in message for words in text)

    stalled = until("both missing Secrets", both_reported)
    assert reason(stalled) == "SourceSecretUnusable"
    accepted = condition_of(stalled.status.conditions, "Accepted")
    assert accepted is not None
    assert accepted.status == "False"

    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    kubectl("create", "--filename=-", stdin=secret(READER, **keys))
    kubectl("create", "--filename=-", stdin=secret(TRUST, **{"ca.crt": web.authority}))
    assert operator.find(SECRET, kubectl.namespace, READER)
    kubectl("annotate", "edgemodel", NAME, "skerry.dev/retry=now")
    serving = until("serving", lambda m: m.status.phase is Phase.SERVING)
    source, dataset = (one.fetched for one in serving.status.artifacts)
    assert source is not None
    assert dataset is not None
    assert (source.bytes, dataset.bytes) == (len(MODEL), len(DATA))
    assert source.digest == serving.status.artifacts[0].digest
    assert dataset.resolved.startswith('"'), "nginx's ETag"
    repository = f"skerry/{kubectl.namespace}/{NAME}"
    assert source.image == f"{control_plane.registry}/{repository}"
    access = RegistryAccess(address=control_plane.registry, repository=repository, insecure=True)
    assert RegistryClient(access).find(source.digest) is not None

    selector = f"app.kubernetes.io/component={COMPONENT_FETCHER}"
    kubectl("annotate", "--overwrite", "edgemodel", NAME, "skerry.dev/retry=again")
    again = until("another look", lambda m: m.status.retry_nonce == "again")
    assert again.status.artifacts[0].digest == source.digest
    stable = again.status.targets[0].rollout.stable
    until("still serving", lambda m: m.status.phase is Phase.SERVING)

    patch = '--patch={"spec":{"source":{"uri":"s3://models/v2/"}}}'
    kubectl("patch", "edgemodel", NAME, "--type=merge", patch)
    wrong = until("the bad address", lambda m: reason(m) == "SourceNotFound")
    assert wrong.status.targets[0].rollout.stable == stable
    assert f"{stable} continues to serve" in wrong.status.targets[0].message
    assert wrong.status.artifacts[0].digest == source.digest
    assert operator.list(kinds.JOB, kubectl.namespace, selector)
    kubectl("delete", "edgemodel", NAME)
