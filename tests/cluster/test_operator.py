"""The operator against a real API server: one model's life, a rollback, and being killed at each write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skerry.api import HardwareClass, ModelVariant
from skerry.api.artifact import Role
from skerry.api.common import LABEL_MODEL
from skerry.api.edgemodel import Outcome, Phase
from skerry.api.modelvariant import StageOutcome
from skerry.cluster import kinds
from skerry.decide.conditions import condition_of
from tests.cluster.world import CLASSES, ROLLOUT_SECONDS, World, is_true, manifest
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

NAME = "tiny"
CRASH_EXIT_CODE = 70
ROLLBACK_SECONDS = 2.0
"""About a second, on a busy machine too; without the verdict's event it is a minute until the next LIST."""


def test_first_rollout_to_promotion(world: World) -> None:
    """Assessed, built once per class, measured, certified, rolled out, reachable."""
    world.kubectl.apply(manifest(world.registry, NAME))
    model = world.until_ready(1)

    assert model.status.phase is Phase.SERVING
    for kind in ("Accepted", "Optimized", "Certified", "RolledOut", "Available", "Ready"):
        assert is_true(model, kind), kind
    assert {c.type for c in model.status.conditions}.isdisjoint({"Reconciling", "Stalled"})
    assert model.status.assessment is not None
    assert {one.role for one in model.status.artifacts} == set(Role)
    assert [t.hardware_class_name for t in model.status.targets] == list(CLASSES)
    assert [t.rollout.nodes.updated for t in model.status.targets] == [2, 1]
    assert {e.outcome for e in model.status.history} == {Outcome.PROMOTED}
    assert model.status.address is not None
    assert model.status.address.url == f"http://{NAME}.{world.namespace}.svc"

    service = world.api.get(kinds.SERVICE, world.namespace, NAME)
    assert service["spec"]["externalName"] == "skerry-gateway.skerry-system.svc.cluster.local"
    for hardware_class in CLASSES:
        assert world.route(hardware_class).spec.candidate is None


def test_variants_tell_stages_recipe_results_and_certificate(world: World) -> None:
    """A variant per class, with what its job's containers and summary said."""
    items = world.api.list(kinds.MODEL_VARIANT, world.namespace)
    variants = [ModelVariant.model_validate(item) for item in items]
    assert {v.spec.hardware_class_name for v in variants} == set(CLASSES)
    for variant in variants:
        assert [s.outcome for s in variant.status.stages] == [StageOutcome.SUCCEEDED] * 5
        assert all(stage.start_time and stage.completion_time for stage in variant.status.stages)
        assert variant.status.certificate is not None
        assert variant.status.artifact is not None
        assert variant.status.recipe_results


def test_nodes_have_class_shard_and_edge_node(world: World) -> None:
    """The operator labels the nodes, makes their EdgeNodes and counts them; a lost label comes back."""
    for hardware_class, names in CLASSES.items():
        found = world.api.get(kinds.HARDWARE_CLASS, None, hardware_class)
        status = HardwareClass.model_validate(found).status
        assert (status.nodes, status.reachable) == (len(names), len(names))
    node = world.api.get(kinds.NODE, None, "op-a1")
    label = "skerry.node-restriction.kubernetes.io/shard"
    shard = node["metadata"]["labels"][label]
    world.api.merge(kinds.NODE, node, {"metadata": {"labels": {label: None}}})
    wait_for(
        "the shard label is back",
        lambda: world.api.get(kinds.NODE, None, "op-a1")["metadata"]["labels"].get(label),
        lambda value: value == shard,
        5,
    )


def test_second_revision_is_promoted_next_to_a_warm_previous(world: World) -> None:
    """Other limits: measured again, rolled out, the one before is kept."""
    before = [t.rollout.stable for t in world.model().status.targets]
    model = world.until_ready(world.serve("600m"))
    for target, old in zip(model.status.targets, before, strict=True):
        assert target.rollout.stable != old
        assert target.rollout.previous == old
    assert len(world.daemonsets()) == 2 * len(CLASSES)


