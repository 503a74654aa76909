"""Why a pod is not on its node, on real kubelets: a quota that is full, and a node with a taint and no agent.

The tests of this module tell one story, in their order; one small model is built once and measured twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skerry.api import HardwareClass
from skerry.decide.conditions import condition_of
from tests.e2e.world import World, condition, is_ready, tiny_model, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.api import EdgeModel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "absent"
CLASS = "x86-a"
SYSTEM = "skerry-system"
TAINT = "node-role.kubernetes.io/control-plane"
ROLLOUT_SECONDS = 420.0
REPORTED_SECONDS = 90.0
LISTED_SECONDS = 150.0


def serve(world: World, namespace: str, cpu: str) -> int:
    """Ask for another revision, by another limit."""
    limits = {"cpu": cpu, "memory": "256Mi"}
    return world.patch(namespace, NAME, {"serving": {"resources": {"limits": limits}}})


def message(model: EdgeModel) -> str:
    """Return what the class says."""
    return model.status.targets[0].message


def test_a_first_revision_serves(world: World, namespace: str) -> None:
    wanted = tiny_model(world.registry, namespace, NAME, [CLASS])
    # Nothing is kept warm: the way back to the first revision is a rollout, and needs no build.
    kept = {"standby": "None", "rollbackWindow": "1s"}
    # How long and by which shares of traffic a candidate is tried is not what this is about.
    wanted["spec"]["rollout"] |= {**kept, "traffic": [50], "soak": "3s"}
    world.environment.apply(wanted)
    world.until_ready((namespace, NAME), ROLLOUT_SECONDS)


def test_a_full_quota_is_reported_by_node_and_the_rollout_continues_when_it_is_gone(
    world: World, namespace: str
) -> None:
    """There is room for the job, and after it for the candidate's pod on one of two nodes."""
    pods = len(world.serving_pods(namespace, NAME)) + 1
    kubectl = world.environment.kubectl
    kubectl("-n", namespace, "create", "quota", "full", f"--hard=pods={pods}")
    generation = serve(world, namespace, "400m")
    where = (namespace, NAME)
    model = world.until(
        "the quota is reported",
        where,
        lambda m: "wave" in message(m) and "exceeded quota: full" in message(m),
        ROLLOUT_SECONDS,
    )
    assert condition(model, "Stalled") == "True"
    assert condition(model, "Available") == "True"
    (target,) = model.status.targets
    assert target.reason == "PodsForbidden"
    assert f"{target.rollout.offenders[0]}: its pod was refused" in target.message
    kubectl("-n", namespace, "delete", "quota", "full")
    # The DaemonSet's controller backs off for up to 17 minutes; any change makes it try at once.
    kubectl("-n", namespace, "annotate", "daemonsets", "--all", "touched=yes")
    world.until("it is promoted", where, lambda m: is_ready(m, generation), ROLLOUT_SECONDS)


@pytest.fixture
def tainted(world: World) -> Iterator[str]:
    """Yield a node with the taint of a control plane, which never had an agent."""
    node, kubectl = world.nodes_of(CLASS)[-1], world.environment.kubectl
    kubectl("taint", "node", node, f"{TAINT}=:NoSchedule")
    try:
        on_node = ("--field-selector", f"spec.nodeName={node}")
        kubectl("-n", SYSTEM, "delete", "pods", *on_node, "-l", "app.kubernetes.io/component=agent")
        kubectl("-n", SYSTEM, "delete", "lease", f"skerry-agent-{node}")
        yield node
    finally:
        lift(world, node)


def lift(world: World, node: str) -> None:
    """Take the taint away, if it is there."""
    taints = world.environment.get("node", node)["spec"].get("taints", ())
    if any(taint["key"] == TAINT for taint in taints):
        world.environment.kubectl("taint", "node", node, f"{TAINT}-")


def test_a_node_with_a_taint_and_no_agent_holds_no_rollout_and_is_named(
    world: World, namespace: str, tainted: str
) -> None:
    """It comes back by itself when the taint goes."""
    named = f"{tainted}: taint {TAINT}:NoSchedule"

    def complete() -> str:
        item = world.environment.get("hardwareclass", CLASS)
        found = condition_of(HardwareClass.model_validate(item).status.conditions, "Complete")
        return found.message if found else ""

    wait_for("the class names it", complete, lambda said: named in said, REPORTED_SECONDS)
    generation = serve(world, namespace, "500m")
    where = (namespace, NAME)
    model = world.until("it is promoted", where, lambda m: is_ready(m, generation), ROLLOUT_SECONDS)
    assert f"left out: {named}" in message(model)
    assert model.status.targets[0].rollout.nodes.updated == 1

    lift(world, tainted)
    world.until(
        "the node catches up",
        where,
        lambda m: m.status.targets[0].rollout.nodes.updated == len(world.nodes_of(CLASS)),
        LISTED_SECONDS + ROLLOUT_SECONDS,
    )
