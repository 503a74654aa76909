"""One object that can't be read: its status, and that the rest of it and all others count."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.api import EdgeNodeSpec
from skerry.api.edgenode import CandidateState
from skerry.api.modelroute import RouteGuard
from skerry.api.placement import ANNOTATION_PLACEMENT, Placement
from skerry.controllers import partly, views
from skerry.controllers.absence import by_revisions
from skerry.controllers.cache import Store
from skerry.controllers.fleet_loop import class_of_route
from skerry.controllers.reading import read
from skerry.render.daemonsets import with_placement
from skerry.render.parts import Owner
from tests.cluster.manifests import HARDWARE_CLASS, MINIMAL, NODE, ROUTE, VARIANT, changed, waves

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.manifests import Manifest

NO_TIME = "2026-01-01T00:00:00+99:99"
BASE = {"uid": "u", "resourceVersion": "5", "generation": 2}
PLACED = partly.Placed("x86", "0123456789", Placement.only(frozenset({3})))


def of(base: Manifest, **changes: Any) -> Manifest:
    """Return a stored object; `__` separates the parts of a path."""
    stored = copy.deepcopy(base)
    stored["metadata"] |= BASE
    return changed(stored, {name.replace("__", "."): value for name, value in changes.items()})


def node(at: str) -> Manifest:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": at}
    metadata = {"name": "edge-1", **BASE}
    return {"metadata": metadata, "status": {"conditions": [ready]}}


def daemonset(**labels: str) -> Manifest:
    """Return a DaemonSet of a revision; others can change only its own labels."""
    selected = {
        "skerry.dev/model": "tiny",
        "skerry.dev/hardware-class": "x86",
        "skerry.dev/revision": "0123456789",
    }
    annotations = {ANNOTATION_PLACEMENT: '{"kind":"In","shards":[3]}'}
    return {
        "metadata": {
            "name": "tiny-0123456789", "namespace": "t", "labels": labels,
            "annotations": annotations, **BASE,
        },
        "spec": {
            "selector": {"matchLabels": selected},
            "template": {"metadata": {"labels": selected}, "spec": {}},
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parse", "item", "field", "cause"),
    [
        (partly.edge_model_of, of(MINIMAL, spec__source__uri="https://h/a\u00a0b.onnx"),
         "spec.source.uri", "is not a URI"),
        (partly.edge_model_of, of(MINIMAL, spec__rollout__waves=waves(50, 20, 100)),
         "spec.rollout.waves", "waves must grow"),
        (partly.edge_model_of, of(MINIMAL, spec__evaluation__metric="newer"),
         "spec.evaluation.metric", "'newer' is not one of the values that exist"),
        (partly.edge_model_of, of(MINIMAL, spec__targets=[{"hardwareClassName": "a"}, {"hardwareClassName": "a"}]),
         "spec.targets", "Duplicate value: hardwareClassName: a"),
        (partly.hardware_class_of, of(HARDWARE_CLASS, spec__features=["AVX 512"]),
         "spec.features[0]", "is not a feature"),
        (partly.model_route_of, of(ROUTE, spec__stable={"revision": "no"}),
         "spec.stable.revision", "is not a revision"),
        (partly.model_variant_of, of(VARIANT, spec__evaluation__metric="newer"),
         "spec.evaluation.metric", "'newer' is not one of the values that exist"),
        (partly.daemonset_of, {"metadata": {"name": "x", **BASE}, "spec": {"selector": {"matchLabels": {}}}},
         "skerry.dev/hardware-class", "is missing"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_named(
    parse: Callable[[Manifest], object], item: Manifest, field: str, cause: str
) -> None:
    value, unreadable = read("Kind", item, parse)
    assert value is None
    assert unreadable is not None
    assert unreadable.fault.field == field
    assert cause in unreadable.fault.cause
    assert f"Kind {item['metadata']['name']} can't be read: {field}: " in str(unreadable)


def report(**changes: Any) -> Manifest:
    """Return an agent's report about one EdgeModel."""
    candidate = {"revision": "0123456789", "attempt": 0, "state": "Failed"}
    good = {"namespace": "t", "name": "tiny", "serving": "9876543210", "candidate": candidate}
    return {**good, **changes}


