"""Who counts as silent, and since when: by lists that succeeded, never by the device's clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.api import EdgeNode
from skerry.cluster.heartbeats import LIST_SECONDS, Moment
from skerry.controllers.cache import Fleet, FleetNode
from skerry.controllers.reach import Reach, node_views, note_leases, reach_of

START = datetime(2026, 11, 30, 8, tzinfo=UTC)
KEY = ("ns", "m")
CLASS = "x86"
MANY = 12
"""Lists, more than anybody's patience."""


class Watching:
    """One operator process over the nodes of a class: what it lists, and what the time is."""

    def __init__(self, *names: str, period: float = 60.0) -> None:
        self.fleet = Fleet()
        self.fleet.heartbeats.period = period
        self.now = Moment(START, 1000.0)
        self.renewed: dict[str, str] = {}
        self.beats = 0
        for name in names:
            self.node(name)

    def node(self, name: str, uid: str = "", **more: Any) -> None:
        """Add a node of the class, or another under its name."""
        self.version = getattr(self, "version", 0) + 1
        node = FleetNode(name, uid or f"uid-{name}", {}, CLASS, 0, **{"ready": True} | more)
        self.fleet.nodes.put(("", name), self.version, node)

    def passes(self, seconds: float, *, wall: float | None = None) -> None:
        """Advance the time, on the wall clock perhaps more or less."""
        jump = timedelta(seconds=seconds if wall is None else wall)
        self.now = Moment(self.now.wall + jump, self.now.seconds + seconds)

    def renew(self, *names: str, at: str = "") -> None:
        """Renew the Leases of these agents."""
        self.beats += 1
        self.renewed |= dict.fromkeys(names, at or f"beat {self.beats}")

    def list(self) -> frozenset[str]:
        """Let a list succeed."""
        leases = [
            {
                "metadata": {"name": f"skerry-agent-{name}", "uid": f"lease-{name}"},
                "spec": {"renewTime": renewed},
            }
            for name, renewed in self.renewed.items()
        ]
        return note_leases(self.fleet, leases, self.now)

    def minutes(self, count: int, *alive: str) -> None:
        """Do so many lists, each after a renewal of those that live."""
        for _ in range(count):
            self.passes(LIST_SECONDS)
            self.renew(*alive)
            self.list()

    def reach(self, name: str) -> Reach:
        """Return the reach of the node."""
        node = self.fleet.nodes.get("", name)
        assert node is not None
        return reach_of(self.fleet, node, self.now)

    def silent(self) -> set[str]:
        """Return the nodes that count as unreachable."""
        return {n.name for n in self.fleet.nodes.values() if not self.reach(n.name).reachable}


def test_a_standby_that_has_listed_once_an_hour_ago_takes_nobody_for_silent() -> None:
    watching = Watching("a", "b")
    watching.renew("a", "b")
    watching.list()
    watching.passes(3600)
    assert watching.silent() == set()
    watching.renew("a", "b")
    watching.list()
    assert watching.silent() == set()


def test_after_an_outage_nobody_is_silent_until_agents_could_renew() -> None:
    watching = Watching("a", "b")
    watching.renew("a", "b")
    watching.list()
    watching.minutes(3, "a", "b")
    watching.fleet.heartbeats.failed()
    watching.passes(360)
    watching.renew("a")
    watching.list()
    assert watching.silent() == set()
    watching.minutes(3, "a")
    assert watching.silent() == set()
    watching.minutes(2, "a")
    assert watching.silent() == {"b"}


def test_a_short_outage_between_two_lists_is_one_too() -> None:
    """With quick heartbeats a single late list is longer than an agent's whole patience."""
    watching = Watching("a", period=2)
    watching.renew("a")
    watching.list()
    watching.passes(75)
    watching.list()
    assert watching.silent() == set()
    watching.minutes(1, "a")
    assert watching.silent() == set()


@pytest.mark.parametrize(
    "clock", ["2001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59Z", "nonsense"]
)
def test_the_clock_of_a_device_decides_nothing(clock: str) -> None:
    watching = Watching("a")
    watching.renew("a", at=clock)
    watching.list()
    assert watching.silent() == set()
    watching.passes(60)
    watching.renew("a", at=f"{clock}!")
    watching.list()
    assert watching.silent() == set()
    assert watching.reach("a").renewed_lately


def test_an_agent_that_stops_is_silent_since_it_was_last_seen_alive() -> None:
    watching = Watching("a", "b")
    watching.renew("a", "b")
    watching.list()
    watching.minutes(2, "a", "b")
    last = watching.now.wall
    watching.minutes(MANY, "a")
    assert watching.silent() == {"b"}
    assert watching.reach("b").since == last
    assert watching.reach("b").silent_seconds == MANY * LIST_SECONDS


def test_silence_does_not_grow_while_no_list_succeeds() -> None:
    watching = Watching("a")
    watching.renew("a")
    watching.list()
    watching.minutes(1, "a")
    watching.minutes(MANY)
    known = watching.reach("a").silent_seconds
    watching.passes(86400)
    assert watching.reach("a").silent_seconds == known


