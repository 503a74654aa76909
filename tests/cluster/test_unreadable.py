"""Objects that the API server holds and the operator can't read: they stop nobody, and say why.

They are stored under a CRD without its checks, as another version's could be.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from skerry.api.common import LABEL_CLASS, LABEL_MODEL, NODE_LABEL_CLASS
from skerry.cluster import kinds
from skerry.render.daemonsets import daemonset_name
from skerry.render.routes import route_name
from tests.cluster.loosened import loosened
from tests.cluster.manifests import HARDWARE_CLASS, MINIMAL, changed, waves
from tests.cluster.world import CLASSES, NAME, ROLLOUT_SECONDS, World, is_true, manifest
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.cluster.kinds import Kind
    from tests.cluster.api import Object
    from tests.cluster.cli import Cli
    from tests.cluster.conftest import Kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

HELD, STORED = "held", "of-before"
BAD_URI = "https://h/a\u00a0b.onnx"
NO_TIME = "2026-01-01T00:00:00+99:99"
SHRINKING = {"rollout": {"waves": waves(50, 20, 100)}}
GOOD = {"rollout": {"waves": waves(50, 100)}}
START_SECONDS = 240.0
PROBE = changed(MINIMAL, {"metadata.name": "probe", "spec.source.uri": BAD_URI})


@pytest.fixture(scope="module")
def serving(world: World) -> World:
    """Return a world with two models that serve."""
    for name in (NAME, HELD):
        world.kubectl.apply(manifest(world.registry, name))
    for name in (NAME, HELD):
        world.until_ready(1, name)
    return world


@pytest.fixture(scope="module")
def elsewhere(administrator: Kubectl) -> Iterator[Kubectl]:
    """Yield a namespace with only an EdgeModel that can't be parsed."""
    name = "unreadable-elsewhere"
    administrator("create", "namespace", name)
    yield administrator.within(name)
    administrator("delete", "namespace", name, "--wait=false")


def patch(world: World, kind: Kind, name: str, change: Object, subresource: str = "") -> None:
    """Merge a change into an object of the module's namespace."""
    item = world.api.get(kind, world.namespace if kind.namespaced else None, name)
    assert world.api.merge(kind, item, change, subresource) is not None


def conditions(world: World, kind: Kind, name: str) -> dict[str, Object]:
    """Return the conditions of an object that may be unparsable."""
    item = world.api.get(kind, world.namespace if kind.namespaced else None, name)
    return {one["type"]: one for one in item.get("status", {}).get("conditions", ())}


def until_reported(world: World, kind: Kind, name: str, *words: str) -> dict[str, Object]:
    """Wait until an object says that it can't be read."""
    found = wait_for(
        f"{name} to say that it can't be read",
        lambda: conditions(world, kind, name),
        lambda found: found.get("Stalled", {}).get("reason") == "NotReadable",
        ROLLOUT_SECONDS,
    )
    states = {name: found[name]["status"] for name in ("Accepted", "Ready", "Stalled")}
    assert states == {"Accepted": "False", "Ready": "False", "Stalled": "True"}
    assert all(word in found["Ready"]["message"] for word in words), found["Ready"]["message"]
    return found


def children(world: World, name: str) -> dict[str, Any]:
    """Return the specs of the serving objects, which must not change."""
    return {
        item["metadata"]["name"]: (item["metadata"]["uid"], item["spec"])
        for kind in (kinds.MODEL_ROUTE, kinds.DAEMON_SET, kinds.SERVICE)
        for item in world.api.list(kind, world.namespace, f"{LABEL_MODEL}={name}")
    }


def unreadable(world: World, kind: str) -> float:
    """Return the metric that Prometheus would see."""
    url = f"http://127.0.0.1:{world.operator.metrics_port}/metrics"
    series = f'skerry_unreadable_objects{{kind="{kind}"}} '
    lines = httpx.get(url, trust_env=False).text.splitlines()
    return float(next(line for line in lines if line.startswith(series)).removeprefix(series))


def is_observed(world: World, cpu: str) -> None:
    """Check that the operator works: the same process rolls out another model's change."""
    assert world.operator.process is not None
    process = world.operator.process.pid
    world.until_ready(world.serve(cpu))
    assert world.operator.process.poll() is None
    assert world.operator.process.pid == process


