"""A real API server with nodes that are played and an operator that runs: what several modules test on."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from skerry.api import EdgeModel, ModelRoute
from skerry.api.common import LABEL_MODEL, ConditionStatus
from skerry.cluster import kinds
from skerry.decide.conditions import condition_of
from skerry.render.routes import route_name
from tests.cluster.api import Api
from tests.cluster.devices import Devices
from tests.cluster.operator_process import OperatorProcess
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from skerry.api.modelroute import RouteCandidate
    from tests.cluster.conftest import Kubectl
    from tests.lab import Lab

CLASSES = {"op-a": ("op-a1", "op-a2"), "op-b": ("op-b1",)}
NAME = "tiny"
ROLLOUT_SECONDS = 60.0


@dataclass
class World:
    """What the tests of this module share."""

    api: Api
    kubectl: Kubectl
    devices: Devices
    operator: OperatorProcess
    registry: str

    @property
    def namespace(self) -> str:
        """The module's namespace."""
        return self.kubectl.namespace

    def model(self, name: str = NAME) -> EdgeModel:
        """Return the EdgeModel as it is."""
        return EdgeModel.model_validate(self.api.get(kinds.EDGE_MODEL, self.namespace, name))

    def route(self, hardware_class: str, name: str = NAME) -> ModelRoute:
        """Return a model's route of one class."""
        name = route_name(name, hardware_class)
        return ModelRoute.model_validate(self.api.get(kinds.MODEL_ROUTE, self.namespace, name))

    def candidate(self, hardware_class: str, name: str = NAME) -> RouteCandidate:
        """Wait until a class tries a candidate of a model that has a route there; returns it."""
        tried = wait_for(
            f"a candidate of {name} in {hardware_class}",
            lambda: self.route(hardware_class, name).spec.candidate,
            lambda candidate: candidate is not None,
            ROLLOUT_SECONDS,
        )
        assert tried is not None
        return tried

    def seconds_to_rollback(self, hardware_class: str, revision: str) -> float:
        """Wait until a class is rolled back; returns how long after the device's first Fail."""
        halted = wait_for(
            f"the rollback of {hardware_class}",
            lambda: self.route(hardware_class).spec.halted,
            lambda found: found is not None,
            ROLLOUT_SECONDS,
        )
        assert halted is not None
        took: float = (halted.rollback_time - self.devices.failed_at[revision]).total_seconds()
        return took

    def patch(self, change: dict[str, Any], name: str = NAME) -> int:
        """Change the spec; returns the new generation."""
        item = self.api.get(kinds.EDGE_MODEL, self.namespace, name)
        changed = self.api.merge(kinds.EDGE_MODEL, item, {"spec": change})
        assert changed is not None
        generation: int = changed["metadata"]["generation"]
        return generation

    def serve(self, cpu: str, name: str = NAME) -> int:
        """Ask for another revision, by other limits."""
        limits = {"cpu": cpu, "memory": "64Mi"}
        return self.patch({"serving": {"resources": {"limits": limits}}}, name)

    def until_ready(self, generation: int, name: str = NAME) -> EdgeModel:
        """Wait until what the spec asks for is what answers."""
        return wait_for(
            f"generation {generation} ready",
            lambda: self.model(name),
            lambda m: m.status.observed_generation == generation and is_true(m, "Ready"),
            ROLLOUT_SECONDS,
        )

    def daemonsets(self, name: str = NAME) -> set[str]:
        """Return the names of the DaemonSets that are meant to stay."""
        found = self.api.list(kinds.DAEMON_SET, self.namespace, f"{LABEL_MODEL}={name}")
        return {d["metadata"]["name"] for d in found if not d["metadata"].get("deletionTimestamp")}


def is_true(model: EdgeModel, kind: str) -> bool:
    """Return whether a condition holds for the spec as it is."""
    condition = condition_of(model.status.conditions, kind)
    return (
        condition is not None
        and condition.status is ConditionStatus.TRUE
        and condition.observed_generation == model.metadata.generation
    )


def push_image(
    registry: str,
    repository: str,
    tag: str,
    layers: Iterable[tuple[bytes, dict[str, str]]] = (),
    *,
    maker: str = "",
) -> str:
    """Push an image of these layers (content, annotations); return its digest, of each maker its own."""
    config = {"architecture": "amd64", "os": "linux", "of": repository, "author": maker}
    image = json.dumps(config).encode()
    media_type = "application/vnd.oci.image.manifest.v1+json"
    with httpx.Client(trust_env=False, base_url=f"http://{registry}/v2/{repository}/") as http:
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **_pushed(http, image)},
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "annotations": annotations, **_pushed(http, content),
                }
                for content, annotations in layers
            ],
        }  # fmt: skip
        headers = {"Content-Type": media_type}
        answer = http.put(f"manifests/{tag}", content=json.dumps(manifest), headers=headers)
        return str(answer.raise_for_status().headers["docker-content-digest"])


