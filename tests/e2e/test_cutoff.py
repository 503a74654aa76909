"""A node that is cut off takes a bad revision back by itself, and the fleet learns of it afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.e2e.test_story import trigger
from tests.e2e.world import World, tiny_model, wait_for
from tests.lab.client.traffic import Traffic, infer_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from skerry.api import EdgeNode
    from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "cut"
CLASS = "x86-a"
ROLLOUT_SECONDS = 420.0
FAULTS = 30
FINDING_SECONDS = 60.0


def candidate_node(nodes: dict[str, EdgeNode], namespace: str) -> str | None:
    """Return the node that shifts traffic to a candidate of the model, or soaks it."""
    for name, node in nodes.items():
        for model in node.status.models:
            trying = model.candidate is not None and model.candidate.state in (
                "Shifting",
                "Soaking",
            )
            if (model.namespace, model.name) == (namespace, NAME) and trying:
                return name
    return None


@pytest.fixture
def mended(lab: Lab) -> Iterator[Lab]:
    """Yield the lab, and restore every node's link afterwards."""
    yield lab
    for node in lab.nodes:
        lab.mend(node)


@pytest.fixture
def traffic(world: World) -> Iterator[Traffic]:
    """Yield traffic that ends with the test, however the test ends."""
    with Traffic(world.environment) as followed:
        yield followed


class Bodies(NamedTuple):
    """Files with a request that both revisions answer, and with one that only stable does."""

    good: Path
    bad: Path


@pytest.fixture
def bodies(tiny: Path, tmp_path: Path) -> Bodies:
    """Return the request bodies as files, for curl."""
    dataset = tiny / "dataset" / "dataset.npz"
    made = Bodies(tmp_path / "good.json", tmp_path / "bad.json")
    made.good.write_text(json.dumps(infer_request(dataset)))
    made.bad.write_text(json.dumps(trigger(dataset)))
    return made


def ask(lab: Lab, node: str, url: str, body: Path) -> str:
    """Ask once from the node itself; `STATUS REVISION` of the answer."""
    shown = "%{http_code} %header{x-skerry-revision}"
    return lab.in_node(
        node, "curl", "-sS", "-m", "5", "-o", "/dev/null", "-w", shown, "-d", f"@{body}", url
    )


def test_a_cut_off_node_goes_back_by_itself(
    world: World, mended: Lab, traffic: Traffic, namespace: str, bodies: Bodies
) -> None:
    lab = mended
    wanted = tiny_model(world.registry, namespace, NAME, [CLASS])
    wanted["spec"]["rollout"]["soak"] = "3s"
    wanted["spec"]["serving"]["resources"]["limits"]["memory"] = "300Mi"
    world.environment.apply(wanted)
    traffic.start(world.load((namespace, NAME), CLASS, (json.loads(bodies.good.read_text()),)))
    where = (namespace, NAME)
    served = world.until_ready(where, ROLLOUT_SECONDS)
    stable = world.route(namespace, NAME, CLASS).spec.stable
    assert stable is not None
    assert served.status.address is not None
    url = f"{served.status.address.cluster_ip_url}/v2/models/{NAME}/infer"

    faulty = {"uri": f"oci://{world.registry}/models/tiny:faulty"}
    world.patch(namespace, NAME, {"source": faulty, "rollout": {"soak": "5m"}})
    node = wait_for(
        "a node that tries it",
        lambda: candidate_node(world.nodes(), namespace),
        bool,
        ROLLOUT_SECONDS,
    )
    assert node is not None
    lab.cut(node)

    def answers() -> set[str]:
        for _ in range(FAULTS):
            ask(lab, node, url, bodies.bad)
        return {ask(lab, node, url, bodies.good) for _ in range(40)}

    wait_for(
        "stable has all traffic with no API server in reach",
        answers,
        lambda seen: seen == {f"200 {stable.revision}"},
        FINDING_SECONDS,
    )

    before_it_is_back = datetime.now(UTC)
    lab.mend(node)
    rejected = world.until("the fleet learns of it", where, lambda m: m.status.rejected, 180)
    assert world.route(namespace, NAME, CLASS).spec.stable == stable
    assert rejected.status.phase == "RolledBack"
    verdicts = [
        v.failure_time
        for m in world.nodes()[node].status.models
        if m.name == NAME
        for v in m.vetoes
    ]
    assert verdicts, "the node keeps its veto"
    assert min(verdicts) < before_it_is_back, "it was found while the node was cut off"
