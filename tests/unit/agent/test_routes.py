"""Routes of a newer operator, and more models than fit: one model's trouble is no other's."""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.attempt import Attempt
from skerry.api.edgenode import (
    CandidateState,
    NodeModel,
    Veto,
)
from skerry_agent import metrics
from skerry_agent.agent import Agent
from skerry_agent.gateway.driver import Gateway
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.kube import Api
from skerry_agent.kubelet import Pods
from skerry_agent.routes import Routes
from skerry_agent.settings import Settings
from skerry_agent.times import Reading
from skerry_agent.trial.memory import Memory, NodeTrial
from skerry_agent.trial.node_status import MOST_MODELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

A, B = "aaaaaaaaaa", "bbbbbbbbbb"
AT = datetime(2026, 11, 30, tzinfo=UTC)


def raw(model: str = "intent", uid: str = "", **spec: Any) -> dict[str, Any]:
    """Return a route as the API server stores it."""
    if uid:
        spec["edgeModelUID"] = uid
    return {
        "metadata": {"name": f"{model}.x86", "namespace": "assist", "generation": 3},
        "spec": {
            "edgeModelName": model,
            "hardwareClassName": "x86",
            "stable": {"revision": A},
            **spec,
        },
    }


def key(model: str = "intent") -> str:
    return f"assist/{model}.x86"


UNKNOWN: list[dict[str, Any]] = [
    {"guard": {"rules": [{"metric": "tokensPerSecond", "tolerate": "1x"}]}},
    {"previous": {"revision": A, "expirationTime": "2026-13-45T00:00:00Z"}},
    {"previous": {"revision": A, "expirationTime": "2026-01-01T00:00:00+99:99"}},
    {"stable": {"revision": "a-name-of-another-form"}},
    {"candidate": {"revision": B, "traffic": [0, 1000]}},
    {"stable": "a string"},
]


