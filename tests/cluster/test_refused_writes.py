"""The API server refuses a write: all others are made, and the refusal is reported with true advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from skerry.api import HardwareClass
from skerry.api.common import NODE_LABEL_CLASS, ConditionStatus
from skerry.api.edgemodel import Outcome
from skerry.cluster import kinds
from skerry.decide.conditions import condition_of
from skerry.render.rolebindings import CLUSTER_ROLE, NAME
from tests.cluster.refusing import another_namespace, no_room, policy, rule
from tests.cluster.world import ROLLOUT_SECONDS, World, is_true, manifest
from tests.waiting import wait_for

if TYPE_CHECKING:
    from skerry.api import EdgeModel
    from skerry.api.common import Condition

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

MODEL = "tiny"


def condition(model: EdgeModel, kind: str) -> Condition:
    """Return a condition that must exist."""
    found = condition_of(model.status.conditions, kind)
    assert found is not None, f"{kind} is not among {model.status.conditions}"
    return found


def stalled(world: World, reason: str, name: str = MODEL) -> EdgeModel:
    """Wait until a model is Stalled for this reason."""

    def has_it(model: EdgeModel) -> bool:
        found = condition_of(model.status.conditions, "Stalled")
        return found is not None and found.reason == reason

    return wait_for(f"Stalled, {reason}", lambda: world.model(name), has_it, ROLLOUT_SECONDS)


def until_not_stalled(world: World, name: str = MODEL) -> None:
    """Wait until a model does not wait for a person any more."""
    wait_for(
        "no Stalled",
        lambda: condition_of(world.model(name).status.conditions, "Stalled"),
        lambda found: found is None,
        ROLLOUT_SECONDS,
    )


def refused_writes(world: World, kind: str) -> float:
    """Return the operator's count of refused writes."""
    url = f"http://127.0.0.1:{world.operator.metrics_port}/metrics"
    text = httpx.get(url, trust_env=False).text
    wanted = f'skerry_refused_writes_total{{kind="{kind}"}} '
    return next((float(s.split()[-1]) for s in text.splitlines() if s.startswith(wanted)), 0.0)


def events(world: World, reason: str) -> list[str]:
    """Return the notes of all events of a reason in the namespace."""
    found = world.api.list(kinds.EVENT, world.namespace)
    return [event.get("note", "") for event in found if event.get("reason") == reason]


def role_binding(world: World, namespace: str) -> dict[str, Any] | None:
    """Return the RoleBinding of the agents' name in a namespace."""
    return world.api.find(kinds.ROLE_BINDING, namespace, NAME)


def test_a_job_that_a_quota_refuses_is_reported_and_made_when_there_is_room(world: World) -> None:
    """Stalled with the quota's name; nothing claims that the job runs; one event; then it continues."""
    with another_namespace(world, "no-room") as here:
        with no_room(here.api, here.namespace, "none", **{"count/jobs.batch": "0"}):
            here.kubectl.apply(manifest(here.registry, MODEL))
            model = stalled(here, "QuotaExceeded")
            for said in (condition(model, "Stalled"), condition(model, "Ready")):
                assert "exceeded quota: none" in said.message
                assert "raise or delete ResourceQuota none" in said.message
                assert "ClusterRole" not in said.message
            assert condition(model, "Ready").status is ConditionStatus.FALSE
            for kind in ("Ready", "Optimized", "Certified", "RolledOut"):
                assert "reads the source" not in condition(model, kind).message
                assert condition(model, kind).reason == "QuotaExceeded"
            assert {target.reason for target in model.status.targets} == {"QuotaExceeded"}
            tried = refused_writes(here, "Job")
            wait_for(
                "another try", lambda: refused_writes(here, "Job"), lambda n: n > tried + 1, 30
            )
            (note,) = events(here, "QuotaExceeded")
            assert "cannot write Job tiny-" in note
            assert not events(here, "Assessing")
        here.until_ready(1)
        until_not_stalled(here)


