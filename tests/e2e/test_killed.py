"""The operator is killed after each kind of write of a rollout; the rollout ends as without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.world import World, is_ready, tiny_model, wait_for
from tests.lab.client.traffic import Traffic, infer_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from skerry.api import EdgeModel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CLASS = "x86-b"
ROLLOUT_SECONDS = 420.0
DEPLOYMENT = ("-n", "skerry-system", "deployment/skerry-operator")


def crash_after(world: World, writes: tuple[str, ...]) -> None:
    """Have the operator end itself right after its first write of each of these kinds."""
    points = ",".join(f"{write}:1" for write in writes)
    world.environment.kubectl("set", "env", *DEPLOYMENT, f"SKERRY_CRASH_AFTER={points}")

    def only_with_them() -> bool:
        containers = [c for pod in operators(world) for c in pod["spec"]["containers"]]
        return bool(containers) and all(
            {"name": "SKERRY_CRASH_AFTER", "value": points} in c.get("env", []) for c in containers
        )

    wait_for("the operator with its crash points", only_with_them, bool, 120)


def operators(world: World) -> list[dict[str, Any]]:
    """Return the operator's pods."""
    selector = "app.kubernetes.io/component=operator"
    items: list[dict[str, Any]] = world.environment.get(
        "-n", "skerry-system", "pods", "-l", selector
    )["items"]
    return items


def crash_never(world: World) -> None:
    """Let the operator live."""
    world.environment.kubectl("set", "env", *DEPLOYMENT, "SKERRY_CRASH_AFTER-")
    world.environment.kubectl("rollout", "status", *DEPLOYMENT, "--timeout=120s")


def restarts(world: World) -> int:
    """Return how often the container of the running operator pod ended."""
    return max(
        (
            c["restartCount"]
            for p in operators(world)
            for c in p["status"].get("containerStatuses", [])
        ),
        default=0,
    )


@pytest.fixture(scope="module")
def served(world: World, namespace: str, tiny: Path) -> Iterator[str]:
    """Yield the name of a model whose first revision serves under traffic: an idle node needs longer to judge."""
    name = "killed"
    model = tiny_model(world.registry, namespace, name, [CLASS])
    model["spec"]["rollout"] |= {"waves": [{"percent": 100}], "traffic": [50], "soak": "3s"}
    # Limits of its own: no other test has measured under them, so that a job is there to be deleted later.
    model["spec"]["serving"]["resources"]["limits"]["memory"] = "290Mi"
    world.environment.apply(model)
    plain = (infer_request(tiny / "dataset" / "dataset.npz"),)
    with Traffic(world.environment) as followed:
        followed.start(world.load((namespace, name), CLASS, plain))
        world.until_ready((namespace, name), ROLLOUT_SECONDS)
        yield name


# Each group is one rollout: the kubelet waits longer before each restart of a container.
WRITES = (("job", "route", "delete"), ("variant-status", "status", "daemonset"))


@pytest.mark.parametrize(
    "writes", [WRITES[0], pytest.param(WRITES[1], marks=pytest.mark.long)], ids=" ".join
)
def test_killed_after_a_write_it_ends_as_without(
    world: World, namespace: str, served: str, writes: tuple[str, ...]
) -> None:
    before = world.model(namespace, served).status.targets[0].rollout.stable
    crash_after(world, writes)
    # Other limits: measured again, a new revision; going back to an old one would need no rollout.
    limits = {"memory": f"{310 + WRITES.index(writes)}Mi"}
    wanted = world.patch(namespace, served, {"serving": {"resources": {"limits": limits}}})

    try:
        wait_for(
            "the operator is killed after each of them",
            lambda: restarts(world),
            lambda count: count >= len(writes),
            ROLLOUT_SECONDS,
        )
    finally:
        crash_never(world)

    def promoted(model: EdgeModel) -> bool:
        return is_ready(model, wanted) and model.status.targets[0].rollout.stable != before

    after = world.until("promotion", (namespace, served), promoted, ROLLOUT_SECONDS)
    assert after.status.rejected == ()
    ends = [
        entry.outcome
        for entry in after.status.history
        if entry.revision == after.status.targets[0].rollout.stable
    ]
    assert ends[-1:] == ["Promoted"]
