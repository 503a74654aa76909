"""The guard's part of `EdgeModel.spec`: the statistics that judge a candidate on every device.

`ModelRoute` carries the same rules to the agents, which work without the rest of the spec.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import CountOrPercent, Duration, Int, Model
from skerry.api.rules import ListMap, Rule
from skerry.api.units import parse_ratio


class GuardMetric(StrEnum):
    """A statistic that the guard tests.

    LatencyShift: the candidate's latencies of the last 20 s, compared with `tolerate` times stable's.
    LatencyTail: the share of answers slower than `tolerate` times stable's p95.
    Errors: by how much the share of failed answers (5xx, timeouts, resets) exceeds stable's.
    Golden: the answers to golden samples, compared with the certified ones.
    """

    LATENCY_SHIFT = "LatencyShift"
    LATENCY_TAIL = "LatencyTail"
    ERRORS = "Errors"
    GOLDEN = "Golden"


def _golden_takes_none(rule: GuardRule) -> bool:
    return rule.metric != GuardMetric.GOLDEN or rule.tolerate is None


def _latency_is_a_multiple(rule: GuardRule) -> bool:
    if not rule.metric.value.startswith("Latency"):
        return True
    text = rule.tolerate or ""
    return text.endswith("x") and parse_ratio(text) >= 1


def _errors_are_a_share(rule: GuardRule) -> bool:
    if rule.metric != GuardMetric.ERRORS:
        return True
    text = rule.tolerate or ""
    return text.endswith("%") and 0 < parse_ratio(text) < 1


Tolerance = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(x|%)$", max_length=12)]


class GuardRule(Model):
    """One statistic and what it tolerates."""

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.metric != 'Golden' || !has(self.tolerate)",
            "Golden takes no tolerate: answers are compared with the certificate's own tolerance",
            _golden_takes_none,
            "tolerate",
        ),
        Rule(
            "!self.metric.startsWith('Latency') || (has(self.tolerate) && self.tolerate.endsWith('x')"
            " && double(self.tolerate.replace('x', '')) >= 1.0)",
            "LatencyShift and LatencyTail need a multiple of stable's latency, 1x or more,"
            ' such as "1.25x"',
            _latency_is_a_multiple,
            "tolerate",
        ),
        Rule(
            "self.metric != 'Errors' || (has(self.tolerate) && self.tolerate.endsWith('%')"
            " && double(self.tolerate.replace('%', '')) > 0.0"
            " && double(self.tolerate.replace('%', '')) < 100.0)",
            'Errors needs a share of requests above 0% and below 100%, such as "1%"',
            _errors_are_a_share,
            "tolerate",
        ),
    )

    metric: GuardMetric = Field(description="The statistic; each can be used once.")
    tolerate: Tolerance | None = Field(
        default=None,
        description="The limit that the candidate may reach: a multiple such as 1.25x for"
        " LatencyShift and LatencyTail, a share such as 1% for Errors; Golden takes none.",
    )


GuardRules = Annotated[
    tuple[GuardRule, ...], Field(min_length=1, max_length=8), ListMap(("metric",))
]

DEFAULT_RULES = (
    GuardRule(metric=GuardMetric.LATENCY_SHIFT, tolerate="1.25x"),
    GuardRule(metric=GuardMetric.LATENCY_TAIL, tolerate="1.5x"),
    GuardRule(metric=GuardMetric.ERRORS, tolerate="1%"),
    GuardRule(metric=GuardMetric.GOLDEN),
)


class Guard(Model):
    """When a revision is rolled back.

    Each device's agent judges the candidate while traffic shifts, while it soaks and after promotion.
    If a rule fails, that node's traffic returns to stable at once. If it fails on `maxDegradedNodes`
    nodes, the whole class is rolled back. A change takes effect at once and makes no new revision.
    """

    min_samples: Int = Field(
        default=20,
        ge=20,
        le=10000,
        description="Requests that candidate and stable each need before a statistic is evaluated."
        " With fewer than 20, two equal builds could fail by chance.",
    )
    rules: GuardRules = Field(
        default=DEFAULT_RULES,
        description="The statistics that judge a candidate. A list here replaces the defaults.",
    )
    max_degraded_nodes: CountOrPercent = Field(
        default="1",
        description="Number or share (5%) of the class's nodes that must report Fail before the class is"
        " rolled back. The operator raises it to what false verdicts can reach by chance.",
    )
    lost_after: Duration = Field(
        default="5m",
        description="A node with the candidate whose agent does not report for this long counts as lost"
        " and holds the wave.",
    )