@pytest.mark.parametrize(
    ("bad", "kept"),
    [
        ({"vetoes": [{"revision": "0123456789", "attempt": 0, "failureTime": NO_TIME}]}, True),
        ({"candidate": {"revision": "0123456789", "attempt": 0, "state": "OfTomorrow"}}, True),
        ({"healthy": "perhaps"}, True),
        ({"name": "No Name"}, False),
    ],
)
def test_of_a_report_only_the_bad_field_is_left_out(bad: Manifest, kept: bool) -> None:  # noqa: FBT001
    other = report(name="other")
    status = {
        "models": [report(**bad), other, report(**bad, namespace="u")],
        "facts": {"memory": 1},
    }
    edge_node, unreadable = read("EdgeNode", of(NODE, status=status), partly.edge_node_of)
    assert edge_node is not None
    assert unreadable is not None
    assert unreadable.partly
    assert unreadable.fault.field.startswith("status.models[0].")
    assert "--subresource=status" in unreadable.cure
    models = {(model.namespace, model.name): model for model in edge_node.status.models}
    assert models.keys() == {("t", "other")} | ({("t", "tiny"), ("u", "tiny")} if kept else set())
    assert all(model.serving == "9876543210" for model in models.values())
    candidate = models["t", "other"].candidate
    assert candidate is not None
    assert candidate.state is CandidateState.FAILED
    assert edge_node.status.facts is not None


def test_facts_that_can_not_be_read_cost_no_report() -> None:
    power = {"power": {"source": "Fusion"}}
    item = of(NODE, status={"models": [report()], "facts": power})
    edge_node, unreadable = read("EdgeNode", item, partly.edge_node_of)
    assert edge_node is not None
    assert unreadable is not None
    assert (edge_node.status.facts, len(edge_node.status.models)) == (None, 1)


@pytest.mark.parametrize(("field", "bad"), [("shard", 64), ("labels", {"site": "no value"})])
def test_what_the_fleet_loop_writes_of_an_edge_node_costs_no_report(field: str, bad: Any) -> None:
    item = of(NODE, status={"models": [report()]}, **{f"spec__{field}": bad})
    edge_node, unreadable = read("EdgeNode", item, partly.edge_node_of)
    assert unreadable is not None
    assert edge_node is not None
    assert len(edge_node.status.models) == 1
    assert edge_node.spec == EdgeNodeSpec(hardware_class_name=edge_node.spec.hardware_class_name)


def test_the_guards_rules_of_a_route_are_made_again() -> None:
    item = of(ROUTE, spec__guard={"rules": [{"metric": "ofTomorrow"}]})
    route, unreadable = read("ModelRoute", item, partly.model_route_of)
    assert route is not None
    assert route.spec.stable is not None
    assert route.spec.guard == RouteGuard()
    assert unreadable is not None


def test_of_a_status_what_is_found_again_is_left_out_and_nothing_else() -> None:
    at = "2026-01-01T00:00:00Z"
    ended = {"hardwareClassName": "x86", "revision": "0123456789"}
    failed = {**ended, "attempt": 1, "rule": "Golden", "rollbackTime": at}
    status = {
        "phase": "OfTomorrow",
        "awaitedSlot": "OfTomorrow",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": NO_TIME}],
        "history": [
            {**ended, "outcome": outcome, "completionTime": at}
            for outcome in ("OfTomorrow", "Promoted")
        ],
        "rejected": [failed],
        "targets": [{"hardwareClassName": "x86", "phase": "OfTomorrow", "rollout": {"attempt": 3}}],
    }
    model, unreadable = read("EdgeModel", of(MINIMAL, status=status), partly.edge_model_of)
    assert model is not None
    assert unreadable is not None
    assert model.status.awaited_slot is None
    assert [entry.outcome for entry in model.status.history] == ["Promoted"]
    assert (model.status.targets[0].rollout.attempt, len(model.status.rejected)) == (3, 1)
    status["rejected"] = [{**failed, "rollbackTime": NO_TIME}]
    held, unreadable = read("EdgeModel", of(MINIMAL, status=status), partly.edge_model_of)
    assert held is None, "a rejected revision would be tried again"
    assert unreadable is not None
    assert "--subresource=status" in unreadable.cure


@pytest.mark.parametrize(
    "at",
    [
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "9999-12-31T00:00:00Z",
        "1969-01-01T00:00:00Z",
        NO_TIME,
    ],
)
def test_a_node_whose_clock_is_broken_is_still_a_node(at: str) -> None:
    seen, unreadable = read("Node", node(at), views.fleet_node)
    assert seen is not None
    assert (seen.ready, seen.ready_since) == (True, None)
    assert unreadable is not None
    assert repr(at) in unreadable.fault.cause