def test_an_edge_model_stops_nobody_and_keeps_serving(
    serving: World, elsewhere: Kubectl, cli: Cli
) -> None:
    world = serving
    stored = manifest(world.registry, STORED)
    stored["spec"]["source"]["uri"] = BAD_URI
    with loosened(elsewhere, "edgemodels", PROBE):
        patch(world, kinds.EDGE_MODEL, HELD, {"spec": SHRINKING})
        elsewhere.apply(stored)
    reported = until_reported(
        world, kinds.EDGE_MODEL, HELD, "spec.rollout.waves: waves must grow", "kubectl edit"
    )
    assert reported["Available"]["status"] == "True", "the other conditions stay"
    # Only now: the pass that made it Ready writes DaemonSets after the status.
    before = children(world, HELD)
    assert len(before) == 2 * len(CLASSES) + 1
    is_observed(world, "510m")
    code, listed, warned = cli.run("status")
    assert (code, NAME in listed) == (0, True)
    assert f"{HELD} can't be read: spec.rollout.waves" in warned
    assert "spec.rollout.waves: waves must grow" in cli.refused("status", HELD)
    wait_for(
        "the agents' right to see pods of its namespace",
        lambda: world.api.find(kinds.ROLE_BINDING, elsewhere.namespace, "skerry-agent"),
        lambda found: found is not None,
        ROLLOUT_SECONDS,
    )
    assert unreadable(world, "EdgeModel") == 2
    # The same for an operator that has never read it.
    world.operator.stop()
    world.operator.start()
    wait_for("the operator", world.operator.is_up, bool, START_SECONDS)
    is_observed(world, "520m")
    assert unreadable(world, "EdgeModel") == 2
    assert children(world, HELD) == before
    status = world.api.get(kinds.EDGE_MODEL, world.namespace, HELD)["status"]
    assert {target["hardwareClassName"] for target in status["targets"]} == set(CLASSES)
    assert status["history"]
    said = [
        line for line in world.operator.log.read_text().splitlines() if f"/{HELD} can't" in line
    ]
    assert len(said) == 2, "once for each process"
    elsewhere("delete", "edgemodel", STORED)
    world.until_ready(world.patch(GOOD, HELD), HELD)
    assert "Stalled" not in conditions(world, kinds.EDGE_MODEL, HELD)
    wait_for("no more", lambda: unreadable(world, "EdgeModel"), lambda n: n == 0, ROLLOUT_SECONDS)


def test_a_hardware_class_stops_nobody_and_keeps_its_nodes(
    serving: World, kubectl: Kubectl
) -> None:
    world, name = serving, "op-b"
    features = {"features": ["AVX 512"]}
    probe = copy.deepcopy(HARDWARE_CLASS)
    probe["spec"] |= features
    before = children(world, HELD)
    with loosened(kubectl, "hardwareclasses", probe):
        patch(world, kinds.HARDWARE_CLASS, name, {"spec": features})
    until_reported(
        world, kinds.HARDWARE_CLASS, name, "spec.features[0]", "kubectl edit hardwareclass"
    )
    until_reported(world, kinds.EDGE_MODEL, HELD, f"HardwareClass {name} can't be read")
    world.operator.stop()
    world.operator.start()
    wait_for("the operator", world.operator.is_up, bool, START_SECONDS)
    # A look at the whole fleet is over when it says something of another class.
    patch(world, kinds.HARDWARE_CLASS, "op-a", {"spec": {"priority": 7}})
    wait_for(
        "a look at the fleet",
        lambda: world.api.get(kinds.HARDWARE_CLASS, None, "op-a"),
        lambda c: c["status"]["observedGeneration"] == c["metadata"]["generation"],
        START_SECONDS,
    )
    for node in CLASSES[name]:
        labels = world.api.get(kinds.NODE, None, node)["metadata"]["labels"]
        assert labels[NODE_LABEL_CLASS] == name
        assert world.api.find(kinds.EDGE_NODE, None, node) is not None
    assert children(world, HELD) == before
    patch(world, kinds.HARDWARE_CLASS, name, {"spec": {"features": []}})
    wait_for(
        "the class to be well",
        lambda: conditions(world, kinds.HARDWARE_CLASS, name),
        lambda found: not found.keys() & {"Stalled", "Accepted", "Ready"},
        ROLLOUT_SECONDS,
    )
    wait_for("it serves", lambda: world.model(HELD), lambda m: is_true(m, "Ready"), ROLLOUT_SECONDS)


