"""The load of the demonstration: one pod per node, its records gathered from the pods' logs."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from examples.demo.timeline import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from examples.demo.environment import Environment

LOAD_LABEL = "skerry-demo-load"


def infer_request(dataset: Path) -> dict[str, Any]:
    """An Open Inference Protocol request for the first sample of a data set (.npz)."""
    arrays = np.load(dataset)
    datatypes = {"int64": "INT64", "int32": "INT32", "float32": "FP32"}
    inputs = [
        {
            "name": name,
            "shape": [1, *arrays[name].shape[1:]],
            "datatype": datatypes[str(arrays[name].dtype)],
            "data": arrays[name][0].ravel().tolist(),
        }
        for name in arrays.files
        if name != "labels"
    ]
    return {"inputs": inputs}


def manifests(
    *, namespace: str, model: str, image: str, dataset: Path, rate: float, classes: Mapping[str, str]
) -> list[dict[str, Any]]:
    """A ConfigMap with the program and its request, and a DaemonSet over nodes with a class label.

    `rate` is in requests per second and node; `classes` are the node labels to match.
    """
    data = {
        "load.py": (Path(__file__).parent / "load.py").read_text(),
        "request.json": json.dumps(infer_request(dataset)),
    }
    labels = {"app": LOAD_LABEL}
    container = {
        "name": "load",
        "image": image,
        "command": ["python3", "-u", "/load/load.py"],
        "env": [
            {"name": "URL", "value": f"http://{model}.{namespace}.svc/v2/models/{model}/infer"},
            {"name": "RATE", "value": str(rate)},
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "load", "mountPath": "/load"}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "nodeSelector": dict(classes),
        "containers": [container],
        "volumes": [{"name": "load", "configMap": {"name": LOAD_LABEL}}],
    }
    metadata = {"name": LOAD_LABEL, "namespace": namespace, "labels": labels}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]


class Traffic:
    """Follows the logs of the load pods; `answers` grows while it runs."""

    def __init__(self, environment: Environment, namespace: str) -> None:
        """Bind to the cluster and to the namespace that the load runs in."""
        self.answers: list[Answer] = []
        self._environment = environment
        self._namespace = namespace
        self._followers: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []

    def start(self, manifests_: list[dict[str, Any]]) -> None:
        """Apply the load, wait until every pod of it is ready, and follow their logs."""
        environment = self._environment
        environment.apply(*manifests_)
        environment.kubectl(
            "-n", self._namespace, "rollout", "status", f"daemonset/{LOAD_LABEL}", "--timeout=180s"
        )
        names = environment.kubectl(
            "-n", self._namespace, "get", "pods", "-l", f"app={LOAD_LABEL}", "-o", "name"
        ).split()
        for name in names:
            self._follow(name)

    def _follow(self, pod: str) -> None:
        follower = subprocess.Popen(
            self._environment.kubectl_command("-n", self._namespace, "logs", "-f", "--tail=-1", pod),
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

    def stop_following(self) -> None:
        """End the log readers; the load itself goes on."""
        for follower in self._followers:
            follower.terminate()
            follower.wait(timeout=10)
