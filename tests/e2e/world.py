"""What the end-to-end tests share: an installed Skerry, small models in the registry, and bounded waits."""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from skerry.api import EdgeModel, EdgeNode, ModelRoute
from tests import waiting
from tests.lab.client.environment import run
from tests.lab.client.timeline import is_within, lost, switches
from tests.lab.client.traffic import Load
from tests.lab.nodes import CLASS_LABEL

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from tests.lab.client.environment import Environment
    from tests.lab.client.install import Values
    from tests.lab.client.traffic import Traffic

POLL_SECONDS = 0.5
REQUESTS_PER_SECOND = 8.0
MOST_LOST = 0.01
"""Of all requests: a switch that loses some loses more than these for want of a processor."""

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T], reached: Callable[[T], object], seconds: float) -> T:
    """Look until `reached` holds and return what was seen; fails with the last look after `seconds`."""
    return waiting.wait_for(what, look, reached, seconds, POLL_SECONDS)


@dataclass(frozen=True)
class World:
    """The cluster with Skerry on it."""

    environment: Environment
    built: Values
    registry: str

    def model(self, namespace: str, name: str) -> EdgeModel:
        """Return the EdgeModel as the API server has it."""
        return EdgeModel.model_validate(self.environment.get("-n", namespace, "edgemodel", name))

    def route(self, namespace: str, model: str, hardware_class: str) -> ModelRoute:
        """Return the route of one class."""
        routes = self.environment.get("-n", namespace, "modelroutes")["items"]
        found = [ModelRoute.model_validate(r) for r in routes]
        return next(
            r
            for r in found
            if (r.spec.edge_model_name, r.spec.hardware_class_name) == (model, hardware_class)
        )

    def load(
        self, where: tuple[str, str], hardware_class: str, requests: tuple[dict[str, Any], ...]
    ) -> Load:
        """Return steady requests for a model (namespace, name) from every node of a class."""
        label = {CLASS_LABEL: hardware_class}
        image, name = self.built["images"]["agent"], f"load-{hardware_class}"
        return Load(*where, image, requests, REQUESTS_PER_SECOND, label, name)

    def nodes(self) -> dict[str, EdgeNode]:
        """Return all devices by name."""
        items = self.environment.get("edgenodes")["items"]
        return {item["metadata"]["name"]: EdgeNode.model_validate(item) for item in items}

    def nodes_of(self, hardware_class: str) -> list[str]:
        """Return the names of a class's nodes, in order."""
        devices = self.nodes().items()
        return sorted(
            name for name, node in devices if node.spec.hardware_class_name == hardware_class
        )

    def serving_pods(self, namespace: str, model: str) -> list[dict[str, Any]]:
        """Return the pods that serve a model."""
        selector = f"app.kubernetes.io/component=runtime,skerry.dev/model={model}"
        found = self.environment.get("-n", namespace, "pods", "-l", selector)
        return list(found["items"])

    def patch(self, namespace: str, name: str, change: dict[str, Any]) -> int:
        """Merge a change into the spec; returns the new generation."""
        self.environment.kubectl(
            "-n",
            namespace,
            "patch",
            "edgemodel",
            name,
            "--type",
            "merge",
            "-p",
            json.dumps({"spec": change}),
        )
        return self.model(namespace, name).metadata.generation or 0

    def until(
        self,
        what: str,
        where: tuple[str, str],
        reached: Callable[[EdgeModel], object],
        seconds: float,
    ) -> EdgeModel:
        """Wait until the EdgeModel (namespace, name) is as wanted."""
        return wait_for(what, lambda: self.model(*where), reached, seconds)

    def until_ready(self, where: tuple[str, str], seconds: float) -> EdgeModel:
        """Wait until the EdgeModel (namespace, name) serves what its spec asks for."""
        ready = f"{where[1]} is ready"
        return self.until(ready, where, lambda m: condition(m, "Ready") == "True", seconds)


def lost_by_switching(traffic: Traffic) -> Counter[str]:
    """Count requests without a good answer while their node moved between revisions, by what came instead.

    Two labs share two cores: now and then an answer waits too long for a processor, and no switch is at fault.
    """
    answers = list(traffic.answers)
    moving = switches(answers)
    assert lost(answers).total() <= MOST_LOST * len(answers), lost(answers)
    return lost(answer for answer in answers if is_within(answer, moving))


def skerry(world: World, namespace: str, *words: str) -> str:
    """Run the command line as the administrator and return its output."""
    scope = ["--namespace", namespace, "--kubeconfig", str(world.environment.kubeconfig)]
    command = str(Path(sys.executable).parent / "skerry")
    return run(command, words[0], *scope, *words[1:])


def condition(model: EdgeModel, name: str) -> str:
    """Return the condition as `True`, `False: Reason`, or `absent`."""
    found = next((c for c in model.status.conditions if c.type == name), None)
    if found is None:
        return "absent"
    return "True" if found.status == "True" else f"{found.status}: {found.reason}"


def is_ready(model: EdgeModel, generation: int) -> bool:
    """Return whether it is ready, as observed of this generation or a later one."""
    found = next((c for c in model.status.conditions if c.type == "Ready"), None)
    return bool(found and found.status == "True" and found.observed_generation >= generation)


def tiny_model(registry: str, namespace: str, name: str, classes: list[str]) -> dict[str, Any]:
    """Return an EdgeModel of the tiny classifier with a short rollout."""
    return copy.deepcopy(
        {
            "apiVersion": "skerry.dev/v1alpha1",
            "kind": "EdgeModel",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "source": {"uri": f"oci://{registry}/models/tiny:1"},
                "evaluation": {
                    "dataset": {"uri": f"oci://{registry}/datasets/tiny:1"},
                    "metric": "Accuracy",
                    "calibrationSamples": 64,
                },
                # One engine: what is tested here is the rollout, and a second would build as long again.
                "targets": [{"hardwareClassName": c, "engine": "ONNXRuntime"} for c in classes],
                "optimization": {"search": {"maxRecipes": 2}},
                # Two busy cores: what is tested here is the rollout, not the speed of a tiny model.
                "gates": {
                    "quality": "0.95",
                    "speedup": "0.05",
                    "memoryReduction": "0",
                    "allowMarginal": True,
                },
                "serving": {"resources": {"limits": {"cpu": "500m", "memory": "256Mi"}}},
                "rollout": {
                    "waves": [{"percent": 50}, {"percent": 100}],
                    "traffic": [20, 60],
                    "soak": "10s",
                    "rollbackWindow": "10m",
                },
                # Latency faults are the demonstration's and the simulation's.
                "guard": {"rules": [{"metric": "Errors", "tolerate": "1%"}, {"metric": "Golden"}]},
            },
        }
    )