def test_what_a_device_writes_stops_nobody(serving: World, kubectl: Kubectl) -> None:
    world, (node, *_) = serving, CLASSES["op-a"]
    probe = {"apiVersion": "skerry.dev/v1alpha1", "kind": "EdgeNode", "metadata": {"name": "probe"}}
    veto = {"revision": "0123456789", "attempt": 0, "failureTime": NO_TIME}
    bad = {"namespace": "x", "name": "y", "vetoes": [veto]}
    with loosened(kubectl, "edgenodes", {**probe, "spec": {"hardwareClassName": "No Class"}}):
        models = world.api.get(kinds.EDGE_NODE, None, node)["status"]["models"]
        patch(world, kinds.EDGE_NODE, node, {"status": {"models": [*models, bad]}}, "status")
    metadata = {"name": "skerry-agent-of-old", "namespace": "skerry-system"}
    renewed = {"renewTime": "0000-01-01T00:00:00.000000Z"}
    world.api.create(kinds.LEASE, {"metadata": metadata, "spec": renewed})
    wait_for("it", lambda: unreadable(world, "EdgeNode"), lambda n: n == 1, ROLLOUT_SECONDS)
    is_observed(world, "530m")
    world.operator.stop()
    world.operator.start()
    wait_for("the operator", world.operator.is_up, bool, START_SECONDS)
    is_observed(world, "540m")
    assert unreadable(world, "EdgeNode") == 1
    log = world.operator.log.read_text()
    assert f"EdgeNode {node} can't be read: status.models[" in log
    wait_for(
        "the Lease of no Node to go, whatever its time",
        lambda: world.api.find(kinds.LEASE, "skerry-system", "skerry-agent-of-old"),
        lambda lease: lease is None,
        ROLLOUT_SECONDS,
    )
    other = {**bad, "vetoes": [{**veto, "failureTime": "0000-01-01T00:00:00Z"}]}
    refused = kubectl.refused(
        "patch", "edgenode", node, "--subresource=status", "--type=merge",
        f"--patch={json.dumps({'status': {'models': [other]}})}",
    )  # fmt: skip
    assert "vetoes[0].failureTime" in refused


@pytest.mark.parametrize("label", [LABEL_CLASS, LABEL_MODEL])
def test_a_daemonset_gets_its_label_back(serving: World, label: str) -> None:
    world = serving
    stable = world.route("op-a").spec.stable
    assert stable is not None
    name = daemonset_name(NAME, stable.revision)
    item = world.api.get(kinds.DAEMON_SET, world.namespace, name)
    before = item["metadata"]["labels"]
    patch(world, kinds.DAEMON_SET, name, {"metadata": {"labels": {label: None}}})
    is_observed(world, "550m" if label == LABEL_CLASS else "560m")
    found = world.api.get(kinds.DAEMON_SET, world.namespace, name)["metadata"]
    assert (found["uid"], found["labels"]) == (item["metadata"]["uid"], before)


def test_a_route_gets_its_label_back(serving: World) -> None:
    world, name = serving, route_name(NAME, "op-a")
    item = world.api.get(kinds.MODEL_ROUTE, world.namespace, name)
    patch(world, kinds.MODEL_ROUTE, name, {"metadata": {"labels": {LABEL_MODEL: None}}})
    is_observed(world, "570m")
    found = world.api.get(kinds.MODEL_ROUTE, world.namespace, name)
    assert found["metadata"]["uid"] == item["metadata"]["uid"]
    assert found["metadata"]["labels"] == item["metadata"]["labels"]
    assert found["spec"]["previous"]["revision"] == item["spec"]["stable"]["revision"]


def test_a_long_retry_annotation_stops_no_rollback(serving: World) -> None:
    world = serving
    stable = world.route("op-b").spec.stable
    world.devices.soaking = True
    world.serve("580m")
    tried = world.candidate("op-b")
    patch(
        world, kinds.EDGE_MODEL, NAME, {"metadata": {"annotations": {"skerry.dev/retry": "x" * 65}}}
    )
    world.devices.bad[tried.revision] = "Golden"
    rejected = wait_for(
        "the rollback",
        lambda: world.model().status,
        lambda status: tried.revision in {one.revision for one in status.rejected},
        ROLLOUT_SECONDS,
    )
    world.devices.soaking = False
    assert world.route("op-b").spec.stable == stable
    assert rejected.retry_nonce is not None
    assert len(rejected.retry_nonce) == 64
