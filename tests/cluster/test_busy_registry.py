"""A registry that answers 429 in the middle of a sync: waited for as it asks, and nothing stalls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from skerry.cluster import kinds
from tests.cluster.api import Api
from tests.cluster.operator_process import OperatorProcess
from tests.cluster.verdicts import ON_ITS_WAY
from tests.cluster.world import manifest
from tests.unit.artifacts.scripted import FOUND, Answer, Scripted, scripted
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.conftest import Kubectl
    from tests.cluster.verdicts import Verdicts
    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

NAME = "limited"
PAUSE_SECONDS = 25
SECONDS = 60.0


@pytest.fixture
def registry() -> Iterator[Scripted]:
    with scripted() as running:
        running.says(Answer(429, {"Retry-After": str(PAUSE_SECONDS)}))
        yield running


@pytest.fixture
def api(control_plane: Lab, kubectl: Kubectl, registry: Scripted, tmp_path: Path) -> Iterator[Api]:
    """Yield an operator whose registry is busy."""
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "skerry-system"}}
    kubectl("apply", "--server-side", "--filename=-", stdin=system)
    process = OperatorProcess(control_plane.kubeconfig, tmp_path, registry.address)
    process.start()
    yield Api(control_plane.kubeconfig)
    kubectl("delete", "edgemodel", NAME)
    process.stop()
    print(process.log.read_text())  # noqa: T201 - for the report of a failed test


def test_a_429_is_progress_and_resolves_by_itself(
    api: Api, kubectl: Kubectl, registry: Scripted, judge: Verdicts
) -> None:
    def model() -> dict[str, Any]:
        return api.get(kinds.EDGE_MODEL, kubectl.namespace, NAME)

    def reason(found: dict[str, Any]) -> str:
        targets = found.get("status", {}).get("targets") or [{}]
        return str(targets[0].get("reason"))

    kubectl.apply(
        {
            "apiVersion": "skerry.dev/v1alpha1", "kind": "HardwareClass",
            "metadata": {"name": "op-a"}, "spec": {"nodeSelector": {"test.skerry.dev/class": "op-a"}},
        }
    )  # fmt: skip
    wanted = manifest(registry.address, NAME)
    wanted["spec"]["targets"] = [{"hardwareClassName": "op-a"}]
    kubectl.apply(wanted)
    busy = wait_for("words", model, lambda m: reason(m) == "WaitingForRegistry", SECONDS)
    assert "the registry answered 429" in busy["status"]["targets"][0]["message"]
    assert judge(busy)[0].both == ON_ITS_WAY
    # Source and data set are asked for at once; the pause holds for both.
    first = len(registry.asked)
    assert first <= 2
    begun = time.monotonic()
    registry.says(FOUND)
    wait_for("the next question", lambda: len(registry.asked), lambda n: n > first, SECONDS)
    assert time.monotonic() - begun > PAUSE_SECONDS / 2
    wait_for("it to continue", model, lambda m: m["status"].get("artifacts"), SECONDS)
    kubectl("delete", "hardwareclass", "op-a")
