"""One device: a real HAProxy by the image's start script, the real agent, real model servers.

The API server is real too. There is no kubelet: the test creates the pods and writes their status, and
their addresses are loopback ones where a little model server listens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from skerry.api.common import LABEL_CLASS, LABEL_MODEL, LABEL_REVISION
from skerry.cluster.kinds import DAEMON_SET, POD, Kind
from skerry.render.daemonsets import daemonset_name
from skerry_agent.gateway.config import render
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.gateway.state import GatewayState
from tests.waiting import free_address, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.api import Api
    from tests.device.forward import Forward
    from tests.lab import Lab

ROOT = Path(__file__).parents[2]
ROUTE = Kind("skerry.dev/v1alpha1", "ModelRoute", "modelroutes", namespaced=True)
EDGE_NODE = Kind("skerry.dev/v1alpha1", "EdgeNode", "edgenodes", namespaced=False)
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts", namespaced=True)
NODE = Kind("v1", "Node", "nodes", namespaced=False)
RULES = {"LatencyShift": "1.25x", "LatencyTail": "1.5x", "Errors": "1%"}
MODEL = "intent"


GATEWAY_PORT, METRICS_PORT, AGENT_PORT = (free_port() for _ in range(3))
MILLISECONDS = 5.0
Found = TypeVar("Found")


def eventually(what: Callable[[], Found], seconds: float, doing: str) -> Found:
    """Wait until `what` returns something true."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"after {seconds} s still not: {doing}"
        threading.Event().wait(0.05)
    return found


