"""Shards of a wave: enough, no more, deterministic, never closed again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skerry.decide.rollout.shards import assign_shards, parse_shard
from skerry.decide.rollout.waves import needed_nodes, open_shards, shard_order

ORDER = shard_order("intent", "x86")
sizes_of_shards = st.dictionaries(st.integers(0, 63), st.integers(0, 40), min_size=1)
percents = st.integers(1, 100)
shards = st.frozensets(st.integers(0, 63))


def test_order_is_a_permutation_keyed_by_model_and_class() -> None:
    assert sorted(ORDER) == list(range(64))
    assert shard_order("intent", "x86") == ORDER
    assert shard_order("intent", "arm") != ORDER
    assert shard_order("other", "x86") != ORDER


@given(sizes_of_shards, percents, shards)
def test_a_wave_holds_enough_and_no_more(
    sizes: dict[int, int], percent: int, opened: frozenset[int]
) -> None:
    total = sum(sizes.values())
    result = open_shards(ORDER, sizes, opened, needed_nodes(percent, total))
    held = sum(sizes.get(shard, 0) for shard in result)
    assert opened <= result
    assert held >= min(total, needed_nodes(percent, total))
    fresh = [shard for shard in ORDER if shard in result - opened]
    if fresh:
        assert held - sizes[fresh[-1]] < needed_nodes(percent, total)


@given(sizes_of_shards, sizes_of_shards, percents, percents)
def test_waves_are_monotone_whatever_nodes_come_and_go(
    before: dict[int, int], after: dict[int, int], one: int, two: int
) -> None:
    need = [needed_nodes(p, sum(nodes.values())) for p, nodes in ((one, before), (two, after))]
    first = open_shards(ORDER, before, frozenset(), need[0])
    assert first <= open_shards(ORDER, after, first, need[1])


@given(sizes_of_shards, percents, shards)
def test_skipped_shards_stay_closed(
    sizes: dict[int, int], percent: int, skip: frozenset[int]
) -> None:
    need = needed_nodes(percent, sum(sizes.values()))
    assert not open_shards(ORDER, sizes, frozenset(), need, skip) & skip


def test_needed_nodes() -> None:
    table = {(5, 1): 1, (5, 20): 1, (5, 21): 2, (100, 7): 7, (50, 3): 2, (1, 0): 1}
    for (percent, nodes), need in table.items():
        assert needed_nodes(percent, nodes) == need


names = st.text("abcdef0123456789-", min_size=1, max_size=8)


@given(st.dictionaries(names, st.none() | st.integers(0, 63), max_size=200))
def test_shards_are_stable_and_deterministic(nodes: dict[str, int | None]) -> None:
    result = assign_shards(nodes)
    assert result.keys() == nodes.keys()
    assert all(result[name] == shard for name, shard in nodes.items() if shard is not None)
    assert assign_shards(dict(reversed(nodes.items()))) == result
    assert assign_shards(dict(result)) == result


@given(st.sets(names, max_size=200))
def test_shards_are_balanced(nodes: set[str]) -> None:
    result = list(assign_shards(dict.fromkeys(nodes)).values())
    sizes = [result.count(shard) for shard in range(64)]
    assert max(sizes) - min(sizes) <= 1


def test_a_lost_label_is_put_back_from_memory() -> None:
    assert assign_shards({"a": None, "b": 7}, {"a": 9, "gone": 3}) == {"a": 9, "b": 7}


def test_labels_that_are_no_shard_count_as_none() -> None:
    assert [parse_shard(label) for label in (None, "", "x", "-1", "64", "0", "63")] == [
        None, None, None, None, None, 0, 63,
    ]  # fmt: skip
