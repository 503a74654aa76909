"""The shape of the figures, and the checks that keep unlike things from being compared."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.first_node.compare import by_hand
from benchmarks.job.by_skerry import Work, containers
from benchmarks.job.compare import UnlikeError, check_alike
from benchmarks.serving.compare import summary_of_undisturbed
from benchmarks.serving.sides import Block
from benchmarks.shared.figures import alternated, difference, ratio, write
from skerry.api.placement import Placement
from skerry.render.daemonsets import daemonset
from tests.unit.render.test_objects import OWNER, SERVED

if TYPE_CHECKING:
    from pathlib import Path

FOUND = {"recipe": "r", "of": 692, "kept": 666, "timedCalls": 1200, "cosine": 0.9990}


def test_each_side_is_first_and_last_equally_often() -> None:
    orders = list(alternated(("a", "b", "c"), 6))
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    for place in (0, -1):
        assert set(Counter(order[place] for order in orders).values()) == {2}


def test_a_ratio_is_of_pairs_and_says_whether_it_is_met() -> None:
    # the machine was twice as slow in the last pair, which hits both sides alike
    found = ratio([1.1, 1.2, 2.2], [1.0, 1.0, 2.0], at_most=1.15)
    assert (found["value"], found["met"], found["pairs"]) == (1.1, True, 3)
    assert found["low"] <= found["value"] <= found["high"]
    assert ratio([0.8], [1.0], at_least=0.9)["met"] is False
    assert difference([2.5, 2.0], [1.0, 1.0], at_most=2)["value"] == 1.25
    with pytest.raises(ValueError, match="longer"):
        ratio([1.0], [1.0, 2.0])


def test_what_is_written_names_machine_and_date(tmp_path: Path) -> None:
    write("x", tmp_path / "new" / "x.json", lambda: {"figure": 1})
    written = json.loads((tmp_path / "new" / "x.json").read_text())
    assert (written["benchmark"], written["figure"]) == ("x", 1)
    assert {"date", "cpu", "cores", "loadAverageAtStart", "commit"} <= written["machine"].keys()


@pytest.mark.parametrize(
    "change", [{"kept": 665}, {"timedCalls": 1600}, {"recipe": "other"}, {"cosine": 0.99}]
)
def test_runs_that_differ_are_not_compared(change: dict[str, Any]) -> None:
    check_alike(FOUND, dict(FOUND))
    with pytest.raises(UnlikeError, match=next(iter(change))):
        check_alike(FOUND | change, FOUND)


def test_rounds_that_neighbors_disturbed_are_kept_apart() -> None:
    """Two of twelve, in which they took a tenth of a second from one side, and a slow call from the other."""

    def blocks(calls: float, latency: float, stolen: float) -> list[Block]:
        return [Block(calls, [latency, latency], stolen if i < 2 else 0.01) for i in range(12)]

    rounds = {("raw", 1): blocks(50, 20, 0.1), ("rest", 1): blocks(45, 21, 0)}
    rounds["rest", 1][:2] = [Block(5, [300, 20], 0)] * 2
    found = summary_of_undisturbed({**rounds, ("raw", 8): [], ("rest", 8): []})
    assert (found["1 clients"]["rounds"], found["1 clients"]["of"]) == (10, 12)
    rest = found["1 clients"]["rest, 1 clients"]
    assert rest["throughputToRaw"]["value"] == pytest.approx(0.9)
    assert rest["p99AboveRaw"]["value"] == pytest.approx(1)
    assert found["8 clients"] == {"rounds": 0, "of": 0}


def test_the_job_is_what_the_operator_renders(tmp_path: Path) -> None:
    (tmp_path / "dataset.npz").write_bytes(b"data")
    work = Work(tmp_path, tmp_path, tmp_path, "127.0.0.1:1", "a/b")
    plan = work.plan("ONNXRuntime")
    stages = containers(plan)
    assert [one["name"] for one in stages][:: len(stages) - 1] == ["find-finished", "pack"]
    given = {one["name"]: one.get("value") for one in stages[0]["env"]}
    assert given["SKERRY_PLAN"] == plan.model_dump_json(by_alias=True, exclude_none=True)


def test_by_hand_has_the_revisions_pods_on_the_nodes_of_its_first_wave() -> None:
    placed = daemonset(OWNER, SERVED, Placement.only(frozenset({1})))
    template = placed["spec"]["template"]
    made, service = by_hand(json.loads(json.dumps(template)))
    pod = made["spec"]["template"]
    assert pod["spec"] == template["spec"]
    assert "shard" in json.dumps(pod["spec"]["affinity"])
    assert SERVED.hardware_class in json.dumps(pod["spec"]["affinity"])
    assert pod["metadata"]["labels"] == made["spec"]["selector"]["matchLabels"]
    assert service["spec"]["selector"] == pod["metadata"]["labels"]
