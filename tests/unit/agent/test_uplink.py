"""Reports to the EdgeNode: one that is created again, and one whose status somebody else writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.edgenode import EdgeNodeStatus
from skerry_agent.kube import Api
from skerry_agent.settings import Settings
from skerry_agent.uplink import Uplink

if TYPE_CHECKING:
    from pathlib import Path


def edge_node(uid: str, version: int, status: object) -> dict[str, Any]:
    return {
        "metadata": {"name": "x", "uid": uid, "resourceVersion": str(version)},
        "status": status,
    }


@pytest.fixture
def uplink(tmp_path: Path) -> Uplink:
    """Return an uplink that has reported to the EdgeNode `one`, in its version 5."""
    made = Uplink(Api("http://127.0.0.1:9"), Settings("x", "s", tmp_path), lambda: None)
    made._note(edge_node("one", 5, {"agentVersion": "1"}))
    made.wanted = made.sent = EdgeNodeStatus(agent_version="1")
    return made


@pytest.mark.parametrize(
    ("node", "again"),
    [
        (edge_node("one", 5, {"agentVersion": "1"}), False),
        (edge_node("one", 4, {}), False),
        (edge_node("one", 6, {"agentVersion": "1"}), False),
        (edge_node("one", 6, {}), True),
        (edge_node("one", 6, None), True),
        (edge_node("two", 6, None), True),
        (edge_node("two", 6, {"agentVersion": "1"}), True),
        (None, True),
    ],
)
async def test_what_was_sent_is_one_edge_nodes(
    uplink: Uplink, node: dict[str, Any] | None, *, again: bool
) -> None:
    uplink.observe(node)
    assert (uplink.sent is None) is again
    assert uplink._news.is_set() is again


async def test_two_writers_of_a_status_do_not_race(uplink: Uplink) -> None:
    uplink.observe(edge_node("one", 6, {}))
    uplink._note(edge_node("one", 7, {"agentVersion": "1"}))
    uplink.sent = uplink.wanted
    uplink._news.clear()
    uplink.observe(edge_node("one", 8, {}))
    assert not uplink._news.is_set()
