"""What the nodes of a class have in common, how differences are reported, and what the selection makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.api import EdgeNode, HardwareClass
from skerry.api.common import ConditionStatus, Metadata
from skerry.api.config import EngineSettings
from skerry.api.edgemodel import Assessment
from skerry.api.edgenode import EdgeNodeSpec, EdgeNodeStatus
from skerry.api.facts import CPU_FEATURES, CpuFacts, DeviceFacts
from skerry.api.hardwareclass import HardwareClassSpec, HardwareClassStatus
from skerry.decide.conditions import condition_of
from skerry.decide.nodes.class_facts import findings, sum_up
from skerry.decide.nodes.device import device_of
from skerry.decide.nodes.fleet import NodeFacts, decide_fleet
from skerry.decide.nodes.select import rank_engines
from skerry.engines import installed_engines

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
VNNI = ("avx2", "avx512_vnni")
ASSESSMENT = Assessment(
    source_digest="sha256:" + "0" * 64, format="ONNX, opset 17", bytes=1, parameters=1
)


def spec(*features: str, **more: Any) -> HardwareClassSpec:
    return HardwareClassSpec(node_selector={"site": "a"}, features=features, **more)


def x86(*features: str, **more: Any) -> DeviceFacts:
    cpu = {"model": "AMD EPYC", "features": features, "logicalCores": 4, "l2": 1 << 20}
    return DeviceFacts.model_validate(
        {"architecture": "amd64", "memory": 8 << 30, "cpu": cpu} | more
    )


def gpu(name: str = "NVIDIA L4", count: int = 1) -> dict[str, Any]:
    return {"accelerators": [{"kind": "NvidiaGPU", "model": name, "count": count}]}


def on(source: str) -> dict[str, Any]:
    return {"power": {"source": source}}


CELLULAR = {"link": {"interface": "wwan0", "kind": "Cellular"}}


def test_facts_are_summed_up_over_the_nodes() -> None:
    other = CpuFacts(model="Intel N100", features=("avx2", "avx_vnni"), logical_cores=8, l3=6 << 20)
    facts = sum_up(
        {
            "a": x86(*VNNI, **gpu(count=2), **on("Mains")),
            "b": x86(*VNNI, **on("Battery"), **CELLULAR),
            "c": x86(**gpu("NVIDIA T4")).model_copy(update={"cpu": other, "memory": 4 << 30}),
            "d": DeviceFacts(),
        }
    )
    assert facts is not None
    assert facts.to_wire() == {
        "reported": 4,
        "architectures": [{"value": "amd64", "nodes": 3}],
        "cpus": [{"value": "AMD EPYC", "nodes": 2}, {"value": "Intel N100", "nodes": 1}],
        "features": ["avx2"],
        "partialFeatures": [
            {"value": "avx512_vnni", "nodes": 2},
            {"value": "avx_vnni", "nodes": 1},
        ],
        "logicalCores": {"least": 4, "most": 8},
        "memory": {"least": 4 << 30, "most": 8 << 30},
        "l2": {"least": 1 << 20, "most": 1 << 20},
        "l3": {"least": 6 << 20, "most": 6 << 20},
        "accelerators": [{"value": "NvidiaGPU", "nodes": 2}],
        "power": [{"value": "Battery", "nodes": 1}, {"value": "Mains", "nodes": 1}],
        "links": [{"value": "Cellular", "nodes": 1}],
    }


MANY = {f"n{number}": x86(*VNNI) for number in range(9)}


@pytest.mark.parametrize(
    ("facts", "holds", "words"),
    [
        ({}, None, "no agent has reported"),
        (MANY, True, "9 of 9 nodes have reported; they have the same architecture"),
        # Cores, memory and what feeds them do not matter to a build.
        (MANY | {"n0": x86(*VNNI, memory=1, **on("Battery"))}, True, "they have the same architecture"),
        (MANY | {"n0": DeviceFacts(memory=1)}, True, "they have the same architecture"),
        (MANY | {"n4": x86("avx2")}, False, "avx512_vnni is missing on n4 of 9"),
        (
            MANY | {f"n{n}": x86("avx2") for n in range(7)}, False,
            "avx512_vnni is on n7, n8 only, of 9",
        ),
        (
            MANY | {f"n{n}": x86("avx2") for n in range(4)}, False,
            "avx512_vnni is missing on n0, n1, n2 and 1 more of 9",
        ),
        (MANY | {"n2": x86(*VNNI, **gpu())}, False, "NvidiaGPU is on n2 only, of 9"),
        (MANY | {"n2": x86(*VNNI, architecture="arm64")}, False, "arm64 is on n2 only"),
    ],
)  # fmt: skip
def test_nodes_that_differ_in_what_matters_to_a_build_are_named(
    facts: dict[str, DeviceFacts], words: str, *, holds: bool | None
) -> None:
    uniform, _ = findings(spec(), 9, facts)
    assert (uniform.type, uniform.holds) == ("Uniform", holds)
    assert words in uniform.cause.message
    assert (holds is False) == ("a class of their own (spec.nodeSelector)" in uniform.cause.message)


@pytest.mark.parametrize(
    ("said", "holds", "words"),
    [
        (spec(), True, "they match spec.architecture and spec.features"),
        (spec("avx2"), True, "they match spec.architecture and spec.features"),
        (spec("site_b", "my.own"), True, "they match spec.architecture and spec.features"),
        (spec("avx512_vnni"), False, "spec.features names avx512_vnni, which is missing on n4"),
        (
            spec(architecture="arm64"),
            False,
            "spec.architecture is arm64, and n0, n1, n2 and 6 more",
        ),
    ],
)
def test_a_spec_that_its_nodes_do_not_meet_is_reported(
    said: HardwareClassSpec, words: str, *, holds: bool
) -> None:
    _, finding = findings(said, 9, MANY | {"n4": x86("avx2")})
    assert (finding.type, finding.holds) == ("AsSpecified", holds)
    assert words in finding.cause.message


FEATURES = st.sets(st.sampled_from(CPU_FEATURES), max_size=6)


@given(st.dictionaries(st.sampled_from("abcdefgh"), FEATURES, min_size=1))
def test_what_is_in_common_and_what_is_not_are_all_that_there_is(
    nodes: dict[str, set[str]],
) -> None:
    facts = {node: x86(*sorted(features)) for node, features in nodes.items()}
    summed, uniform = sum_up(facts), findings(spec(), len(nodes), facts)[0]
    assert summed is not None
    partial = {share.value for share in summed.partial_features}
    assert set(summed.features) == set.intersection(*nodes.values())
    assert set(summed.features) | partial == set.union(*nodes.values())
    assert uniform.holds is (not partial)
    assert findings(spec(), len(nodes), dict(reversed(facts.items())))[0] == uniform
    assert len(uniform.cause.message) <= 1024


def a_class(said: HardwareClassSpec, facts: dict[str, DeviceFacts]) -> HardwareClass:
    """Return a class whose nodes have reported."""
    status = HardwareClassStatus(nodes=len(facts), facts=sum_up(facts))
    return HardwareClass(metadata=Metadata(name="site-a", generation=1), spec=said, status=status)


TWO = {"a": x86(*VNNI, **gpu()), "b": x86("avx2", **gpu())}


@pytest.mark.parametrize(
    ("said", "facts", "features", "found"),
    [
        (spec(), {}, (), ()),
        (spec(), TWO, ("nvidia", "avx2"), ("nvidia", "avx2")),
        (spec(), TWO | {"c": x86("avx2")}, ("avx2",), ("avx2",)),
        (spec("avx512_vnni"), TWO, ("avx512_vnni", "nvidia"), ("nvidia",)),
        (spec("npu"), TWO, ("npu", "avx2"), ("avx2",)),
        (spec("nvidia_l4", "avx2"), TWO, ("nvidia_l4", "avx2"), ()),
    ],
)
def test_the_spec_wins_where_it_says_something(
    said: HardwareClassSpec, facts: dict[str, DeviceFacts], features: tuple[str, ...],
    found: tuple[str, ...],
) -> None:  # fmt: skip
    device = device_of(a_class(said, facts))
    assert (device.features, device.found) == (features, found)


def ranked(said: HardwareClassSpec, facts: dict[str, DeviceFacts]) -> list[tuple[str, str]]:
    """Return engines and reasons."""
    image = "registry.example/image@sha256:" + "0" * 64
    settings = EngineSettings(
        version="1", recipe_set="a/1", optimizer_image=image, runtime_image=image
    )
    engines = {"ONNXRuntime": settings, "OpenVINO": settings}
    ranks = rank_engines(ASSESSMENT, device_of(a_class(said, facts)), engines, installed_engines())
    return [(rank.engine, rank.reason) for rank in ranks]


def test_the_ranking_goes_by_what_was_found_and_says_so() -> None:
    assert ranked(spec(), TWO)[0][0] == "Olive"
    plain = ranked(spec(), {"a": x86(*VNNI), "b": x86(*VNNI)})
    assert plain[0][0] == "OpenVINO"
    assert plain[0][1].endswith("found on all 2 nodes that reported: avx512_vnni")
    assert ranked(spec(), {"a": x86("avx2")})[0][1].endswith("its node: no instructions for int8")
    assert "found" not in ranked(spec("avx512_vnni"), {"a": x86(*VNNI)})[0][1]
    assert "found" not in ranked(spec(), {})[0][1]


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        (
            {},
            [
                "battery: 1 of 2 nodes run on it now",
                "metered link: 1 of 2 nodes use a cellular one",
            ],
        ),
        ({"power": "Mains", "link": "Unmetered"}, []),
        (
            {"power": "Battery", "link": "Metered"},
            ["battery (spec.constraints.power of site-a)", "metered link (spec.constraints.link"],
        ),
    ],
)
def test_power_and_link_are_constraints_with_their_reason(
    constraints: dict[str, str], words: list[str]
) -> None:
    facts = {"a": x86(**on("Battery")), "b": x86(**on("Mains"), **CELLULAR)}
    said = device_of(a_class(spec(constraints=constraints), facts)).constraints
    assert [one.startswith(word) for one, word in zip(said, words, strict=True)] == [True] * len(
        said
    )


def test_the_status_of_a_class_is_of_its_own_nodes() -> None:
    def report(name: str, facts: DeviceFacts | None) -> EdgeNode:
        return EdgeNode(
            metadata=Metadata(name=name), spec=EdgeNodeSpec(hardware_class_name="site-a"),
            status=EdgeNodeStatus(facts=facts),
        )  # fmt: skip

    nodes = [NodeFacts(name, name, {"site": "a"}, "site-a", 0) for name in ("a", "b", "c")]
    reports = [report("a", x86(*VNNI)), report("b", x86("avx2")), report("c", None)]
    gone = report("left", x86("amx_int8"))
    decision = decide_fleet(nodes, [a_class(spec(), {})], [*reports, gone], {}, NOW)
    status = decision.statuses["site-a"]
    assert status.facts is not None
    assert (status.nodes, status.facts.reported, status.facts.features) == (3, 2, ("avx2",))
    uniform = condition_of(status.conditions, "Uniform")
    assert uniform is not None
    assert uniform.status is ConditionStatus.FALSE
