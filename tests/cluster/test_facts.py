"""What devices report of themselves, on a real API server: summed up by class, and taken by the selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skerry.api import HardwareClass
from skerry.api.facts import CpuFacts, DeviceFacts, Link, LinkKind, Power, PowerSource
from skerry.cluster import kinds
from skerry.decide.conditions import condition_of
from tests.cluster.world import World, manifest, running_world
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.conftest import Kubectl
    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

NAME, CLASS = "reported", "facts-a"
NODES = ("facts-a1", "facts-a2", "facts-a3")
SECONDS = 60.0

VNNI = ("avx2", "avx512_vnni")
FACTS = DeviceFacts(
    architecture="amd64",
    cpu=CpuFacts(vendor="AMD", model="AMD EPYC", features=VNNI, physical_cores=2, logical_cores=4),
    memory=8 << 30,
    power=Power(source=PowerSource.MAINS),
    link=Link(interface="eth0", kind=LinkKind.WIRED, megabits=1000),
)


@pytest.fixture(scope="module")
def world(
    control_plane: Lab, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Yield one class of three devices that are alike, and an operator."""
    folder = tmp_path_factory.mktemp("operator")
    with running_world(control_plane, kubectl, folder, classes={CLASS: NODES}) as world:
        for node in NODES:
            tell(world, node, FACTS)
        yield world


def tell(world: World, node: str, facts: DeviceFacts) -> None:
    """Have the node's agent report this from now on."""
    world.devices.found[node] = {"facts": facts.to_wire()}


def until(world: World, what: str, reached: Callable[[HardwareClass], object]) -> HardwareClass:
    """Wait until the class says so."""
    return wait_for(
        what,
        lambda: HardwareClass.model_validate(world.api.get(kinds.HARDWARE_CLASS, None, CLASS)),
        reached,
        SECONDS,
    )


def all_reported(hardware: HardwareClass) -> bool:
    facts = hardware.status.facts
    return facts is not None and facts.reported == len(NODES)


def test_a_class_says_what_its_nodes_have_in_common_and_which_differ(world: World) -> None:
    facts = until(world, "facts of all nodes", all_reported).status.facts
    assert facts is not None
    assert (facts.features, facts.partial_features) == (VNNI, ())
    wide = world.kubectl("get", "en", NODES[0], "--output=wide").split("\n")[1]
    assert "AMD EPYC" in wide
    assert "Mains" in wide
    assert "True" in world.kubectl("get", "hwc", CLASS)

    old = CpuFacts(vendor="Intel", model="i7-8650U", features=("avx2",), logical_cores=8)
    tell(world, NODES[1], FACTS.model_copy(update={"cpu": old, "link": None}))
    wait_for(
        "the report without a link",
        lambda: world.api.get(kinds.EDGE_NODE, None, NODES[1])["status"]["facts"],
        lambda found: found["cpu"]["model"] == "i7-8650U" and "link" not in found,
        SECONDS,
    )
    # A change of the class has the fleet looked at now, and not within the minute.
    item = world.api.get(kinds.HARDWARE_CLASS, None, CLASS)
    world.api.merge(kinds.HARDWARE_CLASS, item, {"spec": {"constraints": {"power": "Battery"}}})
    found = until(world, "the difference", lambda c: c.status.observed_generation == 2)
    uniform = condition_of(found.status.conditions, "Uniform")
    assert uniform is not None
    assert (uniform.status.value, uniform.reason) == ("False", "NodesDiffer")
    assert f"avx512_vnni is missing on {NODES[1]} of 3" in uniform.message
    assert found.status.facts is not None
    assert found.status.facts.features == ("avx2",)
    tell(world, NODES[1], FACTS)


def test_the_plan_of_a_model_says_what_was_found_and_what_constrains_it(world: World) -> None:
    until(world, "facts of all nodes", all_reported)
    wish = manifest(world.registry, NAME)
    wish["spec"]["targets"] = [{"hardwareClassName": CLASS}]
    world.kubectl.apply(wish)
    model = wait_for(
        "the ranking", lambda: world.model(NAME),
        lambda m: m.status.targets and m.status.targets[0].engines, SECONDS,
    )  # fmt: skip
    (target,) = model.status.targets
    (reason,) = (rank.reason for rank in target.engines if rank.engine == "ONNXRuntime")
    assert "found on all 3 nodes that reported:" in reason
    item = world.api.get(kinds.HARDWARE_CLASS, None, CLASS)
    said = {"power": "Battery", "link": "Metered"}
    world.api.merge(kinds.HARDWARE_CLASS, item, {"spec": {"constraints": said}})
    text = wait_for(
        "the constraints", lambda: world.model(NAME).status.targets[0].constraints,
        lambda constraints: len(constraints) == len(said), SECONDS,
    )  # fmt: skip
    assert text[0].startswith(f"battery (spec.constraints.power of {CLASS})")
    assert text[1].startswith(f"metered link (spec.constraints.link of {CLASS})")
