"""What the real agent reports of the machine that the tests run on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psutil
import pytest

from skerry_agent.facts.find import find_facts
from skerry_agent.facts.places import Places
from tests.device.world import EDGE_NODE, eventually

if TYPE_CHECKING:
    from tests.device.world import Device

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

FACTS_BYTES = 1000
"""Ten thousand EdgeNodes lie in the operator's memory and in etcd."""


def test_the_agent_reports_what_its_device_is(device: Device) -> None:
    """By an agent without the node's network, as in a pod without `agent.findLink`."""
    found = eventually(
        lambda: device.api.get(EDGE_NODE, None, device.name).get("status"), 20, "a status"
    )
    assert found is not None
    facts = found["facts"]
    assert facts == find_facts(Places.of_environment({})).to_wire()
    assert facts["memory"] == psutil.virtual_memory().total
    assert facts["cpu"]["logicalCores"] == psutil.cpu_count()
    assert facts["cpu"]["physicalCores"] == psutil.cpu_count(logical=False)
    assert "link" not in facts
    assert len(json.dumps(facts)) < FACTS_BYTES
    owners = device.api.get(EDGE_NODE, None, device.name)["metadata"]["managedFields"]
    assert [o["manager"] for o in owners if o.get("subresource") == "status"] == ["skerry-agent"]