def test_a_rollback_is_written_while_the_route_of_another_class_is_refused(world: World) -> None:
    """The first class's route is refused: the second tries its candidate, and is rolled back."""
    with another_namespace(world, "one-route") as here:
        here.kubectl.apply(manifest(here.registry, MODEL))
        before = {t.hardware_class_name: t for t in here.until_ready(1).status.targets}
        route = here.api.get(kinds.MODEL_ROUTE, here.namespace, f"{MODEL}.op-a")
        probe = {key: route[key] for key in ("apiVersion", "kind", "spec")}
        probe |= {"metadata": {"name": route["metadata"]["name"], "labels": {"probe": "yes"}}}
        refuses = f"object.metadata.namespace == '{here.namespace}' && object.spec.hardwareClassName == 'op-a'"
        routes = rule("skerry.dev", "v1alpha1", "modelroutes")
        with policy(here.kubectl, "no-route", routes, refuses, probe):
            here.serve("600m")
            tried = here.candidate("op-b")
            here.devices.bad[tried.revision] = "Errors"
            wait_for(
                "the halt of op-b",
                lambda: here.route("op-b").spec.halted,
                lambda halted: halted is not None,
                ROLLOUT_SECONDS,
            )
            model = wait_for(
                "the rejection",
                here.model,
                lambda m: bool(m.status.rejected),
                ROLLOUT_SECONDS,
            )
            stood, taken = model.status.targets
            assert condition(model, "Stalled").reason == "AdmissionDenied"
            assert "cannot write ModelRoute tiny.op-a" in condition(model, "Stalled").message
            assert "ValidatingAdmissionPolicy no-route" in condition(model, "Stalled").message
            assert (stood.rollout.stable, stood.rollout.candidate) == (
                before["op-a"].rollout.stable,
                None,
            )
            assert stood.reason == "AdmissionDenied"
            assert stood.rollout.desired not in {None, stood.rollout.stable}
            assert [r.revision for r in model.status.rejected] == [tried.revision]
            assert taken.rollout.stable == before["op-b"].rollout.stable
            assert not is_true(model, "Ready")
            assert is_true(model, "Available")
            assert len(events(here, "AdmissionDenied")) == 1
        model = wait_for(
            "op-a promoted once it may be",
            here.model,
            lambda m: m.status.targets[0].rollout.stable == stood.rollout.desired,
            2 * ROLLOUT_SECONDS,
        )
        promoted = [e.revision for e in model.status.history if e.outcome is Outcome.PROMOTED]
        assert len(promoted) == len(set(promoted))
        here.devices.bad.clear()


def test_a_daemonset_that_is_refused_is_reported_and_stops_no_other_class(world: World) -> None:
    """The candidate of one class gets no DaemonSet; the other class is promoted."""
    with another_namespace(world, "one-daemonset") as here:
        here.kubectl.apply(manifest(here.registry, MODEL))
        here.until_ready(1)
        refuses = (
            f"object.metadata.namespace == '{here.namespace}' && request.operation == 'CREATE'"
            " && object.metadata.labels['skerry.dev/hardware-class'] == 'op-a'"
        )
        sets = rule("apps", "v1", "daemonsets")
        template = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "a", "image": "a"}]},
        }
        probe = {
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "probe", "labels": {"skerry.dev/hardware-class": "op-a"}},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        }  # fmt: skip
        with policy(here.kubectl, "no-daemonset", sets, refuses, probe):
            generation = here.serve("600m")
            model = wait_for(
                "op-b promoted",
                here.model,
                lambda m: (
                    m.status.observed_generation == generation
                    and m.status.targets[1].rollout.desired == m.status.targets[1].rollout.stable
                    and m.status.targets[0].reason == "AdmissionDenied"
                ),
                ROLLOUT_SECONDS,
            )
            assert "cannot write DaemonSet tiny-" in condition(model, "Stalled").message
        here.until_ready(generation)


def test_a_rolebinding_that_somebody_else_made_stops_no_other_namespace(world: World) -> None:
    """It is left alone and named in the conditions of its namespace; deleted, ours takes its place."""
    with (
        another_namespace(world, "aaa-taken") as here,
        another_namespace(world, "zzz-after") as after,
    ):
        here.kubectl("create", "rolebinding", NAME, "--clusterrole=view", "--user=somebody")
        here.kubectl.apply(manifest(here.registry, MODEL))
        model = stalled(here, "NameConflict")
        assert f"RoleBinding aaa-taken/{NAME}" in condition(model, "Stalled").message
        assert "delete it" in condition(model, "Stalled").message
        after.kubectl.apply(manifest(after.registry, MODEL))
        wait_for(
            "the binding of the namespace after it",
            lambda: role_binding(world, after.namespace),
            lambda found: found is not None,
            ROLLOUT_SECONDS,
        )
        assert condition_of(after.until_ready(1).status.conditions, "Stalled") is None
        taken = role_binding(world, here.namespace)
        assert taken is not None
        assert taken["roleRef"]["name"] == "view"
        assert taken["subjects"][0]["name"] == "somebody"
        here.kubectl("delete", "rolebinding", NAME)
        wait_for(
            "ours in its place",
            lambda: role_binding(world, here.namespace),
            lambda found: found is not None and found["roleRef"]["name"] == CLUSTER_ROLE,
            2 * ROLLOUT_SECONDS,
        )
        until_not_stalled(here)


