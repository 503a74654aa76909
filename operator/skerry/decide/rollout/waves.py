"""Which shards a wave opens: deterministic, monotone, never more nodes than asked but for one shard.

Each (model, class) has its own order of the shards, so that not always the same devices are the first
to try something new. A wave adds shards in that order until enough nodes are in; what was opened
stays open, whatever nodes come and go.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from skerry.api.common import SHARD_COUNT

if TYPE_CHECKING:
    from collections.abc import Mapping


@lru_cache(maxsize=4096)
def shard_order(edge_model: str, hardware_class: str) -> tuple[int, ...]:
    """Return all shards in the order in which waves of this model and class open them."""

    def key(shard: int) -> bytes:
        return hashlib.sha256(f"{edge_model}/{hardware_class}/{shard}".encode()).digest()

    return tuple(sorted(range(SHARD_COUNT), key=key))


def needed_nodes(percent: int, nodes: int) -> int:
    """Return how many nodes a wave of `percent` must hold: rounded up, at least one."""
    return max(1, -(-percent * nodes // 100))


def open_shards(
    order: tuple[int, ...],
    sizes: Mapping[int, int],
    opened: frozenset[int],
    need: int,
    skip: frozenset[int] = frozenset(),
) -> frozenset[int]:
    """Return the shards that are open in a wave that must hold `need` nodes.

    Args:
        order: of `shard_order`.
        sizes: nodes that count, by shard.
        opened: what is open already; always part of the answer.
        need: of the nodes in `sizes`; 0 and less open nothing.
        skip: shards that can't be opened for now and are not waited for.

    Returns:
        `opened` and the fewest further non-empty shards, in order, that hold enough nodes.
    """
    result = set(opened)
    held = sum(sizes.get(shard, 0) for shard in opened)
    for shard in order:
        if held >= need:
            break
        if shard not in result and shard not in skip and sizes.get(shard, 0) > 0:
            result.add(shard)
            held += sizes[shard]
    return frozenset(result)
