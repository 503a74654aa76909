"""Classes that claim the same node, how that is reported, and the classes that a fleet starts with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.api import HardwareClass
from skerry.api.common import Metadata
from skerry.api.hardwareclass import HardwareClassSpec
from skerry.api.reasons import Cause, ClassReason, WriteRefusal
from skerry.decide.nodes.default_classes import default_classes
from skerry.decide.nodes.fleet import (
    FleetDecision,
    NodeFacts,
    choose_class,
    decide_fleet,
)
from skerry.decide.refused import Concern, Refused

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LINUX = {"kubernetes.io/os": "linux"}
AMD64, ARM64 = LINUX | {"kubernetes.io/arch": "amd64"}, LINUX | {"kubernetes.io/arch": "arm64"}
CPU = "feature.node.kubernetes.io/cpu-cpuid."
GPU = {"nvidia.com/gpu.present": "true"}


def a_class(name: str, priority: int = 0, labels: dict[str, str] | None = None) -> HardwareClass:
    spec = HardwareClassSpec(node_selector=labels or {"site": "a"}, priority=priority)
    return HardwareClass(metadata=Metadata(name=name, generation=1), spec=spec)


def a_node(present: str | None = None, **labels: str) -> NodeFacts:
    return NodeFacts("n1", "uid", labels or {"site": "a"}, present, 0 if present else None)


def decided(node: NodeFacts, *classes: HardwareClass) -> FleetDecision:
    return decide_fleet([node], classes, [], {}, NOW)


def after(decision: FleetDecision, *classes: HardwareClass) -> list[HardwareClass]:
    """Return the classes with the statuses that the decision writes."""
    return [c.model_copy(update={"status": decision.statuses[c.metadata.name]}) for c in classes]


def said(decision: FleetDecision, name: str) -> dict[str, tuple[str, str]]:
    """Return status and reason of a class's conditions about overlaps."""
    conditions = decision.statuses[name].conditions
    of_overlaps = [c for c in conditions if c.type in {"Distinct", "Stalled"}]
    return {c.type: (c.status.value, c.reason) for c in of_overlaps}


@pytest.mark.parametrize("present", [None, "low", "high"])
def test_the_higher_priority_wins_whatever_the_node_has(present: str | None) -> None:
    classes = [a_class("low", 1), a_class("high", 2)]
    assert choose_class(a_node(present), classes) == "high"


def test_an_overlap_is_reported_on_both_classes_with_what_to_do() -> None:
    decision = decided(a_node("b"), a_class("a"), a_class("b"), a_class("c", labels={"site": "c"}))
    for name in ("a", "b"):
        assert said(decision, name) == {
            "Distinct": ("False", ClassReason.OVERLAP),
            "Stalled": ("True", ClassReason.OVERLAP),
        }
        message = decision.statuses[name].conditions[0].message
        assert "1 nodes (n1)" in message
        assert "keeps its current class: give one class a higher spec.priority" in message
    assert said(decision, "c") == {"Distinct": ("True", "Distinct")}
    assert [decision.statuses[name].nodes for name in ("a", "b", "c")] == [0, 1, 0]
    assert set(decision.events) == {"a", "b"}


GUARDED = Refused(
    "Node",
    "n1",
    Concern.ROLLOUT,
    "a",
    Cause(WriteRefusal.ADMISSION_DENIED, "cannot label Node n1: no; ask the policy", stalls=True),
)


def test_a_node_that_cannot_be_labeled_is_named_by_its_class_once() -> None:
    classes = [a_class("a"), a_class("b", labels={"site": "b"})]
    first = decide_fleet([a_node()], classes, [], {}, NOW, refused=(GUARDED,))
    assert said(first, "a")["Stalled"] == ("True", "AdmissionDenied")
    assert "Stalled" not in said(first, "b")
    stalled = next(c for c in first.statuses["a"].conditions if c.type == "Stalled")
    assert "1 nodes (n1): cannot label Node n1: no" in stalled.message
    assert set(first.events) == {"a"}
    known = after(first, *classes)
    again = decide_fleet([a_node()], known, [], {}, NOW, refused=(GUARDED,))
    assert not again.events
    assert "Stalled" not in said(decide_fleet([a_node()], known, [], {}, NOW), "a")