@pytest.mark.parametrize("spec", UNKNOWN)
def test_an_unknown_value_leaves_that_model_as_it_was(
    spec: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    routes = Routes()
    kept = routes.take({key(): raw(), key("other"): raw("other")}, {})
    newer = {
        key(): {**raw(), "spec": {**raw()["spec"], **spec}},
        key("other"): raw("other", stable=None),
    }
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            kept = routes.take(copy.deepcopy(newer), kept)
    parsed = routes.parsed(kept)
    assert parsed["assist.intent"].spec.stable is not None
    assert parsed["assist.intent"].spec.stable.revision == A
    assert parsed["assist.other"].spec.stable is None, "the others keep serving"
    assert metrics.UNREADABLE._value.get() == 1
    assert caplog.text.count("can't be read") == 1
    routes.take({key(): raw()}, kept)
    assert metrics.UNREADABLE._value.get() == 0


def test_a_route_that_was_never_readable_is_reported() -> None:
    routes = Routes()
    kept = routes.take({key(): raw(**UNKNOWN[0])}, {})
    assert routes.parsed(kept) == {}
    reported = routes.strangers({})
    assert [(one.namespace, one.name) for one in reported] == [("assist", "intent")]
    assert "spec.guard.rules[0].metric" in reported[0].message
    assert "tokensPerSecond" in reported[0].message


def test_an_unreadable_route_of_a_model_made_again_keeps_nothing_of_the_earlier_one() -> None:
    routes = Routes()
    kept = routes.take({key(): raw(uid="one")}, {})
    assert routes.take({key(): raw(uid="two", **UNKNOWN[0])}, kept) == {}


def test_an_operator_that_is_upgraded_to_name_models_by_uid_changes_no_model() -> None:
    routes = Routes()
    kept = routes.take({key(): raw()}, {})
    assert routes.take({key(): raw(uid="two", **UNKNOWN[0])}, kept) == kept


def test_unknown_fields_are_ignored() -> None:
    routes = Routes()
    kept = routes.take({key(): raw(somethingNew={"a": 1})}, {})
    assert "assist.intent" in routes.parsed(kept)


def test_routes_are_not_parsed_again_while_they_stay() -> None:
    routes = Routes()
    found = {key(str(n)): raw(f"m{n}") for n in range(20)}
    first = routes.parsed(routes.take(found, {}))
    again = routes.parsed(routes.take(copy.deepcopy(found), {}))
    assert all(first[name] is again[name] for name in first)


@pytest.fixture
def agent(tmp_path: Path) -> Callable[[], Agent]:
    """Return an agent of this device; each call starts another process."""
    settings = Settings("x86-1", "skerry-system", tmp_path)
    return lambda: Agent(settings, Api("http://127.0.0.1:9"), Gateway(GatewayPaths(tmp_path)))


def give(agent: Agent, *routes: dict[str, Any]) -> None:
    """Give routes to the agent."""
    found = {f"assist/{route['metadata']['name']}": route for route in routes}
    agent.kept = agent.kept.model_copy(
        update={"hardware_class": "x86", "routes": agent.routes.take(found, agent.kept.routes)}
    )
    agent._match_runners()


async def test_three_hundred_models_on_a_class(agent: Callable[[], Agent]) -> None:
    it = agent()
    give(it, *(raw(f"m{n:03d}") for n in range(300)))
    failed = it.runners["assist.m299"]
    failed.model.memory = Memory(
        trial=NodeTrial(revision=B, attempt=0, state=CandidateState.FAILED),
        vetoes=(Veto(revision=B, attempt=0, failure_time=AT),),
    )
    status = it._status()
    assert len(status.models) == MOST_MODELS
    assert status.models_not_reported == 300 - MOST_MODELS
    assert "m299" in {one.name for one in status.models}
    assert len(it.runners) == 300, "all are served"


async def test_an_unreadable_route_is_in_the_report(agent: Callable[[], Agent]) -> None:
    it = agent()
    give(it, raw())
    give(it, raw(**UNKNOWN[0]))
    assert it.runners["assist.intent"].model.route.spec.stable is not None
    assert "does not know" in it._status().models[0].message


def vetoed(uid: str) -> Memory:
    trial = NodeTrial(revision=B, attempt=0, state=CandidateState.FAILED)
    return Memory(uid=uid, trial=trial, vetoes=(Veto(revision=B, attempt=0, failure_time=AT),))


CANDIDATE: dict[str, Any] = {"candidate": {"revision": B, "attempt": 0}}


async def test_a_model_that_is_made_again_has_no_past(agent: Callable[[], Agent]) -> None:
    it = agent()
    give(it, raw(uid="one", **CANDIDATE))
    it.runners["assist.intent"].model.memory = vetoed("one")
    give(it, raw(uid="one", **CANDIDATE))
    assert it.runners["assist.intent"].model.memory.vetoed(Attempt(B))
    give(it, raw(uid="two", **CANDIDATE))
    memory = it.runners["assist.intent"].model.memory
    assert memory == Memory(uid="two")
    assert it._status().models[0].edge_model_uid == "two"


async def test_nor_when_it_was_made_again_while_the_device_was_cut_off(
    agent: Callable[[], Agent],
) -> None:
    before = agent()
    give(before, raw(uid="one", **CANDIDATE))
    before.runners["assist.intent"].model.memory = vetoed("one")
    await before._keep()
    same = agent()
    give(same, raw(uid="one", **CANDIDATE))
    assert same.runners["assist.intent"].model.memory.vetoed(Attempt(B))
    after = agent()
    give(after, raw(uid="two", **CANDIDATE))
    assert not after.runners["assist.intent"].model.memory.vetoed(Attempt(B))


async def test_a_route_that_only_another_version_reads_costs_no_veto(
    agent: Callable[[], Agent],
) -> None:
    before = agent()
    give(before, raw(**CANDIDATE))
    before.runners["assist.intent"].model.memory = vetoed("")
    await before._keep()
    other = agent()
    other.kept = other.kept.model_copy(update={"routes": {key(): raw(**CANDIDATE, **UNKNOWN[0])}})
    other._match_runners()
    assert not other.runners
    await other._keep()
    after = agent()
    give(after, raw(**CANDIDATE))
    assert after.runners["assist.intent"].model.memory.vetoed(Attempt(B))
    give(after)
    await after._keep()
    assert not agent().kept.memories, "what is gone is forgotten"


async def test_routes_of_another_version_alone_leave_the_gateway_as_it_is(
    agent: Callable[[], Agent],
) -> None:
    it = agent()
    it.kept = it.kept.model_copy(
        update={"hardware_class": "x86", "routes": {key(): raw(**UNKNOWN[0])}}
    )
    await it._reconcile()
    for _, task in it.mirrors.values():
        task.cancel()
    assert it.gateway.state is None


async def test_an_operator_that_begins_to_name_the_uid_changes_nothing(
    agent: Callable[[], Agent],
) -> None:
    it = agent()
    give(it, raw(**CANDIDATE))
    it.runners["assist.intent"].model.memory = vetoed("")
    give(it, raw(uid="one", **CANDIDATE))
    memory = it.runners["assist.intent"].model.memory
    assert (memory.uid, memory.vetoed(Attempt(B))) == ("one", True)


@pytest.mark.parametrize(("uid", "taken"), [("one", True), ("earlier", False)])
async def test_vetoes_of_the_own_report_outlive_a_lost_disk(
    agent: Callable[[], Agent], uid: str, *, taken: bool
) -> None:
    it = agent()
    give(it, raw(uid="one", **CANDIDATE))
    reported = NodeModel(
        namespace="assist",
        name="intent",
        edge_model_uid=uid,
        vetoes=(Veto(revision=B, attempt=0, failure_time=AT),),
    )
    it._take_reported({"status": {"models": [{"name": 5}, reported.to_wire()]}})
    assert it.runners["assist.intent"].model.memory.vetoed(Attempt(B)) is taken


async def test_a_fault_in_one_model_is_no_fault_of_the_others(
    agent: Callable[[], Agent], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = agent()
    give(it, raw("m1"), raw("m2"))

    def broken(*_: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(it.runners["assist.m1"], "tick", broken)
    backends = {name: it._tick(name, Reading(1.0), Pods([])) for name in it.runners}
    assert set(backends) == {"assist.m1", "assist.m2"}
    messages = {one.name: one.message for one in it._status().models}
    assert "a defect" in messages["m1"]
    assert "a defect" not in messages["m2"]


async def test_labels_of_what_is_gone_are_dropped(agent: Callable[[], Agent]) -> None:
    it = agent()
    give(it, raw("labels", **CANDIDATE))
    for revision in (A, B):
        metrics.count("assist.labels", revision, [])
    it.runners["assist.labels"].tick(Reading(1.0), {}, {})
    give(it, raw("labels"))
    it._forget()
    labels = [labels for labels in metrics.ANSWERS._metrics if labels[0] == "assist.labels"]
    assert {revision for _, revision, _ in labels} == {A}
    give(it)
    it._forget()
    for metric in (metrics.ANSWERS, metrics.VETOES, metrics.VERDICT, metrics.WINDOW):
        assert not [labels for labels in metric._metrics if labels[0] == "assist.labels"]
