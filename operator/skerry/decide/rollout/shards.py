"""Which shard each node is in: the label by which waves are cut, balanced and stable.

A node keeps the shard that its label says. A node without one (new, or someone took the label away)
gets its remembered shard back, else the emptiest one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.common import SHARD_COUNT

if TYPE_CHECKING:
    from collections.abc import Mapping


def parse_shard(label: str | None) -> int | None:
    """Return the shard that a node's label names; None for no label or a value that is no shard."""
    if label is None or not label.isdecimal() or int(label) >= SHARD_COUNT:
        return None
    return int(label)


def assign_shards(
    nodes: Mapping[str, int | None], remembered: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Return a shard for every node of one class.

    Args:
        nodes: by name, the shard that the node's label says; None without a (valid) label.
        remembered: shards that the operator last saw on nodes whose label is gone now.

    Returns:
        A shard, 0 to 63, by name. The same input gives the same output in any order; a node with a
        valid label is never moved; sizes differ by at most one where all nodes are assigned here.
    """
    known = {name: shard for name, shard in (remembered or {}).items() if name in nodes}
    result = known | {name: shard for name, shard in nodes.items() if shard is not None}
    sizes = [0] * SHARD_COUNT
    for shard in result.values():
        sizes[shard] += 1
    for name in sorted(nodes.keys() - result.keys()):
        emptiest = min(range(SHARD_COUNT), key=lambda shard: (sizes[shard], shard))
        result[name] = emptiest
        sizes[emptiest] += 1
    return result