def test_bad_revision_is_rolled_back_in_its_class_alone(world: World) -> None:
    """Rolled back and remembered within a second of the verdict; spec unwritten; others continue."""
    before = {t.hardware_class_name: t.rollout.stable for t in world.model().status.targets}
    generation = world.serve("700m")
    tried = world.candidate("op-a")
    world.devices.bad[tried.revision] = "Errors"
    took = world.seconds_to_rollback("op-a", tried.revision)
    assert took < ROLLBACK_SECONDS

    model = wait_for(
        "the rejection, and the other class promoted",
        world.model,
        lambda m: m.status.rejected and m.status.targets[1].phase is Phase.SERVING,
        ROLLOUT_SECONDS,
    )
    assert model.status.phase is Phase.ROLLED_BACK
    assert not is_true(model, "Ready")
    assert is_true(model, "Stalled")
    assert is_true(model, "Available")
    assert [r.hardware_class_name for r in model.status.rejected] == ["op-a"]
    assert model.status.rejected[0].rule == "Errors"
    assert world.route("op-a").spec.stable is not None
    assert model.status.targets[0].rollout.stable == before["op-a"]
    assert model.status.targets[1].rollout.stable != before["op-b"]
    assert model.metadata.generation == generation


def test_the_operator_never_writes_the_spec(world: World) -> None:
    """managedFields: of an EdgeModel it owns nothing but the status."""
    raw = world.api.get(kinds.EDGE_MODEL, world.namespace, NAME)
    ours = [f for f in raw["metadata"]["managedFields"] if f["manager"] == "skerry-operator"]
    assert ours
    assert {f.get("subresource") for f in ours} == {"status"}
    assert "finalizers" not in raw["metadata"]
    assert not any("kopf" in key for key in raw["metadata"].get("annotations", {}))


def test_retry_tries_a_rejected_revision_again(world: World) -> None:
    """The annotation raises the attempt; without the fault it is promoted."""
    rejected = world.model().status.rejected[0]
    del world.devices.bad[rejected.revision]
    item = world.api.get(kinds.EDGE_MODEL, world.namespace, NAME)
    annotation = {"metadata": {"annotations": {"skerry.dev/retry": "1"}}}
    world.api.merge(kinds.EDGE_MODEL, item, annotation)
    model = world.until_ready(item["metadata"]["generation"])
    assert model.status.targets[0].rollout.stable == rejected.revision
    assert model.status.targets[0].rollout.attempt == rejected.attempt + 1


def test_gates_that_nothing_passes_stop_nothing_that_serves(world: World) -> None:
    """GatesNotMet names the shortfall; the stable revisions stay; lower gates need no other build."""
    before = [t.rollout.stable for t in world.model().status.targets]
    world.devices.shortfall = frozenset({"ONNXRuntime"})
    generation = world.serve("800m")
    model = wait_for(
        "the gates to say no",
        world.model,
        lambda m: m.status.observed_generation == generation and m.status.phase is Phase.FAILED,
        ROLLOUT_SECONDS,
    )
    ready = condition_of(model.status.conditions, "Ready")
    assert ready is not None
    assert ready.reason == "GatesNotMet"
    assert "quality 0.900" in ready.message
    assert is_true(model, "Stalled")
    assert is_true(model, "Available")
    assert [t.rollout.stable for t in model.status.targets] == before
    world.devices.shortfall = frozenset()


