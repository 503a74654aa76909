"""A recipe result in one line, for the log and the stages' messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.units import say_bytes

if TYPE_CHECKING:
    from skerry.api.modelvariant import Interval, RecipeResult


def describe(result: RecipeResult) -> str:
    """Return a recipe result in one line, for the log and the stage's message."""
    if result.speedup is None:
        return f"{result.recipe}: {result.outcome.value}: {result.message}"
    text = (
        f"{result.recipe}: {say_bytes(result.bytes)}, {result.p50_milliseconds} ms,"
        f" speed-up {_span(result.speedup)}, memory saved {_span(result.memory_reduction)},"
        f" quality {_span(result.quality)}, cosine {_span(result.cosine)},"
        f" movement {_span(result.movement)},"
        f" batching {'on' if result.batching else 'off'}"
    )
    return f"{text} ({result.message})" if result.message else text


def _span(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.value} ({interval.low} to {interval.high})"
