"""Argo CD, Flux and `kubectl wait` see a model's life as it is: real objects, by the real operator.

Argo CD judges by the chart's health checks, Flux and others by kstatus. In every state that the operator
brings an object to, both must say the same; the tests tell one story, in their order.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.edgemodel import Phase
from skerry.cluster import kinds
from tests.cluster.chart import CHART, NAMESPACE
from tests.cluster.verdicts import ACT, ON_ITS_WAY, WELL, wait_in_background
from tests.cluster.world import (
    CLASSES,
    NAME,
    ROLLOUT_SECONDS,
    World,
    is_true,
    manifest,
)
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.conftest import Kubectl
    from tests.cluster.verdicts import Verdicts

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def waits() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Yield `kubectl wait` processes by condition, started before the condition can hold."""
    started: dict[str, subprocess.Popen[str]] = {}
    yield started
    for process in started.values():
        process.kill()


def raw(world: World) -> dict[str, Any]:
    """Return the EdgeModel as it is."""
    return world.api.get(kinds.EDGE_MODEL, world.namespace, NAME)


def variants(world: World) -> list[dict[str, Any]]:
    return world.api.list(kinds.MODEL_VARIANT, world.namespace)


def routes(world: World) -> list[dict[str, Any]]:
    return world.api.list(kinds.MODEL_ROUTE, world.namespace)


def everything(world: World) -> list[dict[str, Any]]:
    """Return the objects of the module, and the nodes with whatever else their agents report."""
    classes = [world.api.get(kinds.HARDWARE_CLASS, None, t) for t in CLASSES]
    nodes = [world.api.get(kinds.EDGE_NODE, None, n) for names in CLASSES.values() for n in names]
    return [raw(world), *variants(world), *routes(world), *classes, *nodes]


def test_what_the_operator_has_not_seen_is_not_ready(
    world: World, judge: Verdicts, waits: dict[str, subprocess.Popen[str]]
) -> None:
    """A new object without a status: kstatus alone would call it Current."""
    world.operator.stop()
    world.devices.building = True
    world.kubectl.apply(manifest(world.registry, NAME))
    waits["Ready"] = wait_in_background(world.kubectl, NAME, "Ready")
    spec = {"nodeSelector": {"test.skerry.dev/class": "nobody"}}
    unseen = world.api.create(
        kinds.HARDWARE_CLASS, {"metadata": {"name": "gitops-new"}, "spec": spec}
    )
    assert [seen.both for seen in judge(raw(world), unseen)] == [ON_ITS_WAY, ON_ITS_WAY]
    world.operator.start()
    wait_for(
        "the class to be looked at",
        lambda: judge(world.api.get(kinds.HARDWARE_CLASS, None, "gitops-new"))[0].both,
        lambda both: both == WELL,
        ROLLOUT_SECONDS,
    )
    world.api.delete(kinds.HARDWARE_CLASS, unseen)


def test_optimizing_is_on_its_way(world: World, judge: Verdicts) -> None:
    """The model and its first variant while a job runs."""
    found = wait_for(
        "a variant with a job that runs",
        lambda: [v for v in variants(world) if v["status"].get("conditions")],
        lambda items: any(
            c["type"] == "Reconciling" for v in items for c in v["status"]["conditions"]
        ),
        ROLLOUT_SECONDS,
    )
    running = [
        v for v in found if any(c["type"] == "Reconciling" for c in v["status"]["conditions"])
    ]
    seen = judge(*running)
    world.devices.building = False
    assert {one.both for one in seen} == {ON_ITS_WAY}
    assert "job" in seen[0].argocd_message


def test_serving_is_well_and_ends_the_wait(
    world: World, judge: Verdicts, waits: dict[str, subprocess.Popen[str]]
) -> None:
    """All five kinds, once the first rollout is through."""
    world.until_ready(1)
    assert waits["Ready"].wait(30) == 0
    assert "condition met" in waits["Ready"].communicate()[0]
    seen = wait_for(
        "all of them to be well",
        lambda: judge(*everything(world)),
        lambda verdicts: {one.both for one in verdicts} == {WELL},
        ROLLOUT_SECONDS,
    )
    assert len(seen) == 1 + 2 + 2 + 2 + 3
    assert "2 of 2 nodes are reachable" in [one.argocd_message for one in seen]


