"""A server of another protocol, which the foreign engine brings: started as its pod is, asked as the agent asks.

The pod is the rendered DaemonSet's, read by the agent as the API server would give it; its containers are
processes of this machine, on ports of its own. The gateway is HAProxy.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

from skerry.api.common import LABEL_MODEL, LABEL_REVISION
from skerry.api.edgenode import VerdictOutcome
from skerry.api.placement import Placement
from skerry.engines import find_engine
from skerry.render.daemonsets import daemonset, daemonset_name
from skerry_agent.gateway.requests import parse
from skerry_agent.golden import Golden, Target
from skerry_agent.kubelet import Pod
from skerry_agent.protocols import (
    OPEN_INFERENCE,
    UnknownProtocol,
    damaged_protocols,
    known_protocols,
    protocol_of,
)
from skerry_agent.trial.instance import Instance, Ports
from tests.foreign import install, install_text
from tests.kubelet import expanded
from tests.unit.render.test_objects import OWNER, SERVED
from tests.unit.runtime.conftest import WIDTH
from tests.unit.runtime.gateways import REVISION, gateway_process
from tests.waiting import HTTP, TLS, free_port, wait_for_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

KEY, HOST = "assist.encoder", {"Host": "encoder.assist.svc"}
ROW = np.linspace(-1, 1, WIDTH, dtype=np.float32)
QUESTION = {"ask": [{"tensor": "x", "shape": [1, WIDTH], "numbers": ROW.tolist()}]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a folder with the foreign distribution, on the path of this process."""
    folder = tmp_path_factory.mktemp("site")
    install(folder)
    sys.path.insert(0, str(folder))
    known_protocols.cache_clear()
    yield folder
    sys.path.remove(str(folder))
    known_protocols.cache_clear()


@pytest.fixture(scope="module")
def template(site: Path) -> dict[str, Any]:
    """Return the pod template of a revision that the foreign engine's server serves."""
    assert site.is_dir()
    served = dataclasses.replace(SERVED, server=find_engine("Reference").server)
    owner = dataclasses.replace(OWNER, name="encoder")
    found: dict[str, Any] = daemonset(owner, served, Placement())["spec"]["template"]
    return found


@pytest.fixture(scope="module")
def pod(
    template: dict[str, Any], site: Path, encoder_artifact: Path, tmp_path_factory: Any
) -> Iterator[Instance]:
    """Yield the pod, running, as the agent sees it; its ports are this machine's."""
    repository = tmp_path_factory.mktemp("repository")
    ports = {"7000": str(free_port()), "8090": str(free_port())}
    paths = {"/model": str(encoder_artifact), "/repository": str(repository)}
    spec = template["spec"]
    by_name = {one["name"]: expanded(one) for one in (*spec["initContainers"], *spec["containers"])}

    def start(name: str) -> subprocess.Popen[bytes]:
        command, variables = here(by_name[name], paths, ports)
        path = os.pathsep.join((str(site), os.environ.get("PYTHONPATH", "")))
        return subprocess.Popen(command, env=os.environ | variables | {"PYTHONPATH": path})

    assert start("prepare").wait(60) == 0
    with ended(start("golden")), ended(start("runtime")):
        wait_for_answer(f"http://127.0.0.1:{ports['7000']}/ping")
        wait_for_answer(f"http://127.0.0.1:{ports['8090']}/skerry/golden")
        seen = Pod.of(as_the_api_server_has_it(template)).instance()
        assert seen is not None
        assert seen.ports == Ports(http=7000, golden=8090)
        own = Ports(http=int(ports["7000"]), golden=int(ports["8090"]))
        yield seen.model_copy(update={"ports": own})


