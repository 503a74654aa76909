"""The gates that the nearest miss would pass: what a person who may lower them would otherwise work out."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from skerry.judging.gates import holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from skerry.api.edgemodel import Gates
    from skerry.api.modelvariant import GateResult, Interval

CERTAIN = frozenset({"quality", "speedup", "memoryReduction"})
"""The gates of every recipe result that was measured to its end."""


def passing_gates(results: Iterable[GateResult], gates: Gates) -> str:
    """Say which values of spec.gates the recipe result would pass; empty where none of them lets it through.

    Args:
        results: of the recipe result that came nearest.
        gates: of the spec, which it does not pass.
    """
    required = [result for result in results if result.required]
    missed = [one for one in required if not holds(one, allow_marginal=gates.allow_marginal)]
    values = {one.name: _value(one) for one in missed}
    if not values or None in values.values():
        return ""
    fields = " and ".join(f"spec.gates.{name}: {value}" for name, value in values.items())
    whole = {one.name for one in required} >= CERTAIN
    return fields if whole else f"{fields}, as far as measured"


def _value(result: GateResult) -> str | None:
    write = _FIELDS.get(result.name)
    return write(result.observed) if write and result.observed is not None else None


def _quality(observed: Interval) -> str | None:
    lowest = _floor(observed.low)
    return f'"{lowest}"' if lowest > 0 else None


def _memory(observed: Interval) -> str | None:
    lowest = _floor(observed.low)
    return f'"{lowest}"' if lowest >= 0 else None


def _movement(observed: Interval) -> str:
    return f'"{Decimal(observed.high).quantize(Decimal("0.01"), rounding=ROUND_CEILING)}"'


def _times(observed: Interval) -> str | None:
    lowest = _floor(observed.low)
    return f"{lowest}x" if lowest > 0 else None


def _size(observed: Interval) -> str:
    most = float(observed.high)
    unit, suffix = (2**20, "Mi") if most >= 10 * 2**20 else (2**10, "Ki")
    return f"{math.ceil(most / unit)}{suffix}"


def _floor(text: str) -> Decimal:
    return Decimal(text).quantize(Decimal("0.01"), rounding=ROUND_FLOOR)


# Cosine has a threshold of its own, so it is no field of the spec.
_FIELDS: dict[str, Callable[[Interval], str | None]] = {
    "quality": _quality,
    "movement": _movement,
    "speedup": _times,
    "memoryReduction": _memory,
    "artifactSize": _size,
}
