"""The one shape of every figure: pairs measured next to each other, their ratio, its 95 % interval.

A figure is never two medians of different moments: each pair is measured back to back, pairs begin with
the other side in turn, and the ratio is the median over pairs, with a bootstrap interval
(`skerry.judging.intervals`, the same lines that gates use). With few pairs the interval is about their range.
"""

from __future__ import annotations

import json
import logging
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.shared.machine import describe_machine
from skerry.judging.intervals import bootstrap_median

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from skerry.judging.intervals import Estimate

log = logging.getLogger("benchmarks")

Figures = dict[str, Any]
_DIGITS = 4


def ratio(ours: Sequence[float], theirs: Sequence[float], *, at_most: float | None = None,
          at_least: float | None = None) -> Figures:  # fmt: skip
    """Return the ratio of ours to theirs over pairs, with what is aimed at and whether it is met.

    Raises:
        ValueError: The sides have different counts, or none.
    """
    found = bootstrap_median([one / other for one, other in zip(ours, theirs, strict=True)])
    return _as_json(found, len(ours), at_most, at_least)


def difference(
    ours: Sequence[float], theirs: Sequence[float], *, at_most: float | None = None
) -> Figures:
    """Return ours less theirs over pairs, in their unit; see `ratio`."""
    found = bootstrap_median([one - other for one, other in zip(ours, theirs, strict=True)])
    return _as_json(found, len(ours), at_most, None)


def _as_json(found: Estimate, pairs: int, at_most: float | None, at_least: float | None) -> Figures:
    message: Figures = {
        "value": round(found.value, _DIGITS),
        "low": round(found.low, _DIGITS),
        "high": round(found.high, _DIGITS),
        "pairs": pairs,
    }
    if at_most is not None:
        message |= {"atMost": at_most, "met": found.value <= at_most}
    if at_least is not None:
        message |= {"atLeast": at_least, "met": found.value >= at_least}
    return message


def medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure that the first row has."""
    return {key: round(median(row[key] for row in rows), _DIGITS) for key in rows[0]}


def alternated(sides: Sequence[str], rounds: int) -> Iterator[tuple[str, ...]]:
    """Yield the order of the sides in each round: each side is first and last equally often."""
    for number in range(rounds):
        turned = number // 2 % len(sides)
        order = (*sides[turned:], *sides[:turned])
        yield order if number % 2 == 0 else order[::-1]


def write(name: str, out: Path, measure: Callable[[], Figures]) -> None:
    """Measure, and write what was found with the machine that it was found on."""
    machine = describe_machine()  # the load before, not that of the benchmark
    log.info("%s on %s, load %.2f", name, machine["cpu"], machine["loadAverageAtStart"])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps({"benchmark": name, "machine": machine, **measure()}, indent=1) + "\n"
    )
    log.info("written to %s", out)
