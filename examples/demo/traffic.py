"""The load of the demonstration: one pod per node, its records gathered from the pods' logs."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from examples.demo.timeline import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from examples.demo.environment import Environment


def infer_request(dataset: Path, sample: int = 0) -> dict[str, Any]:
    """An Open Inference Protocol request for one sample of a data set (.npz)."""
    arrays = np.load(dataset)
    datatypes = {"int64": "INT64", "int32": "INT32", "float32": "FP32"}
    inputs = [
        {
            "name": name,
            "shape": [1, *arrays[name].shape[1:]],
            "datatype": datatypes[str(arrays[name].dtype)],
            "data": arrays[name][sample].ravel().tolist(),
        }
        for name in arrays.files
        if name != "labels"
    ]
    return {"inputs": inputs}


@dataclass(frozen=True)
class Load:
    """What a load sends, and from where.

    `rate` is in requests per second and node; `requests` are sent in turn; `nodes` are the labels of
    the nodes that it runs on (empty: all).
    """

    namespace: str
    model: str
    image: str
    requests: tuple[dict[str, Any], ...]
    rate: float
    nodes: Mapping[str, str]
    name: str = "load"

    def manifests(self) -> list[dict[str, Any]]:
        """A ConfigMap with the program and its requests, and a DaemonSet that runs it."""
        data = {
            "load.py": (Path(__file__).parent / "load.py").read_text(),
            "requests.json": json.dumps(self.requests),
        }
        metadata = {"name": self.name, "namespace": self.namespace}
        labels = {"app": self.name}
        template = {"metadata": {"labels": labels}, "spec": self._pod()}
        return [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
            {
                "apiVersion": "apps/v1",
                "kind": "DaemonSet",
                "metadata": metadata,
                "spec": {"selector": {"matchLabels": labels}, "template": template},
            },
        ]

    def _pod(self) -> dict[str, Any]:
        return {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "nodeSelector": dict(self.nodes),
            "containers": [self._container()],
            "volumes": [{"name": "load", "configMap": {"name": self.name}}],
        }

    def _container(self) -> dict[str, Any]:
        host = f"http://{self.model}.{self.namespace}.svc"
        return {
            "name": "load",
            "image": self.image,
            "command": ["python3", "-u", "/load/load.py"],
            "env": [
                {"name": "URL", "value": f"{host}/v2/models/{self.model}/infer"},
                {"name": "RATE", "value": str(self.rate)},
                {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "load", "mountPath": "/load"}],
        }


class Traffic:
    """Follows the logs of the load pods; `answers` grows while it runs."""

    def __init__(self, environment: Environment) -> None:
        """Bind to the cluster."""
        self.answers: list[Answer] = []
        self._environment = environment
        self._followers: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []

    def start(self, load: Load) -> None:
        """Apply the load, wait until every pod of it is ready, and follow their logs."""
        environment = self._environment
        environment.apply(*load.manifests())
        environment.kubectl(
            "-n", load.namespace, "rollout", "status", f"daemonset/{load.name}", "--timeout=180s"
        )
        names = environment.kubectl(
            "-n", load.namespace, "get", "pods", "-l", f"app={load.name}", "-o", "name"
        ).split()
        for name in names:
            self._follow(load.namespace, name)

    def _follow(self, namespace: str, pod: str) -> None:
        follower = subprocess.Popen(
            self._environment.kubectl_command("-n", namespace, "logs", "-f", "--tail=-1", pod),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        thread = threading.Thread(target=self._read, args=(follower,), daemon=True)
        thread.start()
        self._followers.append(follower)
        self._threads.append(thread)

    def _read(self, follower: subprocess.Popen[str]) -> None:
        for line in follower.stdout or ():
            if line.startswith("{"):
                self.answers.append(Answer.from_record(json.loads(line)))

    def catch_up(self, seconds: float = 30.0) -> None:
        """Wait until the logs hold answers to requests that were sent after this call, at most `seconds`."""
        now, pause = time.time(), threading.Event()
        while time.time() < now + seconds and not any(a.sent > now + 1 for a in self.answers[-8:]):
            pause.wait(0.2)

    def stop_following(self) -> None:
        """End the log readers; the load itself goes on."""
        for follower in self._followers:
            follower.terminate()
            follower.wait(timeout=10)