def test_a_name_that_is_taken_is_never_adopted(world: World) -> None:
    """A Service of the model's name that somebody else made stays as it is, and is named."""
    name = "taken"
    spec = {"type": "ExternalName", "externalName": "example.org"}
    service = {"metadata": {"name": name, "namespace": world.namespace}, "spec": spec}
    world.api.create(kinds.SERVICE, service)
    world.kubectl.apply(manifest(world.registry, name))
    model = wait_for(
        "the conflict", lambda: world.model(name), lambda m: is_true(m, "Stalled"), ROLLOUT_SECONDS
    )
    ready = condition_of(model.status.conditions, "Ready")
    assert ready is not None
    assert ready.reason == "NameConflict"
    assert f"Service {name}" in ready.message
    found = world.api.get(kinds.SERVICE, world.namespace, name)
    assert found["spec"]["externalName"] == "example.org"
    assert "ownerReferences" not in found["metadata"]
    world.kubectl("delete", "edgemodel", name)


def test_a_source_that_is_not_there_is_reported(world: World) -> None:
    """The registry's answer reaches the status; what was there before is not touched."""
    name = "missing"
    wrong = manifest(world.registry, name)
    wrong["spec"]["source"]["uri"] = f"oci://{world.registry}/models/operator-test:none"
    world.kubectl.apply(wrong)
    model = wait_for(
        "the refusal", lambda: world.model(name), lambda m: is_true(m, "Stalled"), ROLLOUT_SECONDS
    )
    accepted = condition_of(model.status.conditions, "Accepted")
    assert accepted is not None
    assert accepted.reason == "SourceNotResolved"
    assert "no such image or tag" in accepted.message
    world.kubectl("delete", "edgemodel", name)


@pytest.fixture(scope="module")
def killed(world: World) -> Iterator[str]:
    """Yield a model of one class that serves, for the tests that end the operator."""
    name = "killed"
    model = manifest(world.registry, name)
    model["spec"]["targets"] = [{"hardwareClassName": "op-b"}]
    world.kubectl.apply(model)
    world.until_ready(1, name)
    yield name
    world.kubectl("delete", "edgemodel", name)


@pytest.mark.parametrize(
    "write", ["variant", "job", "variant-status", "route", "status", "daemonset", "delete"]
)
def test_killed_after_a_write_it_ends_as_without(world: World, killed: str, write: str) -> None:
    """Ended right after each kind of write of a rollout and started again, it ends as one that was not."""
    world.operator.stop()
    world.operator.start(crash_after=f"{write}:1")
    before = world.model(killed).status.targets[0].rollout.stable
    generation = world.serve(f"{300 + len(world.model(killed).status.history)}m", killed)
    assert world.operator.ended(ROLLOUT_SECONDS) == CRASH_EXIT_CODE
    world.operator.start()
    model = world.until_ready(generation, killed)
    target = model.status.targets[0]
    assert target.rollout.stable == target.rollout.desired != before
    assert (target.rollout.candidate, target.rollout.previous) == (None, before)
    promoted = [e.revision for e in model.status.history if e.outcome is Outcome.PROMOTED]
    assert promoted[-1] == target.rollout.stable
    assert len(promoted) == len(set(promoted))
    expected = {f"{killed}-{target.rollout.stable}", f"{killed}-{target.rollout.previous}"}
    wait_for(
        "stable and previous are all that is kept",
        lambda: world.daemonsets(killed),
        lambda found: found == expected,
        ROLLOUT_SECONDS,
    )


def test_a_class_that_leaves_the_spec_is_withdrawn(world: World) -> None:
    """Its route goes first, then its DaemonSets; the other class serves on."""
    world.until_ready(world.serve("900m"))
    generation = world.patch({"targets": [{"hardwareClassName": "op-a"}]})
    model = world.until_ready(generation)
    target = model.status.targets[0]
    expected = {f"{NAME}-{r}" for r in (target.rollout.stable, target.rollout.previous) if r}
    wait_for("op-b is withdrawn", world.daemonsets, lambda d: d == expected, ROLLOUT_SECONDS)
    routes = world.api.list(kinds.MODEL_ROUTE, world.namespace, f"{LABEL_MODEL}={NAME}")
    assert [r["spec"]["hardwareClassName"] for r in routes] == ["op-a"]