def test_an_overlap_is_reported_once_though_a_write_is_refused_too() -> None:
    found = decide_fleet(
        [a_node("a")], [a_class("a"), a_class("b")], [], {}, NOW, refused=(GUARDED,)
    )
    types = [c.type for c in found.statuses["a"].conditions]
    assert types.count("Stalled") == 1
    assert said(found, "a")["Stalled"] == ("True", ClassReason.OVERLAP)


def test_what_passes_by_itself_does_not_stall_a_class() -> None:
    passing = replace(GUARDED, cause=Cause(WriteRefusal.WEBHOOK_UNAVAILABLE, "no answer"))
    found = decide_fleet([a_node()], [a_class("a")], [], {}, NOW, refused=(passing,))
    assert "Stalled" not in said(found, "a")


def test_the_event_of_an_overlap_is_reported_once_and_its_end_clears_it() -> None:
    node, classes = a_node("b"), [a_class("a"), a_class("b")]
    first = decided(node, *classes)
    again = decide_fleet([node], after(first, *classes), [], {}, NOW + timedelta(minutes=1))
    assert (len(first.events), len(again.events)) == (2, 0)
    assert again.statuses == first.statuses
    raised = [after(again, *classes)[0], a_class("b", 1)]
    apart = decide_fleet([node], raised, [], {}, NOW)
    assert said(apart, "a") == said(apart, "b") == {"Distinct": ("True", "Distinct")}


def test_priorities_apart_are_no_overlap() -> None:
    decision = decided(a_node("b"), a_class("a", 1), a_class("b"))
    assert decision.events == {}
    assert [n.hardware_class for n in decision.labels] == ["a"]


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (AMD64, "x86-64"),
        (ARM64, "arm64"),
        (LINUX | {"kubernetes.io/arch": "arm"}, "arm"),
        ({"kubernetes.io/os": "darwin", "kubernetes.io/arch": "arm64"}, "apple-silicon"),
        (AMD64 | {f"{CPU}AVXVNNI": "true"}, "x86-64-avx-vnni"),
        (AMD64 | {f"{CPU}AVX512VNNI": "true"}, "x86-64-avx512-vnni"),
        (AMD64 | {f"{CPU}AVX512VNNI": "true", f"{CPU}AVXVNNI": "true"}, "x86-64-avx512-vnni"),
        (ARM64 | {f"{CPU}ASIMDDP": "true"}, "arm64-dot-product"),
        (AMD64 | GPU | {f"{CPU}AVX512VNNI": "true"}, "nvidia-x86-64"),
        (ARM64 | GPU, "nvidia-arm64"),
        ({"kubernetes.io/os": "windows", "kubernetes.io/arch": "amd64"}, None),
    ],
)
def test_default_classes_tell_nodes_by_their_usual_labels(
    labels: dict[str, str], name: str | None
) -> None:
    assert choose_class(a_node(**labels), default_classes()) == name


OPTIONAL = [f"{CPU}AVXVNNI", f"{CPU}AVX512VNNI", f"{CPU}ASIMDDP", "nvidia.com/gpu.present"]


@given(
    arch=st.sampled_from(["amd64", "arm64", "arm"]),
    system=st.sampled_from(["linux", "darwin"]),
    more=st.sets(st.sampled_from(OPTIONAL)),
)
def test_default_classes_never_overlap_and_give_way_to_ones_own(
    arch: str, system: str, more: set[str]
) -> None:
    labels = {"kubernetes.io/os": system, "kubernetes.io/arch": arch} | dict.fromkeys(more, "true")
    node = a_node(**labels)
    assert not decided(node, *default_classes()).events
    own = a_class("own", labels={"kubernetes.io/arch": arch})
    assert choose_class(node, [*default_classes(), own]) == "own"
