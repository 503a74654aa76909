"""A rollback while a hundred other EdgeModels are looked at: the verdict does not wait behind them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from skerry.cluster import kinds
from tests.cluster.api import Api
from tests.cluster.world import ROLLOUT_SECONDS, World, manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

MODEL = "tiny"
OTHERS = 100
CHANGE_SECONDS = 0.03
"""Between two changes: several times as often as the operator makes passes."""
ROLLBACK_SECONDS = 8.0
"""A pass makes eight requests and 50 a second are let through: behind all others it would be 16 s."""


@contextmanager
def all_in_motion(api: Api, namespace: str) -> Iterator[None]:
    """Yield while a hundred EdgeModels, none of which can be built, change again and again."""
    items = [item for item in api.list(kinds.EDGE_MODEL, namespace) if _is_other(item)]
    ending, rounds = threading.Event(), threading.Semaphore(0)

    def change() -> None:
        number = 0
        while not ending.is_set():
            number += 1
            for item in items:
                ending.wait(CHANGE_SECONDS)
                api.merge(kinds.EDGE_MODEL, item, {"metadata": {"annotations": {"n": str(number)}}})
            rounds.release()

    thread = threading.Thread(target=change, daemon=True)
    thread.start()
    assert rounds.acquire(timeout=ROLLOUT_SECONDS)
    yield
    ending.set()
    thread.join()


def _is_other(item: dict[str, dict[str, str]]) -> bool:
    return item["metadata"]["name"] != MODEL


def test_a_rollback_goes_before_a_hundred_models(world: World, control_plane: Lab) -> None:
    """All of them are due when the device reports its Fail; the route goes back all the same."""
    world.kubectl.apply(manifest(world.registry, MODEL))
    world.until_ready(1)
    for number in range(OTHERS):
        other = manifest(world.registry, f"other-{number}")
        other["spec"]["source"]["uri"] = f"oci://{world.registry}/models/operator-test:none"
        other["metadata"]["namespace"] = world.namespace
        world.api.create(kinds.EDGE_MODEL, other)
    world.devices.soaking = True
    world.serve("600m")
    tried = world.candidate("op-b")
    with all_in_motion(Api(control_plane.kubeconfig), world.namespace):
        world.devices.bad[tried.revision] = "Errors"
        took = world.seconds_to_rollback("op-b", tried.revision)
    assert took < ROLLBACK_SECONDS
