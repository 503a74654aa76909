"""`EdgeModel.spec.rollout`: how a new revision reaches the nodes, and what a person decides."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import CountOrPercent, Duration, Model, Percent, TrafficShare
from skerry.api.labels import LabelValue, node_selector_rules
from skerry.api.rules import Rule

ALL_PERCENT = 100
MOST_WAVES = 16


class Wave(Model):
    """One step of a rollout over the nodes of a class: a share of them, or a ring of labeled nodes."""

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.percent) != has(self.nodeSelector)",
            "must set either percent or nodeSelector: {percent: 25}, or {nodeSelector: {KEY: VALUE}}",
            lambda wave: (wave.percent is None) != (wave.node_selector is None),
        ),
        *node_selector_rules("!has(self.nodeSelector) || "),
    )

    percent: Percent | None = Field(
        default=None,
        description="Percentage of the class's nodes that run the candidate in this wave, including"
        " those of earlier waves; at least one node.",
    )
    node_selector: Annotated[dict[str, LabelValue], Field(min_length=1, max_length=4)] | None = (
        Field(
            default=None,
            description="A ring: all nodes of the class with these labels. A class without such a node"
            " skips the wave if another class has one; if none has, the wave waits.",
        )
    )


class Promotion(StrEnum):
    """Who promotes a candidate that has passed on every reachable node.

    Automatic: the operator. Manual: the candidate waits for `kubectl skerry promote`, which sets the
    annotation skerry.dev/promote.
    """

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class Standby(StrEnum):
    """What each node keeps of the previous revision for `rollbackWindow`.

    Warm: its server keeps running, so that a node can roll back at once by itself, even offline.
    Cached: its server stops; its image stays on the node while the disk has room. To roll back, the
    operator starts it again in seconds, without a download.
    None: nothing. The only way back is a change of the spec.
    """

    WARM = "Warm"
    CACHED = "Cached"
    NONE = "None"


def _percents(rollout: Rollout) -> list[int]:
    return [wave.percent for wave in rollout.waves if wave.percent is not None]


class Rollout(Model):
    """How a new revision reaches the nodes: wave by wave over a class, blue-green on each node.

    On a node the agent checks the candidate with golden samples, shifts traffic to it step by step,
    then lets it soak. A wave is complete when all its reachable nodes have passed. A change takes
    effect at once and makes no new revision.
    """

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.waves.all(i, w, !has(w.percent) || self.waves.all(j, v,"
            " j >= i || !has(v.percent) || v.percent < w.percent))",
            "waves must grow: each percent must be greater than the one before",
            lambda rollout: all(a < b for a, b in pairwise(_percents(rollout))),
            "waves",
        ),
        Rule(
            "has(self.waves[size(self.waves)-1].percent)"
            f" && self.waves[size(self.waves)-1].percent == {ALL_PERCENT}",
            "the last wave must be {percent: 100}, or some nodes never get the revision",
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

    waves: Annotated[tuple[Wave, ...], Field(min_length=1, max_length=MOST_WAVES)] = Field(
        default=(Wave(percent=5), Wave(percent=25), Wave(percent=ALL_PERCENT)),
        description="Growing shares of the class's nodes and rings of labeled nodes, in order, ending"
        " with {percent: 100}. The next wave opens when every reachable node of this one has passed.",
    )
    traffic: Annotated[tuple[TrafficShare, ...], Field(min_length=1, max_length=8)] = Field(
        default=(10, 50, 90),
        description="Percentage of a node's requests that the candidate gets, step by step. Stable"
        " keeps the rest until promotion, for comparison.",
    )
    soak: Duration = Field(
        default="10m",
        description="How long the candidate must hold the last traffic step before the node passes.",
    )
    promotion: Promotion = Field(default=Promotion.AUTOMATIC)
    standby: Standby = Field(default=Standby.WARM)
    rollback_window: Duration = Field(
        default="24h",
        description="How long after a promotion the previous revision is kept as `standby` says, so"
        " that the guard can still roll back to it.",
    )
    progress_deadline: Duration = Field(
        default="1h",
        description="If no node joins or passes the current wave for this long after `soak`, the Stalled"
        " condition becomes true and names the nodes being waited for. The same applies when a promoted"
        " revision stops spreading. The rollout resumes by itself; nothing is rolled back.",
    )
    max_concurrent_pulls: CountOrPercent | None = Field(
        default=None,
        description="Number or percentage of the class's nodes that may pull and start a candidate at"
        " once. A wave then opens in parts of at least a 64th of the class. Unset: the whole wave.",
    )
