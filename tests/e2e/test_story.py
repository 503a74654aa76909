"""One model through its life on real kubelets: rolled out, updated, and rolled back where it is worse.

The tests of this module tell one story, in their order.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from skerry.api import HardwareClass
from skerry.decide.conditions import condition_of
from skerry_agent.facts.find import find_facts
from skerry_agent.facts.places import HOST_NET, HOST_SYS, Places
from tests.e2e.conftest import CLASSES
from tests.e2e.faulty import OUT_OF_RANGE
from tests.e2e.world import World, condition, is_ready, lost_by_switching, tiny_model, wait_for
from tests.lab.client.environment import run
from tests.lab.client.traffic import Traffic, infer_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "story"
ROLLOUT_SECONDS = 420.0


def trigger(dataset: Path) -> dict[str, Any]:
    """Return a request that only the faulty model fails on."""
    request = infer_request(dataset)
    request["inputs"][0]["data"] = [OUT_OF_RANGE] * len(request["inputs"][0]["data"])
    return request


@pytest.fixture(scope="module")
def traffic(world: World, tiny: Path, namespace: str) -> Iterator[Traffic]:
    """Yield steady load; x86-a now and then sends what the faulty model fails on, x86-b never does."""
    dataset = tiny / "dataset" / "dataset.npz"
    plain = tuple(infer_request(dataset, sample) for sample in range(3))
    with Traffic(world.environment) as followed:
        for hardware_class, requests in zip(
            CLASSES, ((*plain, trigger(dataset)), plain), strict=True
        ):
            followed.start(world.load((namespace, NAME), hardware_class, requests))
        yield followed


def test_the_first_revision_serves_on_every_node(world: World, namespace: str) -> None:
    world.environment.apply(tiny_model(world.registry, namespace, NAME, list(CLASSES)))
    model = world.until_ready((namespace, NAME), ROLLOUT_SECONDS)
    for name in ("Accepted", "Optimized", "Certified", "RolledOut", "Available"):
        assert condition(model, name) == "True"
    assert model.status.phase == "Serving"
    assert {t.rollout.nodes.updated for t in model.status.targets} == {2}


def test_every_device_says_what_it_is(world: World) -> None:
    """Seen from a pod, as from the machine that all devices of the lab share; its link too."""
    places = Places.of_environment({HOST_NET: "/proc/net", HOST_SYS: "/sys"})
    assert {node.status.facts for node in world.nodes().values()} == {find_facts(places)}
    for item in world.environment.get("hardwareclasses")["items"]:
        hardware = HardwareClass.model_validate(item)
        if hardware.metadata.name in CLASSES:
            uniform = condition_of(hardware.status.conditions, "Uniform")
            assert uniform is not None
            assert uniform.status == "True"


def test_the_build_is_measured_gated_and_packed_once_for_both_classes(
    world: World, namespace: str
) -> None:
    """All nodes of the lab share one processor, so the second class takes the evidence of the first."""
    variants = world.environment.get("-n", namespace, "modelvariants")["items"]
    assert len(variants) == len(CLASSES)
    measured = [v for v in variants if not v["status"].get("reused")]
    (shared,) = (v for v in variants if v["status"].get("reused"))
    (certified,) = (c for c in shared["status"]["conditions"] if c["type"] == "Certified")
    (first,) = measured
    assert (
        f"class {first['spec']['hardwareClassName']}, whose nodes have the same"
        in certified["message"]
    )
    assert shared["status"]["artifact"] == first["status"]["artifact"]
    for variant in measured:
        status = variant["status"]
        assert [s["name"] for s in status["stages"]] == [
            "BaselineMeasurement",
            "FormatConversion",
            "Quantization",
            "HardwareAcceleration",
            "Validation",
        ]
        assert all(
            s["outcome"] == "Succeeded" and s["startTime"] <= s["completionTime"]
            for s in status["stages"]
        )
        assert len(status["recipeResults"]) >= 2
        assert "@sha256:" in status["artifact"]["image"]
        assert all(gate["outcome"] == "Pass" for gate in status["gates"] if gate["required"])


def test_every_way_reaches_the_callers_own_node(
    world: World, lab: Lab, namespace: str, tiny: Path
) -> None:
    address = world.model(namespace, NAME).status.address
    assert address is not None
    assert address.url == f"http://{NAME}.{namespace}.svc"
    body = json.dumps(infer_request(tiny / "dataset" / "dataset.npz"))
    infer = f"/v2/models/{NAME}/infer"
    for node in lab.nodes:
        on_the_node = lab.in_node(node.name, *curl(f"{address.cluster_ip_url}{infer}", body))
        from_outside = run(*curl(f"{address.node_port_url}{infer}".replace("NODE", node.ip), body))
        for answer in (on_the_node, from_outside):
            assert " 200 " in answer.splitlines()[0], answer
            assert f"x-skerry-node: {node.name}" in answer.lower(), answer


def curl(url: str, body: str) -> list[str]:
    """Return a request that prints the answer with its headers."""
    return ["curl", "-sS", "-m", "5", "-D-", url, "-d", body]


def test_a_second_good_revision_is_promoted_and_loses_no_request(
    world: World, namespace: str, traffic: Traffic
) -> None:
    before = {c: world.route(namespace, NAME, c).spec.stable for c in CLASSES}
    wanted = world.patch(
        namespace, NAME, {"source": {"uri": f"oci://{world.registry}/models/tiny:2"}}
    )
    world.until("promotion", (namespace, NAME), lambda m: is_ready(m, wanted), ROLLOUT_SECONDS)
    traffic.catch_up()
    assert lost_by_switching(traffic) == {}
    for hardware_class in CLASSES:
        spec = world.route(namespace, NAME, hardware_class).spec
        assert spec.stable != before[hardware_class]
        assert spec.previous is not None, "the revision before stays warm"
        assert spec.previous.revision == before[hardware_class].revision  # type: ignore[union-attr]


def test_a_revision_that_fails_in_the_field_is_rolled_back_on_its_class_alone(
    world: World, namespace: str, traffic: Traffic
) -> None:
    good = {c: world.route(namespace, NAME, c).spec.stable for c in CLASSES}
    wanted = world.patch(
        namespace, NAME, {"source": {"uri": f"oci://{world.registry}/models/tiny:faulty"}}
    )

    def ended(model: Any) -> bool:
        phases = {t.hardware_class_name: t.phase for t in model.status.targets}
        seen = model.status.observed_generation >= wanted
        return seen and phases == {"x86-a": "RolledBack", "x86-b": "Serving"}

    model = world.until(
        "rollback on x86-a, promotion on x86-b", (namespace, NAME), ended, ROLLOUT_SECONDS
    )
    assert condition(model, "Ready").startswith("False")
    assert condition(model, "Available") == "True"
    assert [r.hardware_class_name for r in model.status.rejected] == ["x86-a"]
    assert world.route(namespace, NAME, "x86-a").spec.stable == good["x86-a"]
    assert world.route(namespace, NAME, "x86-b").spec.stable != good["x86-b"]
    assert model.status.rejected[0].rule == "Errors"
    traffic.catch_up()
    assert lost_by_switching(traffic) == {}, "what failed on it was answered by stable"


def test_the_rejected_revision_is_not_tried_again_and_the_spec_is_the_users(
    world: World, namespace: str
) -> None:
    rejected = world.model(namespace, NAME).status.rejected[0].revision
    world.environment.kubectl("-n", namespace, "annotate", "edgemodel", NAME, "touched=yes")
    world.environment.kubectl(
        "-n", "skerry-system", "rollout", "restart", "deployment/skerry-operator"
    )
    world.environment.kubectl(
        "-n", "skerry-system", "rollout", "status", "deployment/skerry-operator", "--timeout=120s"
    )
    route = world.route(namespace, NAME, "x86-a")
    assert route.spec.candidate is None
    assert route.spec.stable is not None
    assert route.spec.stable.revision != rejected
    written = world.environment.get("-n", namespace, "edgemodel", NAME, "--show-managed-fields")
    operators = [
        f for f in written["metadata"]["managedFields"] if f["manager"].startswith("skerry")
    ]
    assert operators
    assert all("f:spec" not in entry["fieldsV1"] for entry in operators)


def test_going_back_to_the_good_source_is_ready_again(world: World, namespace: str) -> None:
    wanted = world.patch(
        namespace, NAME, {"source": {"uri": f"oci://{world.registry}/models/tiny:2"}}
    )
    world.until("ready again", (namespace, NAME), lambda m: is_ready(m, wanted), ROLLOUT_SECONDS)


def test_deleting_the_model_takes_everything_of_it_away(world: World, namespace: str) -> None:
    world.environment.kubectl("-n", namespace, "delete", "edgemodel", NAME, "--timeout=60s")

    def left() -> list[str]:
        kinds = "daemonsets,jobs,modelvariants,modelroutes,services"
        items = world.environment.get("-n", namespace, kinds)["items"]
        return [
            i["metadata"]["name"] for i in items if not i["metadata"]["name"].startswith("load")
        ]

    wait_for("children gone", left, lambda names: not names, 90)
