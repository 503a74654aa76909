"""`EdgeModel.spec.rollout`: how a new revision reaches the nodes, and what a person keeps in hand."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import CountOrPercent, Duration, Model, Percent, TrafficShare
from skerry.api.labels import LabelValue, node_selector_rules
from skerry.api.rules import Rule

ALL_PERCENT = 100


class Wave(Model):
    """One step of a rollout over the nodes of a class: a share of them, or a ring by node labels."""

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.percent) != has(self.nodeSelector)",
            "must say either percent or nodeSelector: {percent: 25}, or {nodeSelector: {KEY: VALUE}}",
            lambda wave: (wave.percent is None) != (wave.node_selector is None),
        ),
        *node_selector_rules("!has(self.nodeSelector) || "),
    )

    percent: Percent | None = Field(
        default=None,
        description="Per cent of the class's nodes that have the candidate in this wave, those of"
        " earlier waves included; at least one node.",
    )
    node_selector: Annotated[dict[str, LabelValue], Field(min_length=1, max_length=4)] | None = (
        Field(
            default=None,
            description="A ring: every node of the class that carries all of these labels. A class without"
            " such a node passes the wave over where another class has one; where none has, it waits.",
        )
    )


class Promotion(StrEnum):
    """Who makes a candidate stable that has passed on every reachable node.

    Automatic: the operator. Manual: it waits for `kubectl skerry promote`, which writes the
    annotation skerry.dev/promote.
    """

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class Standby(StrEnum):
    """What is kept of the previous revision on each node for `rollbackWindow`.

    Warm: its server runs beside, so that a node goes back at once and by itself, cut off too.
    Cached: its server goes, its image stays in the node's image store while the disk has room; going
    back starts it again, by the operator, in seconds and without a download.
    None: nothing, and there is no way back but a change of the spec.
    """

    WARM = "Warm"
    CACHED = "Cached"
    NONE = "None"


def _percents(rollout: Rollout) -> list[int]:
    return [wave.percent for wave in rollout.waves if wave.percent is not None]


class Rollout(Model):
    """How a new revision reaches the nodes: wave by wave over a class, blue-green on each node.

    On a node the candidate is checked with golden samples, then gets traffic step by step, then
    soaks; a wave is done when its reachable nodes are. A change here takes effect at once and makes
    no revision.
    """

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.waves.all(i, w, !has(w.percent) || self.waves.all(j, v,"
            " j >= i || !has(v.percent) || v.percent < w.percent))",
            "waves must grow: each percent must be greater than those before",
            lambda rollout: all(a < b for a, b in pairwise(_percents(rollout))),
            "waves",
        ),
        Rule(
            "has(self.waves[size(self.waves)-1].percent)"
            f" && self.waves[size(self.waves)-1].percent == {ALL_PERCENT}",
            "the last wave must be {percent: 100}, or some nodes would never get the revision",
            lambda rollout: rollout.waves[-1].percent == ALL_PERCENT,
            "waves",
        ),
        Rule(
            "self.traffic.all(i, t, i == 0 || t > self.traffic[i-1])",
            "traffic must grow: each step must be greater than the one before",
            lambda rollout: all(a < b for a, b in pairwise(rollout.traffic)),
            "traffic",
        ),
    )

    waves: Annotated[tuple[Wave, ...], Field(min_length=1, max_length=16)] = Field(
        default=(Wave(percent=5), Wave(percent=25), Wave(percent=ALL_PERCENT)),
        description="Growing shares of the class's nodes and rings by node labels, in order, ending"
        " with {percent: 100}. The next wave opens when every reachable node of this one has passed.",
    )
    traffic: Annotated[tuple[TrafficShare, ...], Field(min_length=1, max_length=8)] = Field(
        default=(10, 50, 90),
        description="Per cent of a node's requests that the candidate gets, step by step; stable"
        " keeps a share until promotion, for comparison.",
    )
    soak: Duration = Field(
        default="10m", description="How long a node stays at the last step before it passes."
    )
    promotion: Promotion = Field(default=Promotion.AUTOMATIC)
    standby: Standby = Field(default=Standby.WARM)
    rollback_window: Duration = Field(
        default="24h",
        description="How long after a promotion the previous revision is kept, as `standby` says, and"
        " the guard can still go back to it.",
    )
    progress_deadline: Duration = Field(
        default="1h",
        description="A wave in which for so long, beyond `soak`, no node joined or passed is said to be"
        " Stalled, with the nodes that it waits for; so is a promoted revision that no further node"
        " came to serve. It goes on when they do; nothing is taken back.",
    )
    max_concurrent_pulls: CountOrPercent | None = Field(
        default=None,
        description="Nodes of the class, as a number or per cent, that may pull and start a candidate"
        " at once: a wave opens bit by bit, by a 64th of the class at least. Unset: a whole wave.",
    )