@dataclass
class Device:
    """One node's processes and its objects in the API server. `directory` is the node's state."""

    api: Api
    lab: Lab
    directory: Path
    name: str
    forward: Forward
    addresses: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    gateways: int = 0

    @property
    def url(self) -> str:
        """The model by the path prefix, as a process of the node would ask."""
        return f"http://127.0.0.1:{GATEWAY_PORT}/{self.name}/{MODEL}/v2/models/{MODEL}/infer"

    def prepare(self) -> None:
        """Create the namespace, Node and EdgeNode, and the gateway's default configuration."""
        self.api.apply(NAMESPACE, {"metadata": {"name": self.name}}, "test")
        self.api.apply(NAMESPACE, {"metadata": {"name": "skerry-system"}}, "test")
        self.api.apply(NODE, {"metadata": {"name": self.name}}, "test")
        edge = {"metadata": {"name": self.name}, "spec": {"hardwareClassName": self.name}}
        self.api.apply(EDGE_NODE, edge, "test")
        eventually(lambda: self.api.find(ACCOUNT, self.name, "default"), 20, "a service account")
        (self.directory / "run").mkdir()
        paths = GatewayPaths(self.directory)
        text = render(GatewayState(), paths, GATEWAY_PORT, METRICS_PORT)
        (self.directory / "default.cfg").write_text(text)

    def start(self, name: str, *command: str) -> None:
        """Start a process; its output goes to NAME.log."""
        environment = {
            **os.environ,
            "NODE_NAME": self.name,
            "POD_NAME": name,
            "SKERRY_STATE_DIR": str(self.directory),
            "SKERRY_HEARTBEAT_SECONDS": "2",
            "SKERRY_DEFAULT_CONFIG": str(self.directory / "default.cfg"),
            "SKERRY_METRICS_PORT": str(AGENT_PORT),
            "POD_NAMESPACE": "skerry-system",
        }
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def start_gateway(self) -> str:
        """Start another gateway pod."""
        self.gateways += 1
        name = f"gateway-{self.gateways}"
        self.start(name, "sh", str(ROOT / "images/gateway/start.sh"))
        eventually(self.gateway_answers, 30, f"gateway answers: {self.log(name)}")
        return name

    def gateway_answers(self) -> bool:
        """Return whether the gateway reports that it is well."""
        try:
            return httpx.get(f"http://127.0.0.1:{GATEWAY_PORT}/skerry/healthz").is_success
        except httpx.HTTPError:
            return False

    def start_agent(self) -> None:
        """Start the agent, which reaches the API server through the forward."""
        arguments = (str(self.lab.kubeconfig), f"https://127.0.0.1:{self.forward.port}")
        ports = (str(GATEWAY_PORT), str(METRICS_PORT))
        self.start("agent", sys.executable, "-m", "tests.device.agent_process", *arguments, *ports)

    def stop(self, name: str, *, kill: bool = False) -> None:
        """End a process; `kill` without a chance to say good-bye."""
        process = self.processes.pop(name)
        if kill:
            process.kill()
        else:
            process.terminate()
        process.wait(15)

    def serve(
        self,
        revision: str,
        milliseconds: float = MILLISECONDS,
        *,
        grpc: bool = False,
        model: str = MODEL,
    ) -> None:
        """Start a ready pod of the revision with its model server; with `grpc` it declares a port for it."""
        self.start_server(revision, milliseconds)
        self.pod(revision, grpc=grpc, model=model)

    def start_server(self, revision: str, milliseconds: float = MILLISECONDS) -> None:
        """Start the revision's model server, which answers when this returns."""
        address = self.address(revision)
        module = ("-m", "tests.device.model_server", address, str(milliseconds))
        self.start(revision, sys.executable, *module)
        eventually(lambda: self._serves(address), 60, f"{revision} serves")

    def address(self, revision: str) -> str:
        """Return the address of the revision's pod: a loopback address that no other server has."""
        if revision not in self.addresses:
            self.addresses[revision] = free_address()
        return self.addresses[revision]

    def pod(
        self, revision: str, *, ready: bool = True, grpc: bool = False, model: str = MODEL
    ) -> None:
        """Create the revision's pod, as a DaemonSet would, with the status that the kubelet would write."""
        address = self.address(revision)
        labels = {LABEL_MODEL: model, LABEL_CLASS: self.name, LABEL_REVISION: revision}
        found = eventually(lambda: self._pods_of(labels, grpc=grpc), 60, f"a pod of {revision}")[0]
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        }
        self.api.merge(POD, found, {"status": status}, "status")

    def _pods_of(self, labels: dict[str, str], *, grpc: bool) -> list[dict[str, Any]]:
        """Return the pods of the DaemonSet of a revision, which is created first."""
        ports = [{"name": "http", "containerPort": 8080}]
        ports += [{"name": "grpc", "containerPort": 8081}] if grpc else []
        spec = {
            "nodeName": self.name,
            "containers": [{"name": "runtime", "image": "none", "ports": ports}],
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
        }
        name = daemonset_name(labels[LABEL_MODEL], labels[LABEL_REVISION])
        wanted = {
            "metadata": {"name": name, "namespace": self.name},
            "spec": {
                "selector": {"matchLabels": labels},
                "updateStrategy": {"type": "OnDelete"},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
        self.api.apply(DAEMON_SET, wanted, "test")
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        pods = self.api.list(POD, self.name, selector)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def _serves(self, address: str) -> bool:
        try:
            return httpx.get(f"http://{address}:8080/v2/health/ready").is_success
        except httpx.HTTPError:
            return False

    def mode(self, revision: str, mode: str) -> float:
        """Make a model server answer otherwise; returns when, in seconds since the epoch."""
        at = time.time()
        httpx.post(f"http://{self.addresses[revision]}:8080/mode", json={"mode": mode})
        return at

    def route(self, model: str = MODEL, **roles: Any) -> int:
        """Write the ModelRoute; returns its generation."""
        rules = [*({"metric": m, "tolerate": t} for m, t in RULES.items()), {"metric": "Golden"}]
        guard = {"minSamples": 20, "rules": rules}
        spec = {"edgeModelName": model, "hardwareClassName": self.name, "guard": guard, **roles}
        metadata = {
            "name": f"{model}.{self.name}",
            "namespace": self.name,
            "labels": {LABEL_CLASS: self.name},
        }
        written = self.api.apply(ROUTE, {"metadata": metadata, "spec": spec}, "test")
        assert written is not None
        generation: int = written["metadata"]["generation"]
        return generation

    def withdraw(self, model: str) -> None:
        """Take a model's route away."""
        metadata = {"name": f"{model}.{self.name}", "namespace": self.name}
        self.api.delete(ROUTE, {"metadata": metadata})

    def report(self) -> dict[str, Any]:
        """Return the agent's report about the model."""
        status = self.api.get(EDGE_NODE, None, self.name).get("status", {})
        return next((m for m in status.get("models", ()) if m["name"] == MODEL), {})

    def state(self) -> str:
        """Return the reported state of the candidate."""
        return str(self.report().get("candidate", {}).get("state", ""))

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Return the agent's timeline."""
        lines = [line for line in self.log("agent").splitlines() if line.startswith('{"at"')]
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [event for event in found if not name or event["event"] == name]

    def log(self, name: str) -> str:
        """Return the log of a process."""
        return (self.directory / f"{name}.log").read_text()

    def end(self) -> None:
        """End all processes and take the objects away."""
        for name in list(self.processes):
            self.stop(name, kill=not name.startswith("gateway"))
        self.api.delete(EDGE_NODE, {"metadata": {"name": self.name}})
        self.api.delete(NODE, {"metadata": {"name": self.name}})
        self.api.delete(NAMESPACE, {"metadata": {"name": self.name}})
