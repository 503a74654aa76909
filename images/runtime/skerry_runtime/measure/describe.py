"""A trial in one line, for the log and the stages' messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.units import say_bytes

if TYPE_CHECKING:
    from skerry.api.modelvariant import Interval, Trial


def describe(trial: Trial) -> str:
    """Return a trial in one line, for the log and the stage's message."""
    if trial.speedup is None:
        return f"{trial.recipe}: {trial.outcome.value}: {trial.message}"
    text = (
        f"{trial.recipe}: {say_bytes(trial.bytes)}, {trial.p50_milliseconds} ms,"
        f" speed-up {_span(trial.speedup)}, memory saved {_span(trial.memory_reduction)},"
        f" quality {_span(trial.quality)}, cosine {_span(trial.cosine)},"
        f" batching {'on' if trial.batching else 'off'}"
    )
    return f"{text} ({trial.message})" if trial.message else text


def _span(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.value} ({interval.low} to {interval.high})"
