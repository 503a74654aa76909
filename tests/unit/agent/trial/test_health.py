"""Which revisions answer, by the gateway's health checks and by the kubelet's report."""

from __future__ import annotations

import pytest

from skerry_agent.trial.health import Health
from skerry_agent.trial.instance import Instance

A, OLD, NEW = "aaaaaaaaaa", "10.0.0.1", "10.0.0.2"


def instance(address: str = OLD, *, ready: bool = True, leaving: bool = False) -> Instance:
    return Instance(revision=A, address=address, ready=ready, leaving=leaving)


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("up", [True, False])
def test_a_check_counts_more_than_the_kubelet(*, up: bool, ready: bool) -> None:
    health, one = Health(), instance(ready=ready)
    health.record({OLD: up}, [one])
    assert health.answers(one) == up
    health.record({OLD: None}, [one])
    assert health.answers(one) == up, "a gateway that restarts has no result yet"
    health.record({}, [one])
    assert health.answers(one) == up, "no gateway runs"


@pytest.mark.parametrize("ready", [True, False])
def test_the_kubelets_report_counts_before_the_first_result(*, ready: bool) -> None:
    health, one = Health(), instance(ready=ready)
    health.record({OLD: None}, [one])
    assert health.answers(one) == ready


def test_a_new_address_has_to_answer_itself() -> None:
    health = Health()
    health.record({OLD: True}, [instance()])
    moved = instance(NEW, ready=False)
    health.record({OLD: True}, [moved])
    assert not health.answers(moved)
    back = instance(ready=False)
    health.record({}, [back])
    assert not health.answers(back), "an address that comes back may be another's"


def test_an_instance_that_leaves_gets_nothing_new() -> None:
    health, one = Health(), instance(leaving=True)
    health.record({OLD: True}, [one])
    assert not health.answers(one)
