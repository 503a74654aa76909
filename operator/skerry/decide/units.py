"""Durations, quantities and thresholds turned into numbers; they live with the API's rules."""

from skerry.api.units import (
    parse_bytes,
    parse_count,
    parse_duration,
    parse_quantity,
    parse_ratio,
    say_bytes,
)

__all__ = [
    "parse_bytes",
    "parse_count",
    "parse_duration",
    "parse_quantity",
    "parse_ratio",
    "say_bytes",
]