def test_a_pod_of_a_job_whose_clock_is_broken_still_hands_its_result_back() -> None:
    ended = {"exitCode": 0, "message": "result", "startedAt": "0000-01-01T00:00:00Z"}
    status = {"containerStatuses": [{"name": "main", "state": {"terminated": ended}}]}
    created = {"name": "job-1", "creationTimestamp": "2026-01-01T00:00:00Z", **BASE}
    item = {"metadata": created, "spec": {"containers": [{"name": "main"}]}, "status": status}
    pod, unreadable = read("Pod", item, views.pod_view)
    assert pod is not None
    assert (pod.containers[0].message, pod.containers[0].started_at) == ("result", None)
    assert unreadable is not None


def test_a_daemonset_is_identified_by_its_selector_and_gets_its_labels_back() -> None:
    placed, unreadable = read("DaemonSet", daemonset(), partly.daemonset_of)
    assert unreadable is None
    assert placed == PLACED
    rendered = with_placement(Owner("tiny", "t", "u"), daemonset(team="a"), Placement())
    selected = daemonset()["spec"]["selector"]["matchLabels"]
    assert rendered["metadata"]["labels"] == {"team": "a", **selected}


@pytest.mark.parametrize(
    "carried", [None, "x", "[]", '{"kind":"Some"}', '{"kind":"All","shards":[1]}']
)
def test_a_daemonset_whose_placement_can_t_be_read_may_be_anywhere(carried: str | None) -> None:
    item = daemonset()
    item["metadata"]["annotations"] = {} if carried is None else {ANNOTATION_PLACEMENT: carried}
    placed, unreadable = read("DaemonSet", item, partly.daemonset_of)
    assert placed == partly.Placed("x86", "0123456789", Placement())
    assert unreadable is not None
    assert unreadable.fault.field == "metadata.annotations[skerry.dev/placement]"
    assert "can't be read" in unreadable.fault.cause


def test_wave_and_placements_of_a_route_are_found_again() -> None:
    good = {"revision": "0123456789", "kind": "In", "shards": [1]}
    bad = [{**good, "revision": "9876543210", "shards": [64]}, {"revision": "0123"}]
    item = of(ROUTE, spec__placements=[good, *bad], spec__wave={"index": 99, "openTime": NO_TIME})
    route, unreadable = read("ModelRoute", item, partly.model_route_of)
    assert route is not None
    assert unreadable is not None
    assert route.spec.wave is None
    assert [entry.revision for entry in route.spec.placements] == ["0123456789"]


def test_a_cache_forgets_what_can_not_be_read_any_more_but_nothing_newer() -> None:
    store: Store[str] = Store()
    store.put(("t", "tiny"), 5, "known")
    assert store.leave_out(("t", "tiny"), 4) == "known"
    assert store.values() == ["known"]
    assert store.leave_out(("t", "tiny"), 6) == "known"
    assert store.values() == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip
SAMPLES: list[tuple[Callable[[Manifest], object], Manifest]] = [
    (partly.edge_model_of, of(MINIMAL)),
    (partly.hardware_class_of, of(HARDWARE_CLASS)),
    (partly.edge_node_of, of(NODE, status={"models": [report(), report(name="other")]})),
    (partly.model_route_of, of(ROUTE)),
    (partly.model_variant_of, of(VARIANT)),
    (partly.daemonset_of, daemonset()),
    (views.fleet_node, node("2026-01-01T00:00:00Z")),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values in an object except its name."""
    items = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    below = [inner for key, part in items for inner in places(part, (*path, key))]
    return [path, *below] if path and path[0] != "metadata" else below


@given(st.data(), st.sampled_from(SAMPLES))
def test_nothing_in_an_object_ends_the_reading(
    data: st.DataObject, sample: tuple[Callable[[Manifest], object], Manifest]
) -> None:
    parse, item = sample
    broken: Any = copy.deepcopy(item)
    *parents, last = data.draw(st.sampled_from(places(item)))
    place = broken
    for part in parents:
        place = place[part]
    place[last] = data.draw(JSON)
    value, unreadable = read("Kind", broken, parse)
    assert value is not None or unreadable is not None
    assert str(unreadable)


def test_a_daemonset_without_any_label_is_found_by_what_it_runs() -> None:
    bare, foreign = daemonset(), daemonset()
    del bare["metadata"]["labels"]
    foreign["spec"]["selector"]["matchLabels"] = {"app": "other"}
    assert by_revisions([bare, foreign]) == {"0123456789": bare}


@pytest.mark.parametrize("spec", [None, {}, {"hardwareClassName": 5}, {"hardwareClassName": "x86"}])
def test_a_route_that_can_t_be_read_stops_no_look_at_the_fleet(spec: object) -> None:
    named = isinstance(spec, dict) and spec.get("hardwareClassName") == "x86"
    assert class_of_route({"spec": spec}) == ("x86" if named else None)
