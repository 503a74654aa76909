"""Which pods may get traffic, by what the gateway's checks tell and by what the kubelet told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from skerry.api.modelroute import ModelRoute
from skerry_agent.clock import Clock
from skerry_agent.golden import Golden
from skerry_agent.plan import Memory
from skerry_agent.pods import Pod
from skerry_agent.runner import Runner
from tests.waiting import TLS

if TYPE_CHECKING:
    from pathlib import Path

A, OLD, NEW = "aaaaaaaaaa", "10.0.0.1", "10.0.0.2"
ROUTE = {
    "metadata": {"name": "intent.x86", "namespace": "assist"},
    "spec": {
        "edgeModelName": "intent",
        "hardwareClassName": "x86",
        "stable": {"revision": A},
        "guard": {"minSamples": 20, "rules": []},
    },
}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    golden = Golden(tmp_path, httpx.AsyncClient(verify=TLS))
    return Runner(ModelRoute.model_validate(ROUTE), Memory(), golden, asyncio.Event(), Clock())


def pod(address: str = OLD, *, ready: bool, leaving: bool = False) -> dict[str, Pod]:
    one = Pod(namespace="assist", name="p", model="intent", revision=A, address=address)
    return {A: one.model_copy(update={"ready": ready, "leaving": leaving})}


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_what_a_check_told_counts_more_than_the_kubelet(
    runner: Runner, *, told: bool, ready: bool
) -> None:
    runner.tick(1.0, pod(ready=ready), {OLD: told})
    assert (A in runner.up) == told
    runner.tick(2.0, pod(ready=ready), {OLD: None})
    assert (A in runner.up) == told, "a gateway that begins anew has not told yet"
    runner.tick(3.0, pod(ready=ready), {})
    assert (A in runner.up) == told, "no gateway runs"


@pytest.mark.parametrize("ready", [True, False])
def test_the_kubelets_word_counts_where_no_check_has_told(runner: Runner, *, ready: bool) -> None:
    runner.tick(1.0, pod(ready=ready), {OLD: None})
    assert (A in runner.up) == ready


def test_a_new_address_has_to_answer_itself(runner: Runner) -> None:
    runner.tick(1.0, pod(ready=True), {OLD: True})
    runner.tick(2.0, pod(NEW, ready=False), {OLD: True})
    assert runner.up == frozenset()
    runner.tick(3.0, pod(ready=False), {})
    assert runner.up == frozenset(), "an address that comes back may be another's"


def test_a_pod_that_leaves_gets_nothing_new(runner: Runner) -> None:
    runner.tick(1.0, pod(ready=True, leaving=True), {OLD: True})
    assert runner.up == frozenset()