def _pushed(http: httpx.Client, content: bytes) -> dict[str, Any]:
    """Push a blob; returns its digest and size."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    location = http.post("blobs/uploads/").raise_for_status().headers["location"]
    target = httpx.URL(location).copy_merge_params({"digest": digest})
    http.put(target, content=content).raise_for_status()
    return {"digest": digest, "size": len(content)}


def manifest(registry: str, name: str) -> dict[str, Any]:
    """Return an EdgeModel whose rollouts are quick."""
    return {
        "apiVersion": "skerry.dev/v1alpha1",
        "kind": "EdgeModel",
        "metadata": {"name": name},
        "spec": {
            "source": {"uri": f"oci://{registry}/models/operator-test:1"},
            "evaluation": {
                "dataset": {"uri": f"oci://{registry}/datasets/operator-test:1"},
                "metric": "Accuracy",
            },
            "targets": [{"hardwareClassName": name} for name in CLASSES],
            "serving": {"resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}},
            "rollout": {
                "waves": [{"percent": 50}, {"percent": 100}],
                "soak": "1s", "rollbackWindow": "1h",
            },
        },
    }  # fmt: skip


@contextmanager
def running_world(
    control_plane: Lab,
    kubectl: Kubectl,
    folder: Path,
    *,
    classes: Mapping[str, tuple[str, ...]] | None = None,
    speedups: dict[str, str] | None = None,
) -> Iterator[World]:
    """Yield an API server with nodes, classes, images in the registry, and an operator that runs.

    Args:
        control_plane: where.
        kubectl: bound to a namespace of the module.
        folder: for the operator's configuration and log.
        classes: nodes by class; `CLASSES` by default.
        speedups: what each engine's build measures; they are the engines that are installed.
    """
    classes, speedups = classes or CLASSES, speedups or {"ONNXRuntime": "1.5"}
    registry = control_plane.registry
    # Of each module's own content: what one module leaves in the registry is no evidence for the next.
    for repository in ("models/operator-test", "datasets/operator-test"):
        push_image(registry, repository, "1", maker=kubectl.namespace)
    kubectl("apply", "--server-side", "--filename=-", stdin=_namespace("skerry-system"))
    for name in classes:
        selector = {"nodeSelector": {"test.skerry.dev/class": name}}
        kubectl.apply(
            {
                "apiVersion": "skerry.dev/v1alpha1", "kind": "HardwareClass",
                "metadata": {"name": name}, "spec": selector,
            }
        )  # fmt: skip
    api = Api(control_plane.kubeconfig)
    devices = Devices(api, classes, speedups=speedups)
    engines = tuple(sorted(speedups))
    operator = OperatorProcess(control_plane.kubeconfig, folder, registry, engines=engines)
    made = World(api, kubectl, devices, operator, registry)
    # Whatever fails, all of it ends: an operator that is left would lead in the modules that follow.
    with ExitStack() as ends:
        ends.callback(lambda: _print_log(operator.log))
        for name in classes:
            ends.callback(kubectl, "delete", "hardwareclass", name)
        ends.callback(devices.stop)
        devices.start()
        ends.callback(operator.stop)
        operator.start()
        ends.callback(_clear, made)
        yield made


def _clear(world: World) -> None:
    """Let the models go while there are nodes: a pod that nobody ends holds a build slot of the next module."""
    wait_for(
        "the models' pods to go", lambda: _clear_once(world), lambda pods: not pods, ROLLOUT_SECONDS
    )


def _clear_once(world: World) -> list[dict[str, Any]]:
    """Delete models and all that is made for them; returns the pods that are left.

    Not the models alone: for half a minute or more after a CRD is new, the API server's garbage
    collector does not clear up after its objects.
    """
    for what in ("edgemodels", "jobs,daemonsets", "pods"):
        world.kubectl("delete", what, "--all", "--wait=false")
    return world.api.list(kinds.POD, world.namespace)


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _print_log(log: Path) -> None:
    """Print the operator's log, for the report of a failed test."""
    print(log.read_text())  # noqa: T201
