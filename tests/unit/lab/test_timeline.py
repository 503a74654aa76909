"""The demonstration's arithmetic: what counts as bad, and when each thing happened."""

from tests.lab.client.timeline import (
    Answer,
    NodeEvent,
    is_within,
    lost,
    p95,
    rollback_timeline,
    switches,
)

STABLE, BAD = "aaaaaaaaaa", "bbbbbbbbbb"


def answers(node: str = "n1") -> list[Answer]:
    before = [Answer(float(i), 10.0, 200, STABLE, node) for i in range(20)]
    trial = [Answer(20.0 + i, 11.0, 200, BAD, node) for i in range(5)]
    slow = [Answer(30.0 + i, 100.0, 200, BAD, node) for i in range(5)]
    after = [Answer(36.0 + i, 10.0, 200, STABLE, node) for i in range(5)]
    return before + trial + slow + after


def test_what_callers_saw_is_counted_up_to_the_verdict() -> None:
    found = rollback_timeline(answers(), [], BAD, verdict_at=33.5, bad_node="n1")
    assert found is not None
    assert found.first_met == 20.011
    assert found.spoiled == 4
    assert found.node_back == 34.0


def test_the_fleet_is_back_when_its_last_node_is() -> None:
    elsewhere = [Answer(34.2, 10.0, 200, BAD, "n2"), Answer(35.0, 10.0, 200, STABLE, "n2")]
    found = rollback_timeline(answers() + elsewhere, [], BAD, verdict_at=33.5, bad_node="n1")
    assert found is not None
    assert found.fleet_back == 34.2
    assert round(found.milliseconds()["verdict to class back"]) == 700


def test_a_node_is_back_when_its_gateway_is_and_the_fleet_when_all_have_said_so() -> None:
    said = [
        NodeEvent(29.0, "n1", "idle", ""),
        NodeEvent(34.3, "n1", "flipped", BAD),
        NodeEvent(34.5, "n1", "idle", ""),
        NodeEvent(34.6, "n2", "idle", ""),
        NodeEvent(99.0, "n2", "idle", ""),
    ]
    found = rollback_timeline(answers(), said, BAD, verdict_at=33.5, bad_node="n1")
    assert found is not None
    assert (found.node_back, found.fleet_back) == (34.3, 34.6)


def test_callers_see_nothing_of_what_stable_answered_in_its_place() -> None:
    good = [a for a in answers() if a.milliseconds < 50]
    found = rollback_timeline(good, [], BAD, verdict_at=33.5, bad_node="n1")
    assert found is not None
    assert found.spoiled == 0
    assert rollback_timeline(good, [], "cccccccccc", verdict_at=33.5, bad_node="n1") is None


def test_lost_requests_are_counted_by_what_came_instead_and_where() -> None:
    some = [Answer(0, 1, 503, STABLE, "n1"), Answer(0, 1, 0, "ConnectError", "n1")]
    assert lost(some + answers()) == {"HTTP 503 on n1": 1, "ConnectError on n1": 1}


def test_a_node_switches_while_two_revisions_answer() -> None:
    """Rolled back on n1 from second 20 to 34; promoted on n2 from 5 to 8; n3 serves one all the time."""
    promoted = [
        *(Answer(float(at), 10.0, 200, STABLE, "n2") for at in range(9)),
        *(Answer(float(at), 10.0, 200, BAD, "n2") for at in range(5, 30)),
    ]
    calm = [Answer(float(at), 10.0, 200, STABLE, "n3") for at in range(30)]
    found = switches([*answers(), *promoted, *calm])
    assert found == {"n1": [(18.0, 36.0)], "n2": [(3.0, 10.0)], "n3": []}
    assert is_within(Answer(9.5, 1, 503, "-", "n2"), found)
    assert not is_within(Answer(11.0, 1, 503, "-", "n2"), found)
    assert not is_within(Answer(9.5, 1, 503, "-", "unknown"), found)


def test_a_node_that_goes_over_at_once_switches_then() -> None:
    one = [
        Answer(1.0, 1, 200, STABLE, "n1"),
        Answer(5.0, 1, 200, BAD, "n1"),
        Answer(9, 1, 200, BAD, "n1"),
    ]
    assert switches(one) == {"n1": [(3.0, 7.0)]}


def test_p95_of_few_values() -> None:
    assert p95([]) == 0.0
    assert p95([3.0]) == 3.0