def test_a_changed_spec_is_on_its_way_before_anybody_looked(world: World, judge: Verdicts) -> None:
    """Conditions of the generation before prove nothing."""
    world.operator.stop()
    world.serve("600m")
    assert is_true_in(raw(world), "Ready")
    assert judge(raw(world))[0].both == ON_ITS_WAY
    world.operator.start()


def test_a_rollout_is_on_its_way(world: World, judge: Verdicts) -> None:
    """The model, the route of a class that tries a candidate, and a device that tries it."""
    route = wait_for(
        "a candidate",
        lambda: next((r for r in routes(world) if "candidate" in r["spec"]), None),
        lambda found: found is not None,
        ROLLOUT_SECONDS,
    )
    assert route is not None
    seen = judge(route)[0]
    assert seen.argocd == "Progressing"
    assert route["spec"]["candidate"]["revision"] in seen.argocd_message
    assert judge(raw(world))[0].both == ON_ITS_WAY
    world.until_ready(2)
    assert judge(raw(world))[0].both == WELL


def test_a_rollback_asks_for_a_person_and_ends_the_wait(
    world: World, judge: Verdicts, waits: dict[str, subprocess.Popen[str]]
) -> None:
    """Degraded for Argo CD, Failed for Flux, while what serves keeps serving."""
    world.serve("700m")
    waits["Stalled"] = wait_in_background(world.kubectl, NAME, "Stalled")
    world.devices.bad[world.candidate("op-a").revision] = "Errors"
    halted = wait_for(
        "the halt",
        lambda: next((r for r in routes(world) if "halted" in r["spec"]), None),
        lambda found: found is not None,
        ROLLOUT_SECONDS,
    )
    assert halted is not None
    seen = judge(halted)[0]
    assert (seen.argocd, "was rolled back: Errors" in seen.argocd_message) == ("Degraded", True)
    wait_for(
        "the rejection, with the other class promoted",
        world.model,
        lambda m: m.status.rejected and m.status.targets[1].phase is Phase.SERVING,
        ROLLOUT_SECONDS,
    )
    model, node = judge(raw(world), world.api.get(kinds.EDGE_NODE, None, "op-a1"))
    assert (model.both, node.both) == (ACT, WELL)
    assert is_true(world.model(), "Available")
    assert waits["Stalled"].wait(30) == 0
    assert "condition met" in waits["Stalled"].communicate()[0]


def test_gates_that_nothing_passes_ask_for_a_person(world: World, judge: Verdicts) -> None:
    """The model and the variant that missed; those that serve stay as they are."""
    world.devices.shortfall = frozenset({"ONNXRuntime"})
    generation = world.serve("800m")
    model = wait_for(
        "the gates to say no",
        world.model,
        lambda m: m.status.observed_generation == generation and m.status.phase is Phase.FAILED,
        ROLLOUT_SECONDS,
    )
    missed = world.api.get(
        kinds.MODEL_VARIANT, world.namespace, str(model.status.targets[0].build.variant_name)
    )
    seen = judge(raw(world), missed)
    assert [one.both for one in seen] == [ACT, ACT]
    assert all("GatesNotMet: " in one.argocd_message for one in seen)
    world.devices.shortfall = frozenset()


def test_overlapping_classes_ask_for_a_person_and_an_event_says_so(
    world: World, judge: Verdicts
) -> None:
    """Both classes say it; the node keeps its class; a priority ends it."""
    spec = {"nodeSelector": {"test.skerry.dev/class": "op-b"}}
    other = world.api.create(
        kinds.HARDWARE_CLASS, {"metadata": {"name": "gitops-other"}, "spec": spec}
    )
    both = ("op-b", "gitops-other")

    def seen() -> list[tuple[str, str]]:
        return [
            v.both for v in judge(*(world.api.get(kinds.HARDWARE_CLASS, None, n) for n in both))
        ]

    wait_for("both classes to say it", seen, lambda found: found == [ACT, ACT], ROLLOUT_SECONDS)
    node = world.api.get(kinds.NODE, None, "op-b1")
    assert (
        node["metadata"]["labels"]["skerry.node-restriction.kubernetes.io/hardware-class"] == "op-b"
    )
    text = wait_for(
        "the events",
        lambda: {
            e["regarding"]["name"]
            for e in world.api.list(kinds.EVENT, "default")
            if e["reason"] == "ClassOverlap" and e["regarding"]["kind"] == "HardwareClass"
        },
        lambda names: names >= set(both),
        ROLLOUT_SECONDS,
    )
    assert text >= set(both)
    world.api.merge(kinds.HARDWARE_CLASS, other, {"spec": {"priority": -1}})
    wait_for("both to be well again", seen, lambda found: found == [WELL, WELL], ROLLOUT_SECONDS)
    world.api.delete(kinds.HARDWARE_CLASS, other)