def here(
    container: dict[str, Any], paths: dict[str, str], ports: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return a container's command and variables with this machine's paths and ports."""

    def local(text: str) -> str:
        for path, own in paths.items():
            text = text.replace(path, own, 1) if text.startswith(path) else text
        return ports.get(text, text)

    words = [*container["command"], *container.get("args", ())]
    assert words[0] == "python3"
    variables = {entry["name"]: local(entry["value"]) for entry in container.get("env", ())}
    variables |= {"SKERRY_MODEL_DIR": paths["/model"]}
    return [sys.executable, *map(local, words[1:])], variables


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def as_the_api_server_has_it(template: dict[str, Any]) -> dict[str, Any]:
    owner = {
        "apiVersion": "apps/v1", "kind": "DaemonSet", "controller": True,
        "name": daemonset_name("encoder", SERVED.revision),
    }  # fmt: skip
    assert template["metadata"]["labels"][LABEL_MODEL] == "encoder"
    assert template["metadata"]["labels"][LABEL_REVISION] == SERVED.revision
    metadata = {
        **template["metadata"], "namespace": "assist", "name": "p", "ownerReferences": [owner],
    }  # fmt: skip
    return {"metadata": metadata, "spec": template["spec"], "status": {"podIP": "127.0.0.1"}}


def mode(pod: Instance, word: str) -> None:
    """Set how the server answers from now on."""
    HTTP.post(f"http://127.0.0.1:{pod.ports.http}/mode", content=word).raise_for_status()


@pytest.fixture
def right(pod: Instance) -> Iterator[Instance]:
    """Yield the pod; it answers correctly before and after."""
    yield pod
    mode(pod, "right")


def test_the_pod_is_as_the_engine_s_server_says(template: dict[str, Any]) -> None:
    spec = template["spec"]
    container = next(one for one in spec["containers"] if one["name"] == "runtime")
    assert template["metadata"]["annotations"] == {
        "skerry.dev/protocol": "Plain",
        "prometheus.io/port": "7000",
        "prometheus.io/path": "/numbers",
    }
    assert container["image"] == SERVED.runtime_image
    assert container["readinessProbe"]["httpGet"] == {"path": "/ping", "port": "http"}
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == 3
    assert spec["terminationGracePeriodSeconds"] == 60
    variables = {entry["name"]: entry["value"] for entry in expanded(container)["env"]}
    assert variables["HOMEMADE_THREADS"] == "1"


def target(pod: Instance) -> Target:
    ports = pod.ports
    return Target(
        REVISION, pod.address, "encoder", ports.http, ports.golden or 0, "o", pod.protocol
    )


@pytest.mark.parametrize(
    ("word", "outcome"), [("right", VerdictOutcome.PASS), ("wrong", VerdictOutcome.FAIL)]
)
async def test_its_answers_are_held_against_the_golden_samples(
    right: Instance, tmp_path: Path, word: str, outcome: VerdictOutcome
) -> None:
    mode(right, word)
    async with httpx.AsyncClient(trust_env=False, verify=TLS) as client:
        finding = await Golden(tmp_path, client).smoke(target(right), None)
    assert finding.outcome is outcome, finding
    if outcome is VerdictOutcome.FAIL:
        assert "cosine" in finding.message


@pytest.mark.parametrize(
    ("word", "status", "failed"),
    [("right", 200, [False]), ("slow", 429, [True]), ("leaving", 503, [])],
)
async def test_the_gateway_checks_it_and_its_log_is_read_as_its_protocol_has_it(
    right: Instance, word: str, status: int, failed: list[bool]
) -> None:
    mode(right, word)
    server = right.as_server(100)
    assert (server.check_path, server.protocol) == ("/ping", "Plain")
    with gateway_process((KEY, server)) as running:
        async with log_of(running.paths.log) as lines:
            url = f"http://127.0.0.1:{running.port}/ask/encoder"
            answer = await asyncio.to_thread(HTTP.post, url, json=QUESTION, headers=HOST)
            line = await asyncio.wait_for(lines.get(), 20)
    assert answer.status_code == status
    found = parse(line, {KEY: {REVISION: server}})
    assert [one.failed for _, _, one in found] == failed


class Lines(asyncio.DatagramProtocol):
    """The gateway's log of requests."""

    def __init__(self) -> None:
        self.found: asyncio.Queue[str] = asyncio.Queue()

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Keep the log line of a request, not of a health check."""
        if data.startswith(KEY.encode()):
            self.found.put_nowait(data.decode())


@asynccontextmanager
async def log_of(path: Path) -> AsyncIterator[asyncio.Queue[str]]:
    """Yield the lines that the gateway logs to a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.setblocking(False)  # noqa: FBT003 - the standard library's signature
        server.bind(str(path))
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(Lines, sock=server)
        yield protocol.found
        transport.close()


def test_a_protocol_that_nobody_brings_is_named() -> None:
    with pytest.raises(UnknownProtocol, match="does not know the protocol Verse"):
        protocol_of("Verse")


@pytest.fixture
def brought(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give this process distributions that bring protocols: source text by name."""
    for name, text in request.param.items():
        install_text(tmp_path, "skerry.protocols", name, text)
    monkeypatch.syspath_prepend(tmp_path)
    known_protocols.cache_clear()
    yield
    known_protocols.cache_clear()


def named(name: str) -> str:
    return f"class FOUND:\n    name = '{name}'\n"


@pytest.mark.usefixtures("brought")
@pytest.mark.parametrize("brought", [{"imitation": named("OpenInference")}], indirect=True)
def test_nobody_takes_the_place_of_skerry_s_own_protocol() -> None:
    assert known_protocols()[OPEN_INFERENCE.name] is OPEN_INFERENCE


@pytest.mark.usefixtures("brought")
@pytest.mark.parametrize(
    "brought",
    [
        {"damaged": "raise RuntimeError('no such driver')", "sound": named("Sound")},
        {"lacking": "import nobody_has_this", "sound": named("Sound")},
        {"without": "", "sound": named("Sound")},
        {"nameless": "FOUND = object()", "sound": named("Sound")},
    ],
    ids=lambda found: next(iter(found)),
    indirect=True,
)
def test_a_protocol_that_fails_to_load_is_left_out_and_named() -> None:
    """The others are there: one distribution does not stop the agent's reconciles."""
    assert set(known_protocols()) >= {OPEN_INFERENCE.name, "Sound"}
    (why,) = damaged_protocols()
    assert "can't be loaded" in why


async def test_a_candidate_of_an_unknown_protocol_is_not_judged(
    right: Instance, tmp_path: Path
) -> None:
    """It is the agent that lacks something: the build is not at fault."""
    unknown = target(right)._replace(protocol="Verse")
    async with httpx.AsyncClient(trust_env=False, verify=TLS) as client:
        with pytest.raises(UnknownProtocol):
            await Golden(tmp_path, client).smoke(unknown, None)