def test_a_jump_of_the_own_clock_makes_nobody_silent_for_longer() -> None:
    watching = Watching("a")
    watching.renew("a")
    watching.list()
    watching.minutes(1, "a")
    watching.minutes(MANY)
    watching.passes(60, wall=7200)
    watching.list()
    assert watching.reach("a").silent_seconds == (MANY + 1) * LIST_SECONDS


def test_who_was_never_seen_to_renew_is_silent_since_nobody_knows_when() -> None:
    watching = Watching("a")
    watching.renew("a")
    watching.list()
    watching.minutes(MANY)
    assert watching.reach("a") == Reach(
        reachable=False, since=None, silent_seconds=MANY * LIST_SECONDS, renewed_lately=False
    )


def test_a_node_whose_agent_never_beats_is_reachable_for_a_while_only() -> None:
    watching = Watching("a")
    watching.list()
    watching.minutes(9)
    assert watching.silent() == set()
    watching.minutes(3)
    assert watching.silent() == {"a"}
    watching.minutes(1, "a")
    assert watching.silent() == set()


def test_a_node_made_again_under_its_name_has_no_past() -> None:
    watching = Watching("a")
    watching.renew("a")
    watching.list()
    watching.minutes(1, "a")
    watching.minutes(MANY)
    assert watching.silent() == {"a"}
    watching.node("a", "another")
    assert watching.silent() == set()
    watching.minutes(1)
    assert watching.silent() == set()


def test_a_node_that_is_not_ready_is_not_lost_before_lists_have_worked_for_a_while() -> None:
    watching = Watching()
    watching.node("a", ready=False, ready_since=START - timedelta(days=2))
    watching.renew("a")
    watching.list()
    assert watching.reach("a").since == START - timedelta(days=2)
    assert watching.reach("a").silent_seconds == 0
    watching.minutes(MANY)
    assert (watching.reach("a").silent_seconds or 0) > 2 * 86400


def test_nodes_that_turn_are_named() -> None:
    watching = Watching("a")
    watching.renew("a")
    watching.list()
    message = []
    for alive in [*[()] * MANY, ("a",)]:
        watching.passes(LIST_SECONDS)
        watching.renew(*alive)
        message.append(watching.list())
    assert [names for names in message if names] == [{"a"}, {"a"}]


@given(
    st.lists(
        st.tuples(st.sampled_from(["list", "list", "fail", "freeze"]), st.integers(1, 600)),
        min_size=1, max_size=40,
    ),
    st.sampled_from([2.0, 20.0, 60.0]),
)  # fmt: skip
def test_an_agent_that_renews_whenever_it_can_is_never_silent(
    story: list[tuple[str, int]], period: float
) -> None:
    """Outages and frozen processes of any length, in any order; the agent beats while the API server answers."""
    watching = Watching("a", period=period)
    watching.renew("a")
    watching.list()
    for what, seconds in story:
        if what == "list":
            watching.minutes(1, "a")
        elif what == "fail":
            watching.fleet.heartbeats.failed()
            watching.passes(seconds)
            watching.list()
        else:
            watching.passes(seconds)
            watching.renew("a")
            watching.list()
        assert watching.silent() == set()


def report(revision: str, **more: Any) -> dict[str, Any]:
    return {"namespace": "ns", "name": "m", "serving": revision, **more}


def reporting(node: str, models: list[dict[str, Any]], owner: str | None = None) -> EdgeNode:
    owners = [{"apiVersion": "v1", "kind": "Node", "name": node, "uid": owner}] if owner else []
    return EdgeNode.model_validate(
        {
            "metadata": {"name": node, "ownerReferences": owners},
            "spec": {"hardwareClassName": CLASS},
            "status": {"models": models},
        }
    )


@pytest.mark.parametrize(
    ("said", "owner", "counts"),
    [
        ({}, None, True),
        ({"edgeModelUID": "new"}, "uid-a", True),
        ({"edgeModelUID": "old"}, "uid-a", False),
        ({"edgeModelUID": "new"}, "uid-of-the-first-a", False),
    ],
    ids=["an older agent's", "its own", "about an earlier EdgeModel", "of an earlier Node"],
)
def test_whose_report_counts(said: dict[str, Any], owner: str | None, *, counts: bool) -> None:
    watching = Watching("a")
    watching.fleet.edge_nodes.put(
        ("", "a"), 1, reporting("a", [report("aaaaaaaaaa", **said)], owner)
    )
    (view,) = node_views(watching.fleet, KEY, "new", watching.now)[CLASS]
    assert (view.model is not None) == counts


def test_what_a_node_view_says_of_a_silent_node() -> None:
    watching = Watching("a", "b")
    watching.renew("a", "b")
    watching.list()
    watching.minutes(1, "a", "b")
    watching.minutes(MANY, "b")
    a, b = node_views(watching.fleet, KEY, None, watching.now)[CLASS]
    assert (a.reachable, a.silent_seconds, a.renewed_lately) == (False, MANY * LIST_SECONDS, False)
    assert (b.reachable, b.silent_seconds, b.renewed_lately) == (True, None, True)
    assert replace(b, name="a").unreachable_since is None