@pytest.mark.parametrize(
    ("status", "argocd", "message"),
    [
        (None, "Progressing", "its agent has not reported yet"),
        ({"models": []}, "Healthy", "0 models answer"),
        (
            {"models": [{"healthy": False, "message": "no pod of it runs here"}]},
            "Degraded",
            "shop/m: no pod of it runs here",
        ),
        (
            {
                "models": [
                    {"candidate": {"revision": "bbbbbbbbbb", "attempt": 0, "state": "Soaking"}}
                ]
            },
            "Progressing",
            "shop/m: revision bbbbbbbbbb is on trial (Soaking)",
        ),
        (
            {
                "models": [
                    {"candidate": {"revision": "bbbbbbbbbb", "attempt": 0, "state": "Failed"}}
                ]
            },
            "Healthy",
            "1 models answer",
        ),
    ],
    ids=["silent", "idle", "not answering", "on trial", "rolled back"],
)
def test_devices(
    world: World, judge: Verdicts, status: dict[str, Any] | None, argocd: str, message: str
) -> None:
    """A device outside of the cluster, in what its agent may report."""
    metadata = {"metadata": {"name": "gitops-phone"}}
    made = world.api.create(kinds.EDGE_NODE, {**metadata, "spec": {"hardwareClassName": "op-a"}})
    if status is not None:
        usual = {"namespace": "shop", "name": "m", "healthy": True}
        usual |= {"stable": "aaaaaaaaaa", "serving": "aaaaaaaaaa"}
        models = [usual | model for model in status["models"]]
        said = {"agentVersion": "1", "models": models}
        world.api.apply(kinds.EDGE_NODE, {**metadata, "status": said}, "agent", "status")
    seen = judge(world.api.get(kinds.EDGE_NODE, None, "gitops-phone"))[0]
    world.api.delete(kinds.EDGE_NODE, made)
    assert (seen.argocd, seen.argocd_message) == (argocd, message)


def test_what_is_being_deleted_is_terminating(world: World, judge: Verdicts) -> None:
    """With a finalizer of somebody else's, it stays in view."""
    world.api.merge(kinds.EDGE_MODEL, raw(world), {"metadata": {"finalizers": ["test.dev/hold"]}})
    world.api.delete(kinds.EDGE_MODEL, raw(world))
    assert judge(raw(world))[0].kstatus == "Terminating"
    world.api.merge(kinds.EDGE_MODEL, raw(world), {"metadata": {"finalizers": None}})


def test_the_health_checks_reach_argocd_as_documented(
    administrator: Kubectl, health_config: dict[str, Any]
) -> None:
    """The command of NOTES.txt merges them into an argocd-cm and keeps what is in it."""
    if administrator.tried("get", "namespace", NAMESPACE).returncode:
        administrator("create", "namespace", NAMESPACE)
    administrator("create", "namespace", "argocd")
    argocd = administrator.within("argocd")
    argocd("create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example")
    administrator.within(NAMESPACE).apply(health_config, "--force-conflicts")
    notes = (CHART / "templates" / "NOTES.txt").read_text()
    command = notes[notes.index("  kubectl patch configmap argocd-cm") :].split("{{- end }}")[0]
    path = f"{administrator.binary.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "KUBECONFIG": str(administrator.kubeconfig), "PATH": path}
    subprocess.run(["bash", "-euc", command], env=environment, check=True)
    merged = argocd.get("configmap", "argocd-cm")["data"]
    assert merged == {"url": "https://argocd.example", **health_config["data"]}
    assert len(merged) == 1 + 5
    administrator("delete", "namespace", "argocd")
    administrator.within(NAMESPACE)("delete", "configmap", health_config["metadata"]["name"])


def is_true_in(item: dict[str, Any], kind: str) -> bool:
    """Return whether a condition holds, for whatever generation."""
    return any(c["type"] == kind and c["status"] == "True" for c in item["status"]["conditions"])
