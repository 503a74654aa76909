"""The cluster on which it is measured: Skerry installed, a model whose build is finished in the registry."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.e2e.world import tiny_model
from tests.lab.client import install
from tests.lab.client.environment import ROOT, run
from tests.lab.client.traffic import infer_request
from tests.lab.nodes import CLASS_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.client.environment import Environment

NAMESPACE = "benchmark"
MODEL = "tiny"
CLASS = "x86-a"
GATEWAY_PORT = 30080
POLL_SECONDS = 0.1
"""A gateway answers at once that nothing serves yet: asking it all the time would slow what is measured."""
BUILD_SECONDS = 900.0
ROUND_SECONDS = 240.0


class NotServedError(RuntimeError):
    """Nothing answered in time."""


@dataclass(frozen=True)
class Stage:
    """The cluster, the class's nodes, and what a caller sends."""

    environment: Environment
    nodes: tuple[str, ...]
    request: dict[str, Any]

    def manifest(self) -> str:
        """Return the EdgeModel."""
        model = tiny_model(self.environment.registry, NAMESPACE, MODEL, [CLASS])
        return json.dumps(model)

    def first_answer(self, port: int, path: str, seconds: float = ROUND_SECONDS) -> float:
        """Ask every node again and again; return the moment (`time.monotonic`) of the first 200.

        Raises:
            NotServedError: There was none in time.
        """
        urls = [f"http://{node}:{port}{path}" for node in self.nodes]
        end, pause = time.monotonic() + seconds, threading.Event()
        # a node without a pod drops what comes for a Service: ask again soon
        timeout = httpx.Timeout(5, connect=0.1)
        with httpx.Client(trust_env=False, timeout=timeout) as client:
            while time.monotonic() < end:
                if any(_answers(client, url, self.request) for url in urls):
                    return time.monotonic()
                pause.wait(POLL_SECONDS)
        raise NotServedError(f"none of {', '.join(urls)} answered within {seconds:.0f} s")

    def until(self, what: str, reached: Callable[[], object], seconds: float = 120.0) -> None:
        """Wait until something is so.

        Raises:
            NotServedError: It is not, in time.
        """
        end, pause = time.monotonic() + seconds, threading.Event()
        while not reached():
            if time.monotonic() > end:
                raise NotServedError(f"{what}: not within {seconds:.0f} s")
            pause.wait(0.5)

    def clear(self, *objects: str) -> None:
        """Delete objects, each KIND/NAME, and wait until no pod is left and no gateway knows the model."""
        kubectl = self.environment.kubectl
        kubectl("-n", NAMESPACE, "delete", "--ignore-not-found", "--wait=true", *objects)
        self.until(
            "the pods go", lambda: not self.environment.get("-n", NAMESPACE, "pods")["items"]
        )


def _answers(client: httpx.Client, url: str, request: dict[str, Any]) -> bool:
    try:
        return client.post(url, json=request).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def prepare(environment: Environment) -> Stage:
    """Install Skerry, push the tiny model, let it be built once; nothing is deployed afterwards."""
    built = install.build_and_push(environment)
    install.install_chart(environment, built, {"agent.heartbeatSeconds": "5"})
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        run(sys.executable, "examples/tiny/make.py", str(made))
        install.push_folder(environment, made / "v1", "models/tiny:1")
        install.push_folder(environment, made / "dataset", "datasets/tiny:1")
        request = infer_request(made / "dataset" / "dataset.npz")
    classes = ROOT / "examples/minilm/hardwareclasses.yaml"
    environment.kubectl("apply", "-f", str(classes))
    environment.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    return Stage(environment, _addresses(environment), request)


def _addresses(environment: Environment) -> tuple[str, ...]:
    nodes = environment.get("nodes", "-l", f"{CLASS_LABEL}={CLASS}")["items"]
    return tuple(
        address["address"]
        for node in nodes
        for address in node["status"]["addresses"]
        if address["type"] == "InternalIP"
    )
