"""MLServer in place of Skerry's runtime on one class: the same build, another server, the same proofs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.world import World, tiny_model
from tests.lab.client.environment import run
from tests.lab.client.traffic import infer_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "other-server"
CLASS = "x86-b"
ROLLOUT_SECONDS = 420.0


@pytest.fixture(scope="module")
def served_by_mlserver(world: World) -> Iterator[str]:
    """Yield a namespace where the class names MLServer's image for ONNX Runtime's builds."""
    registry = world.environment.registry
    build = (sys.executable, "images/build.py", "--json", "--push", registry, "--insecure")
    (built,) = json.loads(run(*build, "mlserver-onnx"))
    runtime = {"engine": "ONNXRuntime", "image": built["reference"], "flavor": "MLServer"}
    patch(world, [runtime])
    yield built["reference"]
    patch(world, [])


def patch(world: World, runtimes: list[dict[str, str]]) -> None:
    """Change the class as an administrator would."""
    change = json.dumps({"spec": {"runtimes": runtimes}})
    world.environment.kubectl("patch", "hardwareclass", CLASS, "--type", "merge", "-p", change)


def test_another_server_answers_what_was_certified(
    world: World, namespace: str, lab: Lab, tiny: Path, served_by_mlserver: str
) -> None:
    model = tiny_model(world.registry, namespace, NAME, [CLASS])
    model["spec"]["rollout"] |= {"waves": [{"percent": 100}], "soak": "3s", "traffic": [50]}
    model["spec"]["serving"]["resources"]["limits"]["memory"] = "512Mi"
    world.environment.apply(model)
    world.until_ready((namespace, NAME), ROLLOUT_SECONDS)
    pods = world.serving_pods(namespace, NAME)
    assert len(pods) == 2
    assert all(served_by_mlserver in {c["image"] for c in p["spec"]["containers"]} for p in pods)
    names = world.nodes_of(CLASS)
    node = next(n for n in lab.nodes if n.name in names)
    url = f"http://{node.ip}:30080/{namespace}/{NAME}/v2/models/{NAME}"
    body = json.dumps(infer_request(tiny / "dataset" / "dataset.npz"))
    answer = json.loads(run("curl", "-fsS", "-m", "5", "--json", body, f"{url}/infer"))
    assert answer["outputs"][0]["shape"][0] == 1
    metadata = json.loads(run("curl", "-fsS", "-m", "5", url))
    assert metadata["platform"] != "onnxruntime_onnx", "it is MLServer that says what it is"
