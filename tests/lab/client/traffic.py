"""The load of the demonstration: one pod per node, its records gathered from the pods' logs."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tests.lab.client.timeline import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.lab.client.environment import Environment

RECONNECT_SECONDS = 0.5


def infer_request(dataset: Path, sample: int = 0) -> dict[str, Any]:
    """Return an Open Inference Protocol request for one sample of a data set (.npz)."""
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
        """Return a ConfigMap with the program and its requests, and a DaemonSet that runs it."""
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
            # What measures must not wait for what is measured.
            "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "128Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "load", "mountPath": "/load"}],
        }


class Traffic:
    """Follows the logs of the load pods; `answers` grows inside of the `with` block."""

    def __init__(self, environment: Environment) -> None:
        """Bind to the cluster."""
        self.answers: list[Answer] = []
        self._environment = environment
        self._followers: dict[str, subprocess.Popen[str]] = {}
        self._threads: list[threading.Thread] = []
        self._newest: dict[str, float] = {}
        self._ended: set[str] = set()
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        """Return the traffic; nothing is followed before the first `start`."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the log readers; the load itself continues."""
        self._stopping.set()
        for follower in self._followers.values():
            follower.terminate()
        for thread in self._threads:
            thread.join(timeout=10)

    def start(self, load: Load) -> None:
        """Apply the load, wait until every pod of it is ready, and follow their logs."""
        environment = self._environment
        environment.apply(*load.manifests())
        environment.kubectl(
            "-n", load.namespace, "rollout", "status", f"daemonset/{load.name}", "--timeout=180s"
        )
        for name in self._pods(load):
            self._follow(load.namespace, name)

    def end(self, load: Load) -> None:
        """Delete the load; what its pods have logged stays."""
        self._ended |= set(self._pods(load))
        self._environment.kubectl("-n", load.namespace, "delete", "daemonset", load.name)

    def _pods(self, load: Load) -> list[str]:
        of_load = ("-l", f"app={load.name}", "-o", "name")
        return self._environment.kubectl("-n", load.namespace, "get", "pods", *of_load).split()

    def _follow(self, namespace: str, pod: str) -> None:
        self._newest[pod] = 0.0
        thread = threading.Thread(target=self._read, args=(namespace, pod), daemon=True)
        thread.start()
        self._threads.append(thread)

    def _read(self, namespace: str, pod: str) -> None:
        """Read a pod's log to its end; where the stream breaks off, continue after the last record."""
        while not (self._stopping.is_set() or pod in self._ended):
            seen = self._newest[pod]
            follower = self._stream(namespace, pod, seen)
            for line in follower.stdout or ():
                if line.startswith("{"):
                    answer = Answer.from_record(json.loads(line))
                    # A new stream begins at a whole second, so it repeats some records.
                    if answer.received > seen:
                        self.answers.append(answer)
                    self._newest[pod] = max(self._newest[pod], answer.received)
            follower.wait()
            self._stopping.wait(RECONNECT_SECONDS)

    def _stream(self, namespace: str, pod: str, after: float) -> subprocess.Popen[str]:
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(after))
        follower = subprocess.Popen(
            self._environment.kubectl_command(
                "-n", namespace, "logs", "-f", "--tail=-1", f"--since-time={since}", pod
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._followers[pod] = follower
        if self._stopping.is_set():  # while it was being started
            follower.terminate()
        return follower

    def catch_up(self, seconds: float = 30.0) -> None:
        """Wait until the log of every load pod that is left holds an answer that came after this call.

        Raises:
            TimeoutError: They don't after `seconds`.
        """
        called = time.time()
        followed = self._newest.keys() - self._ended
        while late := [pod for pod in followed if self._newest[pod] <= called]:
            if time.time() > called + seconds:
                raise TimeoutError(
                    f"the logs of {', '.join(late)} are more than {seconds:.0f} s late: what the"
                    " traffic met is unknown"
                )
            self._stopping.wait(0.2)