def test_a_namespace_that_is_being_terminated_stops_no_other(world: World) -> None:
    """Its EdgeModel is held by a finalizer; an operator that starts then still binds the others."""
    held = manifest(world.registry, MODEL)
    held["metadata"]["finalizers"] = ["example.org/held"]
    with (
        another_namespace(world, "aaa-going") as here,
        another_namespace(world, "zzz-later") as later,
    ):
        here.kubectl.apply(held)
        wait_for(
            "the first binding",
            lambda: role_binding(world, here.namespace),
            lambda found: found is not None,
            ROLLOUT_SECONDS,
        )
        world.operator.stop()
        here.kubectl("delete", "namespace", here.namespace, "--wait=false")
        wait_for(
            "its binding to go",
            lambda: role_binding(world, here.namespace),
            lambda found: found is None,
            ROLLOUT_SECONDS,
        )
        try:
            world.operator.start()
            later.kubectl.apply(manifest(later.registry, MODEL))
            wait_for(
                "the binding of another namespace",
                lambda: role_binding(world, later.namespace),
                lambda found: found is not None,
                ROLLOUT_SECONDS,
            )
            assert refused_writes(world, "RoleBinding") == 0
            later.until_ready(1)
        finally:
            item = world.api.get(kinds.EDGE_MODEL, here.namespace, MODEL)
            world.api.merge(kinds.EDGE_MODEL, item, {"metadata": {"finalizers": None}})
            here.kubectl("wait", "--for=delete", f"namespace/{here.namespace}", "--timeout=60s")
            here.kubectl("create", "namespace", here.namespace)


def test_a_node_that_a_policy_guards_stops_no_other_node(world: World) -> None:
    """The others get their labels and EdgeNodes; the class names the node and the policy."""
    guarded, after = "aa-guarded", "zz-after"
    labels = {"test.skerry.dev/class": "op-b"}
    refuses = (
        f"object.metadata.name == '{guarded}' && has(object.metadata.labels)"
        f" && '{NODE_LABEL_CLASS}' in object.metadata.labels"
    )
    probe = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": guarded}}
    probe["metadata"] = {"name": guarded, "labels": {NODE_LABEL_CLASS: "op-b"}}
    with policy(world.kubectl, "guarded", rule("", "v1", "nodes"), refuses, probe):
        for name in (guarded, after):
            world.api.create(kinds.NODE, {"metadata": {"name": name, "labels": labels}})
        try:
            wait_for(
                "the label of the other node",
                lambda: world.api.get(kinds.NODE, None, after)["metadata"]["labels"],
                lambda found: found.get(NODE_LABEL_CLASS) == "op-b",
                ROLLOUT_SECONDS,
            )
            wait_for(
                "its EdgeNode",
                lambda: world.api.find(kinds.EDGE_NODE, None, after),
                lambda found: found is not None,
                ROLLOUT_SECONDS,
            )
            said = class_stalled(world, "op-b", reason="AdmissionDenied")
            assert guarded in said
            assert "ValidatingAdmissionPolicy guarded" in said
            assert refused_writes(world, "Node") >= 1
        finally:
            world.api.delete(kinds.NODE, {"metadata": {"name": after}})
    try:
        wait_for(
            "the label once it is allowed",
            lambda: world.api.get(kinds.NODE, None, guarded)["metadata"]["labels"],
            lambda found: found.get(NODE_LABEL_CLASS) == "op-b",
            2 * ROLLOUT_SECONDS,
        )
        class_stalled(world, "op-b", reason=None)
    finally:
        world.api.delete(kinds.NODE, {"metadata": {"name": guarded}})


def class_stalled(world: World, name: str, *, reason: str | None) -> str:
    """Wait until a class is Stalled for this reason, or not at all; returns the message."""

    def look() -> Condition | None:
        found = HardwareClass.model_validate(world.api.get(kinds.HARDWARE_CLASS, None, name))
        return condition_of(found.status.conditions, "Stalled")

    found = wait_for(
        f"class {name}: {reason}",
        look,
        lambda said: (said.reason if said else None) == reason,
        ROLLOUT_SECONDS,
    )
    return found.message if found else ""
