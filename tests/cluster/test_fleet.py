"""Two operators, of which one leads; and the classes that the operator makes once."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from skerry.cluster import kinds
from skerry.controllers.default_classes import MARKER
from skerry.controllers.leader import LEASE_NAME, LEASE_SECONDS
from skerry.decide.nodes.default_classes import default_classes
from tests.cluster.operator_process import OperatorProcess
from tests.cluster.world import NAME, ROLLOUT_SECONDS, World, manifest
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SYSTEM = "skerry-system"
FIRST = "operator-under-test"
START_SECONDS = 240.0
"""A process starts in two seconds on a free machine."""


def holder(world: World) -> str:
    """Return the leader."""
    lease = world.api.find(kinds.LEASE, SYSTEM, LEASE_NAME)
    return str(lease["spec"].get("holderIdentity", "")) if lease else ""


@pytest.fixture
def second(control_plane: Lab, world: World, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Yield another operator next to the first."""
    made = OperatorProcess(control_plane.kubeconfig, tmp_path, world.registry, "second")
    yield made
    made.stop()


def test_the_other_operator_takes_over_when_the_leader_is_killed(
    world: World, second: OperatorProcess
) -> None:
    """Killed without a word in the middle of a rollout: its Lease runs out, the rollout continues."""
    wait_for("the first to lead", lambda: holder(world), lambda h: h == FIRST, START_SECONDS)
    second.start()
    wait_for("the second to stand by", second.is_up, bool, START_SECONDS)
    world.kubectl.apply(manifest(world.registry, NAME))
    wait_for(
        "a candidate",
        lambda: world.api.list(kinds.MODEL_ROUTE, world.namespace),
        lambda routes: any("candidate" in r["spec"] for r in routes),
        ROLLOUT_SECONDS,
    )
    assert holder(world) == FIRST
    world.operator.stop(signal.SIGKILL)
    took_over = 4 * LEASE_SECONDS
    wait_for("the second to lead", lambda: holder(world), lambda h: h == second.name, took_over)
    model = world.until_ready(1)
    promoted = [(e.hardware_class_name, e.revision) for e in model.status.history]
    assert len(promoted) == len(set(promoted)) == 2
    # One that ends in order gives the Lease away: the other need not wait until it runs out.
    world.operator.start()
    wait_for("the first to stand by", world.operator.is_up, bool, START_SECONDS)
    second.stop()
    assert holder(world) != second.name
    wait_for("the first to lead", lambda: holder(world), lambda h: h == FIRST, START_SECONDS)


@pytest.fixture
def fleet_operator(control_plane: Lab, world: World, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Yield an operator that makes the default classes, alone; delete them at the end."""
    world.operator.stop()
    made = OperatorProcess(
        control_plane.kubeconfig, tmp_path, world.registry, "fleet", default_classes=True
    )
    yield made
    made.stop()
    for item in default_classes():
        world.api.delete(kinds.HARDWARE_CLASS, {"metadata": {"name": item.metadata.name}})
    world.api.delete(kinds.CONFIG_MAP, marker())
    world.operator.start()


def marker() -> dict[str, Any]:
    return {"metadata": {"name": MARKER, "namespace": SYSTEM}}


def class_names(world: World) -> set[str]:
    return {c["metadata"]["name"] for c in world.api.list(kinds.HARDWARE_CLASS)}


def start_until_marked(world: World, operator: OperatorProcess) -> None:
    """Start the operator and wait until it leads and has looked at the fleet."""
    operator.start()
    wait_for("it to lead", lambda: holder(world), lambda h: h == operator.name, START_SECONDS)
    wait_for(
        "the marker",
        lambda: world.api.find(kinds.CONFIG_MAP, SYSTEM, MARKER),
        lambda found: found is not None,
        START_SECONDS,
    )


def seen_by(world: World, name: str) -> None:
    """Wait until the operator has written a class's status: its loop has gone around."""
    probe = {"metadata": {"name": name}, "spec": {"nodeSelector": {"nobody": name}}}
    made = world.api.create(kinds.HARDWARE_CLASS, probe)
    wait_for(
        "the fleet loop",
        lambda: world.api.get(kinds.HARDWARE_CLASS, None, name)["status"]["observedGeneration"],
        lambda observed: observed == 1,
        START_SECONDS,
    )
    world.api.delete(kinds.HARDWARE_CLASS, made)


def test_default_classes_are_made_once_and_are_the_administrators_from_then_on(
    world: World, fleet_operator: OperatorProcess
) -> None:
    """One of that name is left alone; a deleted or changed one stays so over restarts."""
    own = {"metadata": {"name": "arm64"}, "spec": {"nodeSelector": {"mine": "yes"}, "priority": 7}}
    world.api.create(kinds.HARDWARE_CLASS, own)
    start_until_marked(world, fleet_operator)
    names = {c.metadata.name for c in default_classes()}
    assert class_names(world) >= names
    found = world.api.get(kinds.HARDWARE_CLASS, None, "arm64")
    assert found["spec"]["nodeSelector"] == {"mine": "yes"}
    made = world.api.get(kinds.CONFIG_MAP, SYSTEM, MARKER)["data"]["made"].split()
    assert set(made) == names - {"arm64"}

    world.api.delete(kinds.HARDWARE_CLASS, {"metadata": {"name": "x86-64"}})
    changed = world.api.get(kinds.HARDWARE_CLASS, None, "arm")
    world.api.merge(kinds.HARDWARE_CLASS, changed, {"spec": {"priority": 3}})
    fleet_operator.stop()
    start_until_marked(world, fleet_operator)
    seen_by(world, "probe")
    assert "x86-64" not in class_names(world)
    assert world.api.get(kinds.HARDWARE_CLASS, None, "arm")["spec"]["priority"] == 3
