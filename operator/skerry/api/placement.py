"""Where the servers of a revision are meant to run within a class: data, of which a DaemonSet is the projection.

Shard and labels decide whether a member of the class holds a revision. It need not be a Node.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol, Self

from pydantic import Field, PlainSerializer

from skerry.api.common import SHARD_COUNT, Model
from skerry.api.labels import NodeSelector, matches
from skerry.api.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api.labels import Selector

ALL_SHARDS = frozenset(range(SHARD_COUNT))
ANNOTATION_PLACEMENT = "skerry.dev/placement"
"""On a DaemonSet: the placement that its node affinity was made from, as JSON."""

Shard = Annotated[int, Field(ge=0, le=SHARD_COUNT - 1)]
Shards = Annotated[
    frozenset[Shard],
    Field(max_length=SHARD_COUNT),
    PlainSerializer(sorted, return_type=list[int]),
]


class Member(Protocol):
    """What has a place in its class: a node as the operator sees it, or a device that knows its own."""

    @property
    def shard(self) -> int | None:
        """Value of the shard label; None without one."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels by which rings select."""


class PlacementKind(StrEnum):
    """The form of a placement.

    All: every node of the class. In: nodes of the named shards, and of rings. NotIn: every node but
    those of the named shards.
    """

    ALL = "All"
    IN = "In"
    NOT_IN = "NotIn"


class Ring(Model):
    """Nodes with these labels, within some shards: a ring opens and closes shard by shard too."""

    node_selector: NodeSelector = Field(description="Labels, all of which a node carries.")
    shards: Shards = Field(description="Shards in which the ring is open.")

    def covers(self, shard: int | None, labels: Mapping[str, str]) -> bool:
        """Return whether a node with this shard label and these labels is in it."""
        return shard in self.shards and matches(self.node_selector, labels)


class Placement(Model):
    """Where the servers of one revision are meant to run, within the class.

    As in Kubernetes, a node without the shard label is covered by All and NotIn and never by In.
    """

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.kind != 'All' || size(self.shards) == 0",
            "must be empty where kind is All",
            lambda placement: placement.kind is not PlacementKind.ALL or not placement.shards,
            "shards",
        ),
        Rule(
            "self.kind == 'In' || size(self.rings) == 0",
            "must be empty unless kind is In",
            lambda placement: placement.kind is PlacementKind.IN or not placement.rings,
            "rings",
        ),
    )

    kind: PlacementKind = Field(default=PlacementKind.ALL)
    shards: Shards = Field(
        default=frozenset(), description="Shards that the servers are limited to or kept out of."
    )
    rings: Annotated[tuple[Ring, ...], Field(max_length=64)] = Field(
        default=(), description="Nodes that are covered in addition to `shards`, by their labels."
    )

    @classmethod
    def only(cls, shards: frozenset[int] = frozenset(), rings: tuple[Ring, ...] = ()) -> Placement:
        """Return the placement on these shards and rings, the rings sorted by their labels."""
        ordered = tuple(sorted(rings, key=lambda ring: ring.node_selector))
        return Placement(kind=PlacementKind.IN, shards=shards, rings=ordered)

    @classmethod
    def without(cls, shards: frozenset[int]) -> Placement:
        """Return the placement on the whole class but these shards."""
        return Placement(kind=PlacementKind.NOT_IN, shards=shards) if shards else Placement()

    def covers(self, shard: int | None, labels: Mapping[str, str] = MappingProxyType({})) -> bool:
        """Return whether a node with this shard label (None: without one) and these labels gets a server."""
        if self.kind is PlacementKind.IN:
            return shard in self.shards or any(ring.covers(shard, labels) for ring in self.rings)
        return shard not in self.shards

    def holds(self, member: Member) -> bool:
        """Return whether the node gets a server."""
        return self.covers(member.shard, member.labels)

    def reaches(self, shard: int) -> bool:
        """Return whether some node of the shard may get a server."""
        return self.covers(shard) or any(shard in ring.shards for ring in self.rings)

    def union(self, other: Placement) -> Placement:
        """Return a placement that covers what either covers.

        Of a ring next to a placement that is not limited to shards, the whole shards are covered.
        """
        if self.kind is PlacementKind.IN and other.kind is PlacementKind.IN:
            both = self
            for ring in other.rings:
                both = both.with_ring(ring.node_selector, ring.shards)
            return both.model_copy(update={"shards": self.shards | other.shards})
        reached = (s for s in ALL_SHARDS if self.reaches(s) or other.reaches(s))
        return Placement.without(ALL_SHARDS - frozenset(reached))

    def with_ring(self, selector: Selector, shards: frozenset[int]) -> Self:
        """Return the placement, limited to shards as it is, with the ring open in these shards too."""
        open_in = {ring.node_selector: ring.shards for ring in self.rings}
        merged = open_in | {selector: open_in.get(selector, frozenset()) | shards}
        rings = (Ring(node_selector=key, shards=merged[key]) for key in sorted(merged))
        return self.model_copy(update={"rings": tuple(ring for ring in rings if ring.shards)})
